//! A topic-partition's log: segment files of record batches as they arrived,
//! with what is needed to find and to judge them held in memory.

mod append;
mod batch;
mod compaction;
#[cfg(test)]
mod fixture;
mod partition;
mod producer_snapshot;
mod producer_state;
mod read;
mod record;
mod recovery;
mod retention;
mod segment;
mod segment_index;
mod sync;
mod time_query;

#[cfg(test)]
mod tests;

pub(crate) use append::{AppendError, Appended};
pub(crate) use batch::LEADER_EPOCH;
pub(crate) use partition::{Health, LogServices, Partition};
pub(crate) use read::{ReadError, Slice};
pub(crate) use sync::SyncPool;
pub(crate) use time_query::TimedOffset;
