//! Compressed batches of the idempotent writer, as Apache Kafka takes them.
//!
//! Its broker decompresses what it is sent, to check it, and its Java client
//! and librdkafka read what is stored.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, UNIX_EPOCH},
};

use forebay_kafka::{
    Cluster, ClusterConfig,
    produce::{PendingBatch, ProduceLanes, ProduceObserver, SealedBatch},
    record_batch::{
        compress::Codec,
        encode::BatchEncoder,
        header::{BatchHeader, Compression},
    },
    writer::{IdempotentWriter, PartitionWriter, WriteOutcome},
};
use forebay_testkit::{AfterDrop, KafkaCluster, Mode, Options, kafka_or_skip, kcat_or_skip};
use tokio::time::{Instant, timeout};

/// For what must succeed in the end.
const LIMIT: Duration = Duration::from_secs(120);

#[derive(Default)]
struct Resends(AtomicUsize);

impl ProduceObserver for Resends {
    fn resent(&self) {
        self.0.fetch_add(1, SeqCst);
    }
    fn bumped(&self) {
        panic!("nothing is given up here");
    }
    fn throttled(&self, _: Duration) {}
    fn connected(&self, _: i32, _: bool) {}
}

#[derive(Debug)]
struct Batch(Option<BatchEncoder>);

impl PendingBatch for Batch {
    fn is_wanted(&mut self) -> bool {
        true
    }

    fn seal(&mut self) -> Option<SealedBatch> {
        Some(SealedBatch {
            records: self.0.take()?,
            give_up: Instant::now() + LIMIT,
        })
    }
}

/// Letters and digits that shrink a little at most, or words that repeat.
fn value(len: usize, random: bool, state: &mut u64) -> String {
    const WORDS: &str = "all work and no play. ";
    if !random {
        return WORDS.chars().cycle().take(len).collect();
    }
    let mut next = || {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        char::from(33 + (*state % 94) as u8)
    };
    (0..len).map(|_| next()).collect()
}

/// Batches of one record and of many, that are compressed at once and on
/// another thread, and that do not shrink.
fn batches() -> Vec<Vec<(String, String)>> {
    let mut state = 0x2545_f491_4f6c_dd1d;
    let shapes = [
        (1usize, 5, true),
        (1, 500, false),
        (100, 200, false),
        (2, 400_000, true),
        (500, 1_500, false),
        (20, 300, true),
        (1, 900_000, false),
    ];
    let batch = |(number, (count, len, random))| {
        let record = |i| {
            (
                format!("{number}-{i}"),
                value(len + i % 7, random, &mut state),
            )
        };
        (0..count).map(record).collect()
    };
    shapes.into_iter().enumerate().map(batch).collect()
}

async fn ack(writer: &mut IdempotentWriter, batch: &[(String, String)]) -> i64 {
    let mut records = BatchEncoder::default();
    let time = UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    for (key, value) in batch {
        records.push(time, Some(key.as_bytes()), Some(value.as_bytes()));
    }
    let writing = writer.write(Box::new(Batch(Some(records))));
    match timeout(LIMIT, writing).await.unwrap() {
        WriteOutcome::Acked { base_offset } => base_offset,
        other => panic!("expected an acknowledgement, got {other:?}"),
    }
}

/// Writes all batches; gives the records in their order.
async fn write_all(client: &Cluster, topic: &str, codec: Codec) -> Vec<(String, String)> {
    let lanes = ProduceLanes::compressing(client.clone(), Arc::new(()), Some(codec));
    let mut writer = IdempotentWriter::new(topic.into(), 0, lanes);
    let mut written = Vec::new();
    for batch in batches() {
        assert_eq!(ack(&mut writer, &batch).await, written.len() as i64);
        written.extend(batch);
    }
    written
}

async fn stored(client: &Cluster, topic: &str) -> Vec<(String, String)> {
    let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    let mut found = Vec::new();
    let mut next = 0;
    loop {
        let chunk = client.records(topic, 0, next, Duration::ZERO, 1 << 22);
        let chunk = chunk.await.unwrap();
        if chunk.records.is_empty() {
            return found;
        }
        next = chunk.next_offset;
        for record in chunk.records {
            assert_eq!(record.offset, found.len() as i64, "{topic}");
            found.push((text(record.key), text(record.value)));
        }
    }
}

/// The codec of each batch in the log, and its first sequence number.
async fn headers(client: &Cluster, topic: &str) -> Vec<(Compression, i32)> {
    let mut headers = Vec::new();
    let mut next = 0;
    loop {
        let chunk = client.fetch(topic, 0, next, Duration::ZERO, 1 << 22).await;
        let batches = chunk.unwrap().batches;
        let before = headers.len();
        for header in BatchHeader::scan(&batches) {
            headers.push((header.compression(), header.base_sequence));
            next = header.last_offset() + 1;
        }
        if headers.len() == before {
            return headers;
        }
    }
}

#[tokio::test]
async fn every_codec_is_taken_and_read_by_other_clients() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    let client = Cluster::new(ClusterConfig::new(kafka.bootstrap()));
    for codec in Codec::ALL {
        let topic = format!("compressed-{codec}");
        kafka.create_topic(&topic, 1, 1, &[]).await.unwrap();
        let written = write_all(&client, &topic, codec).await;
        assert_eq!(stored(&client, &topic).await, written, "{codec}");

        // As sent: only what does not shrink is not compressed.
        let headers = headers(&client, &topic).await;
        assert_eq!(headers[0].0, Compression::None, "five random letters");
        for index in [1, 2, 4, 6] {
            assert_eq!(headers[index].0, codec.into(), "batch {index}");
        }
        let mut sequence = 0;
        for (batch, (_, found)) in batches().iter().zip(&headers) {
            assert_eq!(*found, sequence);
            sequence += batch.len() as i32;
        }

        let bootstrap = kafka.bootstrap().join(",");
        if let Some(kcat) = kcat_or_skip() {
            let args = ["-C", "-t", &topic, "-p", "0", "-e", "-q", "-f", "%k %s\n"];
            let args = [&args[..], &["-X", "check.crcs=true"]].concat();
            let read = kcat.run(&bootstrap, &args, "").unwrap();
            let lines = written.iter().map(|(key, value)| format!("{key} {value}"));
            assert!(read.lines().eq(lines), "kcat reads {codec}");
        }
        let read = home.run_client_scenario(&bootstrap, "read", &[&topic]);
        let read = read.unwrap();
        let lines = written.iter().zip(0..).map(|((key, value), offset)| {
            let mut sum = flate2::Crc::new();
            sum.update(value.as_bytes());
            format!("0 {offset} {key} {:08x}", sum.sum())
        });
        // Its log goes the same way.
        let read = read.lines().filter(|line| line.starts_with("0 "));
        assert!(read.eq(lines), "the Java client reads {codec}");
    }
}

#[tokio::test]
async fn a_topic_that_is_compressed_otherwise_takes_them() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    let client = Cluster::new(ClusterConfig::new(kafka.bootstrap()));
    for codec in Codec::ALL {
        for (of_topic, expected) in [
            ("uncompressed", Compression::None),
            ("gzip", Compression::Gzip),
            ("zstd", Compression::Zstd),
        ] {
            let topic = format!("compressed-{codec}-to-{of_topic}");
            let config = [("compression.type", of_topic)];
            kafka.create_topic(&topic, 1, 1, &config).await.unwrap();
            let written = write_all(&client, &topic, codec).await;
            assert_eq!(stored(&client, &topic).await, written);
            let headers = headers(&client, &topic).await;
            assert_eq!(headers[2].0, expected, "{topic}");
        }
    }
}

#[tokio::test]
async fn lost_answers_store_no_compressed_batch_twice() {
    let Some(home) = kafka_or_skip() else { return };
    let options = Options::one_node().proxied();
    let kafka = KafkaCluster::start(&home, options).await.unwrap();
    let client = Cluster::new(ClusterConfig::new(kafka.bootstrap()));
    for codec in Codec::ALL {
        let topic = format!("answers-{codec}");
        kafka.create_topic(&topic, 1, 1, &[]).await.unwrap();
        let seen = Arc::new(Resends::default());
        let lanes =
            ProduceLanes::compressing(client.clone(), Arc::clone(&seen) as Arc<_>, Some(codec));
        let mut writer = IdempotentWriter::new(topic.as_str().into(), 0, lanes);
        let mut written = Vec::new();
        let dropping = Mode::DropProduceResponses {
            every: 2,
            then: AfterDrop::Close,
        };
        kafka.proxy(0).set_mode(dropping);
        for batch in batches() {
            assert_eq!(ack(&mut writer, &batch).await, written.len() as i64);
            written.extend(batch);
        }
        kafka.proxy(0).set_mode(Mode::Pass);
        assert!(seen.0.load(SeqCst) > 1, "some were sent again");
        assert_eq!(stored(&client, &topic).await, written, "{codec}");
    }
}
