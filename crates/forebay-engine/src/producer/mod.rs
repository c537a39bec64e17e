//! Group commit: one producer actor per topic-partition.
//!
//! - [`queue`]: the partition's open batches, appended to under a short lock;
//! - [`batch`]: the front of the queue as the writer sees it;
//! - [`actor`]: hands one batch after the other to the writer, and settles it.

mod actor;
mod batch;
mod queue;

pub(crate) use actor::{Flush, ProducerActor};
pub(crate) use queue::{PartitionQueue, QueuedMessages};
