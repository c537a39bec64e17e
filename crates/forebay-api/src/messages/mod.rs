//! The actions that read messages back from a topic: what is asked, and what is answered.
//!
//! | action | answers |
//! |---|---|
//! | `FetchMessageByOffset`, `FetchDatahubMessageByOffset` | one [`ConsumerRecord`] |
//! | `FetchMessageListByOffset`, `FetchMessageListByTimestamp`, `FetchLatestDatahubMessageList` | a list of them |
//!
//! The `Datahub` ones name an elastic topic, which is a topic of the default instance.

mod consumer_record;
mod query;
#[cfg(test)]
mod tests;

pub use consumer_record::ConsumerRecord;
pub use query::{MessageQuery, Selection};
