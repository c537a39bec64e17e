//! The registry's log as a compacted Kafka topic of one partition.

use std::{sync::Arc, time::Duration};

use forebay_kafka::{
    Error, ErrorCode, NewTopic,
    cluster::Cluster,
    produce::{PendingBatch, ProduceLanes, SealedBatch},
    reader::PartitionReader,
    record_batch::encode::BatchEncoder,
    writer::{IdempotentWriter, PartitionWriter},
};
use futures_util::future::BoxFuture;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    append_queue::AppendQueue,
    clock,
    registry::{AppendError, LogChunk, LogRecord, PrepareError, ReadError, RegistryLog},
    topic::replication_factor,
};

/// How long an append may take: less than a caller waits for its answer.
const APPEND_DEADLINE: Duration = Duration::from_secs(20);

/// Only closed segments are compacted, and every start reads the whole log:
/// with Kafka's default of 1 GiB it would read years of changes.
const SEGMENT_BYTES: &str = "8388608";

/// Bytes asked for at once.
const READ_BYTES: i32 = 1 << 20;

/// Tombstones are kept for a week: a replica that was away for less time still
/// learns of every deletion when it reads on.
const DELETE_RETENTION_MS: &str = "604800000";

/// The topic `registry.topic` of the first instance.
pub(crate) struct KafkaLog {
    topic: Arc<str>,
    cluster: Cluster,
    waiting: AppendQueue,
    writer: Mutex<IdempotentWriter>,
    /// Read by one at a time anyhow; it keeps its connection.
    reader: Mutex<PartitionReader>,
}

impl KafkaLog {
    /// Runs on the runtime of whoever reads and appends.
    pub(crate) fn new(topic: &str, cluster: Cluster, lanes: ProduceLanes) -> Self {
        let topic: Arc<str> = topic.into();
        Self {
            waiting: AppendQueue::default(),
            writer: Mutex::new(IdempotentWriter::new(Arc::clone(&topic), 0, lanes)),
            reader: Mutex::new(PartitionReader::new(cluster.clone(), &*topic, 0)),
            topic,
            cluster,
        }
    }

    async fn prepare(&self) -> Result<(), PrepareError> {
        let unreachable = |error: Error| PrepareError::Unreachable(error.to_string());
        let metadata = match self.cluster.refresh(&self.topic).await {
            Err(error) if error.is_unknown_topic() => {
                self.create().await?;
                self.cluster
                    .refresh(&self.topic)
                    .await
                    .map_err(unreachable)?
            }
            metadata => metadata.map_err(unreachable)?,
        };
        let configs = self
            .cluster
            .describe_topic_configs(&self.topic)
            .await
            .map_err(unreachable)?;
        let brokers = self.cluster.brokers().len();
        check(
            &self.topic,
            metadata.partitions.len(),
            replication_factor(&metadata),
            brokers,
            configs.get("cleanup.policy").map_or("", String::as_str),
        )
    }

    async fn create(&self) -> Result<(), PrepareError> {
        let unreachable = |error: Error| PrepareError::Unreachable(error.to_string());
        let brokers = self.cluster.brokers().len();
        let replicas = brokers.clamp(1, 3) as i16;
        let in_sync = if replicas == 3 { "2" } else { "1" };
        let configs = [
            ("cleanup.policy", "compact"),
            ("delete.retention.ms", DELETE_RETENTION_MS),
            ("min.insync.replicas", in_sync),
            ("segment.bytes", SEGMENT_BYTES),
        ];
        let topic = NewTopic {
            name: self.topic.to_string(),
            partitions: Some(1),
            replication_factor: Some(replicas),
            configs: configs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        tracing::info!(topic = %self.topic, replicas, "creating the registry's topic");
        match self.cluster.create_topic(&topic).await {
            // Another replica was quicker.
            Err(error) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => Ok(()),
            Err(error) if error.is_retriable() => Err(unreachable(error)),
            Err(error) => Err(PrepareError::Unusable(format!(
                "topic {} for the task registry cannot be created: {error}; create it by hand \
                 with one partition and cleanup.policy=compact, or allow Forebay to",
                self.topic
            ))),
            Ok(()) => Ok(()),
        }
    }

    async fn read(&self, offset: i64, max_wait: Duration) -> Result<LogChunk, ReadError> {
        let unreachable = |error: Error| match error.code() {
            Some(ErrorCode::OFFSET_OUT_OF_RANGE) => ReadError::OutOfRange(error.to_string()),
            _ => ReadError::Unreachable(error.to_string()),
        };
        let mut reader = self.reader.lock().await;
        let chunk = reader
            .records(offset, max_wait, READ_BYTES)
            .await
            .map_err(unreachable)?;
        let records = chunk.records.into_iter().map(|record| {
            let key = record.key.unwrap_or_default().to_vec();
            (
                record.offset,
                LogRecord {
                    key,
                    value: record.value.map(Vec::from),
                },
            )
        });
        Ok(LogChunk {
            records: records.collect(),
            next_offset: chunk.next_offset,
            high_watermark: chunk.high_watermark,
        })
    }

    async fn append(&self, records: Vec<LogRecord>) -> Result<i64, AppendError> {
        // The wait for the turn counts against the deadline, since records
        // whose time is over are not wanted any more.
        let give_up = Instant::now() + APPEND_DEADLINE;
        let mut appended = self.waiting.enter(records, give_up);
        loop {
            tokio::select! {
                biased;
                appended = &mut appended => {
                    let stopped = || AppendError::Unknown("stopped while it was written".to_owned());
                    return appended.unwrap_or_else(|_| Err(stopped()));
                }
                // Whoever's turn it is writes for all that wait by then.
                mut writer = self.writer.lock() => self.write_next(&mut writer).await,
            }
        }
    }

    async fn write_next(&self, writer: &mut IdempotentWriter) {
        if let Some(group) = self.waiting.next_group(Instant::now()) {
            let change = Change {
                batch: Some(group.encode(clock::unix_millis())),
                give_up: group.give_up(),
            };
            let outcome = writer.write(Box::new(change)).await;
            self.waiting.settle(group, &outcome);
        }
    }
}

/// Records that go into the log together.
#[derive(Debug)]
struct Change {
    batch: Option<BatchEncoder>,
    give_up: Instant,
}

impl PendingBatch for Change {
    fn is_wanted(&mut self) -> bool {
        self.batch.is_some() && Instant::now() < self.give_up
    }

    fn seal(&mut self) -> Option<SealedBatch> {
        if !self.is_wanted() {
            return None;
        }
        let records = self.batch.take()?;
        Some(SealedBatch {
            records,
            give_up: self.give_up,
        })
    }
}

/// Whether the topic can hold the registry.
fn check(
    topic: &str,
    partitions: usize,
    replicas: usize,
    brokers: usize,
    cleanup_policy: &str,
) -> Result<(), PrepareError> {
    let unusable = |problem: String| Err(PrepareError::Unusable(problem));
    if partitions != 1 {
        return unusable(format!(
            "topic {topic} has {partitions} partitions, the task registry needs exactly 1: name \
             another topic in registry.topic, or delete this one if it holds nothing of yours"
        ));
    }
    if cleanup_policy != "compact" {
        return unusable(format!(
            "topic {topic} has cleanup.policy={cleanup_policy}, the task registry needs compact: \
             kafka-configs --alter --topic {topic} --add-config cleanup.policy=compact"
        ));
    }
    if replicas < 2 && brokers >= 2 {
        return unusable(format!(
            "topic {topic} has replication factor {replicas} on a cluster of {brokers} brokers, \
             the loss of one would lose all tasks: raise it to {} with \
             kafka-reassign-partitions",
            brokers.min(3)
        ));
    }
    Ok(())
}

impl RegistryLog for KafkaLog {
    fn prepare(&self) -> BoxFuture<'_, Result<(), PrepareError>> {
        Box::pin(self.prepare())
    }

    fn earliest(&self) -> BoxFuture<'_, Result<i64, ReadError>> {
        Box::pin(async {
            let earliest = self.cluster.earliest_offset(&self.topic, 0).await;
            earliest.map_err(|error| ReadError::Unreachable(error.to_string()))
        })
    }

    fn read(&self, offset: i64, max_wait: Duration) -> BoxFuture<'_, Result<LogChunk, ReadError>> {
        Box::pin(self.read(offset, max_wait))
    }

    fn append(&self, records: Vec<LogRecord>) -> BoxFuture<'_, Result<i64, AppendError>> {
        Box::pin(self.append(records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_would_lose_tasks_is_refused_with_the_fix() {
        let refusal = |partitions, replicas, brokers, policy| match check(
            "__t", partitions, replicas, brokers, policy,
        ) {
            Err(PrepareError::Unusable(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(check("__t", 1, 1, 1, "compact").is_ok());
        assert!(check("__t", 1, 3, 3, "compact").is_ok());
        assert!(refusal(2, 3, 3, "compact").contains("registry.topic"));
        assert!(refusal(1, 3, 3, "delete").contains("cleanup.policy=compact"));
        assert!(refusal(1, 3, 3, "compact,delete").contains("cleanup.policy=compact"));
        assert!(refusal(1, 1, 3, "compact").contains("kafka-reassign-partitions"));
    }
}
