//! Reading messages back, for people who look for one.
//!
//! A query must never be felt by those who send: it has connections of its
//! own, a few run at a time for each instance, and all of them together hold
//! at most half of the memory limit, counted in it.
//!
//! What is read is the log up to the high watermark: messages of unfinished
//! and of aborted transactions too, but no markers.
//!
//! | file | what is inside |
//! |---|---|
//! | `source` | an instance, as queries see it: partitions, ranges, fetches |
//! | `scan` | from fetched batches to records |
//! | `memory` | what queries hold |
//! | `error` | why there is no answer |

mod error;
mod memory;
mod scan;
mod source;

use std::{collections::BTreeMap, sync::Arc};

use forebay_kafka::OffsetAt;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use crate::{admission::Admission, instance::InstanceConfig};

pub use error::{NextMessage, QueryError};
pub use forebay_kafka::{DecodedRecord, RecordHeaders};
pub use memory::{QueryMemoryRefused, QueryPermit};

use memory::QueryMemory;
use scan::Wanted;
use source::{Log, Source};

/// Keys, values and headers of one list, in bytes: what goes beyond is left
/// out, after the first message.
const MAX_LIST_BYTES: usize = 4 << 20;

/// Partitions whose range is asked for at once.
const RANGES_AT_ONCE: usize = 8;

/// Where somebody looks for messages.
#[derive(Clone, Copy, Debug)]
pub struct QueriedTopic<'q> {
    /// The instance's id.
    pub instance: &'q str,
    /// The topic's name.
    pub topic: &'q str,
    /// When the answer has to be there.
    pub deadline: Instant,
}

/// A message that was found.
#[derive(Clone, Debug)]
pub struct FoundMessage {
    /// Its partition.
    pub partition: i32,
    /// The record there.
    pub record: DecodedRecord,
}

/// What a query found, and the memory that it holds.
#[derive(Debug)]
pub struct Found {
    /// By partition and rising offset; exactly one from [`MessageQueries::at`].
    pub messages: Vec<FoundMessage>,
    /// To be kept as long as the messages, or an answer made of them, is.
    pub permit: QueryPermit,
}

/// The partitions of a topic.
#[derive(Clone, Debug, Default)]
pub struct PartitionRanges {
    /// How many there are.
    pub partitions: i32,
    /// Those that were looked at, in order.
    pub ranges: Vec<PartitionRange>,
}

/// Where a partition's log begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionRange {
    /// Which one.
    pub partition: i32,
    /// First offset that is there.
    pub earliest: i64,
    /// The offset that the next message gets.
    pub end: i64,
    /// The leader's broker id, if there is one.
    pub leader: Option<i32>,
}

/// Answers queries. Cheap to clone.
#[derive(Clone)]
pub struct MessageQueries {
    sources: Arc<BTreeMap<String, Source>>,
    memory: QueryMemory,
}

impl MessageQueries {
    /// Makes no connection yet. `admission` is the budget that queries share
    /// with everything else.
    pub(crate) fn new(instances: &[InstanceConfig], admission: &Admission) -> Self {
        let sources = instances
            .iter()
            .map(|instance| (instance.id.clone(), Source::new(instance)));
        Self {
            sources: Arc::new(sources.collect()),
            memory: QueryMemory::new(admission),
        }
    }

    /// The message at exactly this place.
    ///
    /// # Errors
    /// See [`QueryError`]; a place without a message is one.
    ///
    /// # Cancellation
    /// Safe, here and below. Memory is held until a batch that is being
    /// decoded at that moment is through.
    pub async fn at(
        &self,
        topic: QueriedTopic<'_>,
        partition: i64,
        offset: i64,
    ) -> Result<Found, QueryError> {
        self.run(topic, async |log, mut found| {
            let partition = log.partition(partition).await?;
            log.read_at(partition, offset, &mut found).await?;
            Ok(found)
        })
        .await
    }

    /// At most `count` messages from a place on; fewer at the log's end, or
    /// where they have more than 4 MiB together. A place in a gap is no error.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn from(
        &self,
        topic: QueriedTopic<'_>,
        partition: i64,
        offset: i64,
        count: usize,
    ) -> Result<Found, QueryError> {
        self.run(topic, async |log, mut found| {
            let partition = log.partition(partition).await?;
            let wanted = Wanted::list(count, MAX_LIST_BYTES);
            log.read_from(partition, offset, wanted, &mut found).await?;
            Ok(found)
        })
        .await
    }

    /// The messages at the last `count` offsets; fewer where some are gone.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn latest(
        &self,
        topic: QueriedTopic<'_>,
        partition: i64,
        count: usize,
    ) -> Result<Found, QueryError> {
        self.run(topic, async |log, mut found| {
            let partition = log.partition(partition).await?;
            let (earliest, end) = log.range(partition).await?;
            let count_back = i64::try_from(count).unwrap_or(i64::MAX);
            let offset = end.saturating_sub(count_back).max(earliest);
            let wanted = Wanted::list(count, MAX_LIST_BYTES);
            log.read_from(partition, offset, wanted, &mut found).await?;
            Ok(found)
        })
        .await
    }

    /// At most `count` messages of a partition, or of each one, from the first
    /// at or after a time on (Unix milliseconds), or from the log's beginning.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn since(
        &self,
        topic: QueriedTopic<'_>,
        partition: Option<i64>,
        start_ms: Option<i64>,
        count: usize,
    ) -> Result<Found, QueryError> {
        self.run(topic, async |log, mut found| {
            let partitions = match partition {
                Some(partition) => {
                    let partition = log.partition(partition).await?;
                    partition..partition + 1
                }
                None => 0..log.partition_count().await?,
            };
            let start = start_ms.map_or(OffsetAt::Earliest, OffsetAt::Time);
            let mut left = MAX_LIST_BYTES;
            for partition in partitions {
                let Some(offset) = log.offset(partition, start).await? else {
                    continue;
                };
                let wanted = Wanted::list(count, left);
                left = log.read_from(partition, offset, wanted, &mut found).await?;
                if left == 0 {
                    break;
                }
            }
            Ok(found)
        })
        .await
    }

    /// Every partition's first offset and the one after its last, at most
    /// `count` partitions from the first on, and how many there are in all.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn ranges(
        &self,
        topic: QueriedTopic<'_>,
        count: usize,
    ) -> Result<PartitionRanges, QueryError> {
        let mut ranges = PartitionRanges::default();
        self.run(topic, async |log, found| {
            ranges.partitions = log.partition_count().await?;
            let shown = (0..ranges.partitions).take(count);
            let asked = shown.map(|partition| log.described(partition));
            ranges.ranges = stream::iter(asked)
                .buffered(RANGES_AT_ONCE)
                .try_collect()
                .await?;
            Ok(found)
        })
        .await?;
        Ok(ranges)
    }

    /// Waits for its turn and runs a query, both until the deadline.
    async fn run(
        &self,
        topic: QueriedTopic<'_>,
        query: impl AsyncFnOnce(Log<'_>, Found) -> Result<Found, QueryError>,
    ) -> Result<Found, QueryError> {
        let source = self
            .sources
            .get(topic.instance)
            .ok_or_else(|| QueryError::UnknownInstance(topic.instance.to_owned()))?;
        let Ok(turn) = timeout_at(topic.deadline, source.turn()).await else {
            return Err(QueryError::TooManyQueries);
        };
        let memory = self.memory.of_one_query();
        let found = Found {
            messages: Vec::new(),
            permit: memory.try_reserve(0)?,
        };
        let log = Log::new(source, topic.topic, &memory, &turn);
        timeout_at(topic.deadline, query(log, found))
            .await
            .unwrap_or_else(|_| {
                let reason = "no complete answer within the deadline".to_owned();
                Err(QueryError::Unavailable(reason))
            })
    }
}
