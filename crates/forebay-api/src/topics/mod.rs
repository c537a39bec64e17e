//! The topic actions: what is asked, and what is answered.
//!
//! The `Datahub` ones manage what the vendor calls elastic topics: topics of the default instance,
//! by name alone. DescribeTopic and DescribeTopicDetail list the topics of any instance.
//!
//! `MaxMessageBytes` of CreateDatahubTopic and ModifyDatahubTopic, and `PartitionNum` of the
//! latter, are Forebay's own: the API has them only in actions on whole clusters.

mod answers;
mod change;
mod details;
mod list;
mod topic_id;
mod view;

#[cfg(test)]
mod tests;

pub use answers::{
    ChangedAnswer, CreateTopicAnswer, DatahubTopicAnswer, DatahubTopicsAnswer, TopicsAnswer,
};
pub use change::{CreateDatahubTopic, ModifyDatahubTopic, parse_topic_name};
pub use details::{DescribeTopicDetail, TopicDetailsAnswer};
pub use list::{DescribeDatahubTopics, DescribeTopic, Page};
pub use topic_id::topic_id;
pub use view::{TopicSettings, TopicView};
