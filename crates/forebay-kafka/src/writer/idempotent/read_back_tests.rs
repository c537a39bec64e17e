//! Reading a log of Apache Kafka back, for batches that its broker no longer
//! knows: it remembers the last five of a producer.

use std::{sync::Arc, time::Duration};

use forebay_testkit::{KafkaCluster, kafka_or_skip};
use tokio::time::Instant;

use super::{IdempotentWriter, PendingBatch, ProduceLanes, WriteOutcome, read_back};
use crate::{
    Cluster, ClusterConfig,
    produce::SealedBatch,
    record_batch::encode::{BatchEncoder, FrozenBatch, ProducerStamp},
};

const TIME: i64 = 1_700_000_000_000;

#[derive(Debug)]
struct Batch {
    values: &'static [&'static str],
    time: i64,
}

impl Batch {
    fn encode(&self) -> BatchEncoder {
        let mut records = BatchEncoder::default();
        for value in self.values {
            records.push(self.time, None, Some(value.as_bytes()));
        }
        records
    }
}

impl PendingBatch for Batch {
    fn is_wanted(&mut self) -> bool {
        true
    }

    fn seal(&mut self) -> Option<SealedBatch> {
        Some(SealedBatch {
            records: self.encode(),
            give_up: Instant::now() + Duration::from_secs(120),
        })
    }
}

/// A log of seven batches of two records each, a minute apart, by one
/// producer: of the first two, the broker has forgotten the sequences.
struct Log {
    kafka: &'static KafkaCluster,
    cluster: Cluster,
    topic: &'static str,
    writer: IdempotentWriter,
    stamps: Vec<ProducerStamp>,
}

const VALUES: &[&str] = &["a", "b"];

impl Log {
    async fn write(topic: &'static str) -> Option<Self> {
        let home = kafka_or_skip()?;
        let kafka = KafkaCluster::shared(&home).await;
        let configs = [("retention.ms", "-1")];
        kafka.create_topic(topic, 1, 1, &configs).await.unwrap();
        let cluster = Cluster::new(ClusterConfig::new(kafka.bootstrap()));
        let lanes = ProduceLanes::new(cluster.clone(), Arc::new(()));
        let mut log = Self {
            kafka,
            cluster,
            topic,
            writer: IdempotentWriter::new(topic.into(), 0, lanes),
            stamps: Vec::new(),
        };
        for index in 0..7 {
            let outcome = log.send(TIME + index * 60_000).await;
            assert_eq!(outcome, acked(2 * index));
            let next = log.writer.sequence.next().unwrap();
            let base_sequence = next.base_sequence - 2;
            log.stamps.push(ProducerStamp {
                base_sequence,
                ..next
            });
        }
        Some(log)
    }

    async fn send(&mut self, time: i64) -> WriteOutcome {
        let values = VALUES;
        self.writer.run(Box::new(Batch { values, time })).await
    }

    async fn find(&self, batch: &FrozenBatch, known_end: Option<i64>) -> Option<i64> {
        read_back::find(&self.cluster, self.topic, 0, batch, known_end)
            .await
            .unwrap()
    }

    fn rewind(&mut self, stamp: ProducerStamp, sequence: i32) {
        self.writer.sequence.begin(stamp.producer_id, stamp.epoch);
        self.writer.sequence.advance(sequence);
    }

    async fn end(&self) -> i64 {
        self.kafka.end_offsets(self.topic).await.unwrap()[&0]
    }
}

const SEQUENCE_LOST: &str = "OUT_OF_ORDER_SEQUENCE_NUMBER (45)";
const FENCED: &str = "INVALID_PRODUCER_EPOCH (47)";

fn is_unknown(outcome: &WriteOutcome, code: &str) -> bool {
    matches!(outcome, WriteOutcome::Unknown { reason } if reason.contains(code))
}

fn acked(base_offset: i64) -> WriteOutcome {
    WriteOutcome::Acked { base_offset }
}

#[tokio::test]
async fn a_batch_is_found_by_producer_epoch_and_sequence_and_no_other_is() {
    let Some(log) = Log::write("read-back-find").await else {
        return;
    };
    for (index, stamp) in log.stamps.iter().enumerate() {
        let time = TIME + 60_000 * index as i64;
        let frozen = |stamp| {
            let values = VALUES;
            Batch { values, time }.encode().freeze(stamp)
        };
        let batch = frozen(*stamp);
        let offset = 2 * index as i64;
        assert_eq!(log.find(&batch, None).await, Some(offset), "by time");
        assert_eq!(log.find(&batch, Some(0)).await, Some(offset));
        assert_eq!(log.find(&batch, Some(offset)).await, Some(offset));
        assert_eq!(log.find(&batch, Some(offset + 2)).await, None, "beyond");

        let others = [
            ProducerStamp {
                producer_id: stamp.producer_id + 1,
                ..*stamp
            },
            ProducerStamp {
                epoch: stamp.epoch + 1,
                ..*stamp
            },
            ProducerStamp {
                base_sequence: stamp.base_sequence + 1,
                ..*stamp
            },
        ];
        for other in others {
            for known_end in [None, Some(0)] {
                assert_eq!(log.find(&frozen(other), known_end).await, None, "{other:?}");
            }
        }
    }
    // Younger than everything in the log.
    let time = TIME + 86_400_000;
    let values = VALUES;
    let young = Batch { values, time }.encode().freeze(log.stamps[0]);
    assert_eq!(log.find(&young, None).await, None);
    // Where the log has never been, nothing is proved.
    let beyond = read_back::find(&log.cluster, log.topic, 0, &young, Some(1_000)).await;
    assert!(beyond.is_err(), "{beyond:?}");
}

#[tokio::test]
async fn a_forgotten_batch_that_is_in_the_log_is_acknowledged_with_its_offset() {
    let Some(mut log) = Log::write("read-back-acked").await else {
        return;
    };
    // As if the answer to the second batch had been lost, and the broker
    // meanwhile forgotten it: it answers OutOfOrderSequenceNumber.
    for known_end in [Some(2), None] {
        log.rewind(log.stamps[1], 2);
        log.writer.known_end = known_end;
        assert_eq!(log.send(TIME + 60_000).await, acked(2));
        assert_eq!(log.end().await, 14, "and it is not stored once more");
        assert_eq!(log.writer.known_end, Some(4));
    }
    // It really is the log that knows it, and not the broker.
    log.rewind(log.stamps[1], 2);
    log.writer.known_end = Some(4);
    let outcome = log.send(TIME + 60_000).await;
    assert!(is_unknown(&outcome, SEQUENCE_LOST), "{outcome:?}");
    assert_eq!(log.end().await, 14);
}

#[tokio::test]
async fn a_forgotten_batch_that_is_not_in_the_log_is_unknown_and_the_next_is_stored() {
    let Some(mut log) = Log::write("read-back-unknown").await else {
        return;
    };
    // A gap: the broker has never seen the batches before it.
    log.rewind(log.stamps[6], 100);
    let outcome = log.send(TIME).await;
    assert!(is_unknown(&outcome, SEQUENCE_LOST), "{outcome:?}");
    assert_eq!(log.end().await, 14);
    assert_eq!(log.send(TIME).await, acked(14));
    let next = log.writer.sequence.next().unwrap();
    assert_eq!(
        (next.epoch, next.base_sequence),
        (log.stamps[6].epoch + 1, 2)
    );

    // Fenced by the bump: what still comes under the old epoch.
    log.rewind(log.stamps[6], 14);
    let outcome = log.send(TIME).await;
    assert!(is_unknown(&outcome, FENCED), "{outcome:?}");
    assert_eq!(log.end().await, 16);
}
