//! An instance as queries see it: connections of its own, and turns.

use std::{sync::Arc, time::Duration};

use forebay_kafka::{Cluster, ClusterConfig, Error, ErrorCode, FetchedChunk, OffsetAt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Found, FoundMessage, PartitionRange,
    error::{NextMessage, QueryError},
    memory::{QueryMemory, QueryPermit},
    scan::{Scanned, Wanted, scan},
};
use crate::instance::InstanceConfig;

/// Queries that run at once, for each instance.
const QUERIES_AT_ONCE: usize = 4;

/// What is asked of a broker at a time, in bytes. A first batch that is longer
/// comes all the same, and most queries need no second one.
const FETCH_BYTES: i32 = 128 << 10;

/// Kafka's default of `max.message.bytes`.
const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// An answer besides its batches: names, offsets, aborted transactions.
const ANSWER_OVERHEAD: usize = 16 << 10;

/// Fetches that look for the message after a gap, or fill a list across one.
const MAX_FETCHES: usize = 32;

/// Before another look at a broker that answered with nothing, which it does
/// while it throttles (KIP-219).
const PAUSE: Duration = Duration::from_millis(100);

/// An instance that is read.
pub(super) struct Source {
    /// Not the producers': neither connections nor quotas (client id).
    cluster: Cluster,
    turns: Arc<Semaphore>,
}

/// A turn; shared with a decoding that outlives its caller.
pub(super) type Turn = Arc<OwnedSemaphorePermit>;

impl Source {
    pub(super) fn new(instance: &InstanceConfig) -> Self {
        let config = ClusterConfig {
            client_id: "forebay-query".to_owned(),
            ..instance.cluster()
        };
        Self {
            cluster: Cluster::new(config),
            turns: Arc::new(Semaphore::new(QUERIES_AT_ONCE)),
        }
    }

    pub(super) async fn turn(&self) -> Turn {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        Arc::new(turn.expect("the semaphore is never closed"))
    }
}

/// A topic that one query reads.
pub(super) struct Log<'q> {
    cluster: &'q Cluster,
    topic: &'q str,
    memory: &'q QueryMemory,
    turn: &'q Turn,
}

impl<'q> Log<'q> {
    pub(super) fn new(
        source: &'q Source,
        topic: &'q str,
        memory: &'q QueryMemory,
        turn: &'q Turn,
    ) -> Self {
        Self {
            cluster: &source.cluster,
            topic,
            memory,
            turn,
        }
    }

    pub(super) async fn partition_count(&self) -> Result<i32, QueryError> {
        let topic = self.cluster.topic(self.topic).await?;
        Ok(i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX))
    }

    /// The partition of that number, if there is one.
    pub(super) async fn partition(&self, partition: i64) -> Result<i32, QueryError> {
        let mut count = self.partition_count().await?;
        if partition >= i64::from(count) {
            // It may have been added since the cluster was last asked.
            let topic = self.cluster.refresh(self.topic).await?;
            count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        }
        i32::try_from(partition)
            .ok()
            .filter(|index| (0..count).contains(index))
            .ok_or(QueryError::UnknownPartition { partition, count })
    }

    /// First offset, and one after the last.
    pub(super) async fn range(&self, partition: i32) -> Result<(i64, i64), QueryError> {
        let earliest = self.cluster.earliest_offset(self.topic, partition).await?;
        let end = self.cluster.latest_offset(self.topic, partition).await?;
        Ok((earliest, end))
    }

    pub(super) async fn described(&self, partition: i32) -> Result<PartitionRange, QueryError> {
        let (earliest, end) = self.range(partition).await?;
        let leader = self.cluster.known_leader(self.topic, partition);
        Ok(PartitionRange {
            partition,
            earliest,
            end,
            leader: leader.map(|broker| broker.id),
        })
    }

    pub(super) async fn offset(
        &self,
        partition: i32,
        at: OffsetAt,
    ) -> Result<Option<i64>, QueryError> {
        Ok(self.cluster.offset(self.topic, partition, at).await?)
    }

    /// Reads the message at exactly this place.
    pub(super) async fn read_at(
        &self,
        partition: i32,
        offset: i64,
        found: &mut Found,
    ) -> Result<(), QueryError> {
        let answer_bytes = self.answer_bytes().await?;
        let mut at = offset;
        for _ in 0..MAX_FETCHES {
            let Some((scanned, end, permit)) = self
                .read(partition, at, Wanted::FIRST, answer_bytes)
                .await?
            else {
                // The end is reached: before anything, or after a gap.
                let (earliest, end) = self.range(partition).await?;
                return Err(match at == offset {
                    true => QueryError::OutOfRange {
                        offset,
                        earliest,
                        end,
                    },
                    false => gap(offset, NextMessage::NotYet(end)),
                });
            };
            if let Some(record) = scanned.records.into_iter().next() {
                if record.offset != offset {
                    return Err(gap(offset, NextMessage::At(record.offset)));
                }
                found.permit.absorb(permit);
                found.messages.push(FoundMessage { partition, record });
                return Ok(());
            }
            at = scanned.next_offset.unwrap_or(at);
            if at >= end {
                return Err(gap(offset, NextMessage::NotYet(at)));
            }
        }
        Err(gap(offset, NextMessage::NotBefore(at)))
    }

    /// Reads messages from this place on; what is left of the bytes wanted.
    pub(super) async fn read_from(
        &self,
        partition: i32,
        offset: i64,
        mut wanted: Wanted,
        found: &mut Found,
    ) -> Result<usize, QueryError> {
        let answer_bytes = self.answer_bytes().await?;
        let mut at = offset;
        for _ in 0..MAX_FETCHES {
            wanted.begun = !found.messages.is_empty();
            let Some((scanned, end, permit)) =
                self.read(partition, at, wanted, answer_bytes).await?
            else {
                let (earliest, end) = self.range(partition).await?;
                // Whoever pages through the log comes to its end.
                return match at == offset && !(earliest..=end).contains(&offset) {
                    true => Err(QueryError::OutOfRange {
                        offset,
                        earliest,
                        end,
                    }),
                    false => Ok(wanted.bytes),
                };
            };
            if !scanned.records.is_empty() {
                found.permit.absorb(permit);
            }
            wanted.count -= scanned.records.len();
            wanted.bytes = scanned.bytes_left;
            let messages = scanned.records.into_iter();
            found
                .messages
                .extend(messages.map(|record| FoundMessage { partition, record }));
            at = scanned.next_offset.unwrap_or(at);
            if wanted.count == 0 || wanted.bytes == 0 || at >= end {
                break;
            }
        }
        Ok(wanted.bytes)
    }

    /// How long a fetch's answer may be: its memory is reserved before it is
    /// asked for, and how long the batch at an offset is nobody can tell.
    async fn answer_bytes(&self) -> Result<usize, QueryError> {
        let configs = match self.cluster.describe_topic_configs(self.topic).await {
            Err(error) if error.code() == Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED) => None,
            configs => Some(configs?),
        };
        let batch = configs
            .and_then(|configs| configs.get("max.message.bytes")?.parse().ok())
            .unwrap_or(DEFAULT_MAX_MESSAGE_BYTES);
        let most = self.cluster.config().max_answer_bytes;
        Ok((batch.max(FETCH_BYTES as usize) + ANSWER_OVERHEAD).min(most))
    }

    /// One fetch and what it held, with the log's end and the memory of the
    /// records; `None` where the log does not reach, or begins later.
    async fn read(
        &self,
        partition: i32,
        offset: i64,
        wanted: Wanted,
        answer_bytes: usize,
    ) -> Result<Option<(Scanned, i64, QueryPermit)>, QueryError> {
        if offset < 0 {
            // Has meanings of its own for brokers.
            return Ok(None);
        }
        let mut permit = self.memory.try_reserve(answer_bytes)?;
        let Some(chunk) = self.fetch(partition, offset).await? else {
            return Ok(None);
        };
        // Written while `max.message.bytes` was larger.
        permit.try_grow(chunk.batches.len().saturating_sub(answer_bytes))?;
        let end = chunk.high_watermark;
        let limit = self.memory.inflate_limit();
        let turn = Arc::clone(self.turn);
        let scanning = tokio::task::spawn_blocking(move || {
            // Kept by the work itself, which goes on when its caller leaves.
            let _turn = turn;
            let scanned = scan(chunk.batches, offset, wanted, limit, &mut permit)?;
            Ok::<_, QueryError>((scanned, permit))
        });
        let (scanned, permit) = scanning
            .await
            .map_err(|panic| QueryError::Internal(panic.to_string()))??;
        if scanned.next_offset.is_none() {
            return Err(QueryError::Unreadable(format!(
                "the fetch at offset {offset} brought no complete batch"
            )));
        }
        Ok(Some((scanned, end, permit)))
    }

    async fn fetch(&self, partition: i32, offset: i64) -> Result<Option<FetchedChunk>, QueryError> {
        loop {
            let fetch =
                self.cluster
                    .fetch(self.topic, partition, offset, Duration::ZERO, FETCH_BYTES);
            let chunk = match fetch.await {
                Err(error) if is_out_of_range(&error) => return Ok(None),
                chunk => chunk?,
            };
            if !chunk.batches.is_empty() {
                return Ok(Some(chunk));
            }
            if offset >= chunk.high_watermark {
                return Ok(None);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn is_out_of_range(error: &Error) -> bool {
    error.code() == Some(ErrorCode::OFFSET_OUT_OF_RANGE)
}

fn gap(offset: i64, next: NextMessage) -> QueryError {
    QueryError::Gap { offset, next }
}
