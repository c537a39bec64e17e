//! Compressed batches as Kafka's own codecs write them.

use std::time::Duration;

use bytes::Bytes;
use forebay_kafka::{Cluster, ClusterConfig, DecodedRecord, record_batch::decode::decode_batches};
use forebay_testkit::{KafkaCluster, kafka_or_skip};

type Pair = (Option<Bytes>, Option<Bytes>);

/// Some that compress well, some that do not, of up to 100 kB.
fn pairs() -> Vec<Pair> {
    let mut noise = 0x2545_f491_u32;
    let mut value = |len: usize, random: bool| -> Bytes {
        let mut byte = |at: usize| {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            if random {
                noise as u8
            } else {
                (at / 9 % 64) as u8
            }
        };
        (0..len).map(&mut byte).collect()
    };
    let mut pairs: Vec<Pair> = (0..100)
        .map(|i| {
            let key = Bytes::from(format!("key-{i}"));
            (Some(key), Some(value(i * 20, i % 2 == 0)))
        })
        .collect();
    pairs.push((None, Some(value(100_000, true))));
    pairs.push((Some(Bytes::new()), None));
    pairs.push((None, Some(value(100_000, false))));
    pairs
}

fn contents(records: &[DecodedRecord]) -> Vec<Pair> {
    let pair = |record: &DecodedRecord| (record.key.clone(), record.value.clone());
    records.iter().map(pair).collect()
}

/// Batches of Apache Kafka 4.4's Java codecs (a broker with `compression.type`
/// set; its snappy has the xerial framing) and of librdkafka 2 (`kcat -z`; its
/// snappy is raw), as a fetch brought them.
#[test]
fn recorded_batches_of_two_writers_are_read() {
    macro_rules! batch {
        ($name:literal) => {
            (
                $name,
                &include_bytes!(concat!("fixtures/codecs/", $name, ".batch"))[..],
            )
        };
    }
    let expected: Vec<Pair> = (0..20)
        .map(|i| {
            let value = format!("{i} {}", "all work and no play. ".repeat(10));
            (Some(format!("k{i}").into()), Some(value.into()))
        })
        .collect();
    for (name, bytes) in [
        batch!("kafka-gzip"),
        batch!("kafka-lz4"),
        batch!("kafka-snappy"),
        batch!("kafka-zstd"),
        batch!("librdkafka-gzip"),
        batch!("librdkafka-lz4"),
        batch!("librdkafka-snappy"),
        batch!("librdkafka-zstd"),
    ] {
        let found = decode_batches(Bytes::from_static(bytes), 0).unwrap();
        assert_eq!(contents(&found.records), expected, "{name}");
        let later = decode_batches(Bytes::from_static(bytes), 17).unwrap();
        assert_eq!(contents(&later.records), expected[17..], "{name}");
    }
}

#[tokio::test]
async fn what_a_broker_compresses_is_read() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    let cluster = Cluster::new(ClusterConfig::new(kafka.bootstrap()));
    let pairs = pairs();
    for codec in ["gzip", "snappy", "lz4", "zstd", "uncompressed"] {
        let topic = format!("codec-{codec}");
        let config = [("compression.type", codec)];
        kafka.create_topic(&topic, 1, 1, &config).await.unwrap();
        for _ in 0..2 {
            kafka.produce(&topic, 0, 1_000_000, &pairs).await.unwrap();
        }
        let read = |offset| cluster.records(&topic, 0, offset, Duration::ZERO, 1 << 22);
        let all = read(0).await.unwrap();
        let (first, second) = all.records.split_at(pairs.len());
        assert_eq!(contents(first), pairs, "{codec}");
        assert_eq!(contents(second), pairs, "{codec}");
        let middle = read(pairs.len() as i64 + 60).await.unwrap();
        assert_eq!(contents(&middle.records), pairs[60..], "{codec}");
        let sizes = cluster
            .fetch(&topic, 0, 0, Duration::ZERO, 1)
            .await
            .unwrap();
        let plain: usize = pairs
            .iter()
            .flat_map(|(_, value)| value)
            .map(Bytes::len)
            .sum();
        let packed = sizes.batches.len() < plain;
        assert_eq!(packed, codec != "uncompressed", "{codec} is used");
    }
}
