//! Metadata, admin and reading against Apache Kafka, sound and faulty.

use std::time::{Duration, Instant};

use bytes::Bytes;
use forebay_kafka::{
    Cluster, ClusterConfig, DecodedRecord, Error, ErrorCode, NewTopic, OffsetAt, PartitionReader,
};
use forebay_testkit::{
    FaultProxy, KafkaCluster, Mode, Options, await_condition, free_port, kafka_or_skip,
};

const LIMIT: Duration = Duration::from_secs(120);
const MIB: i32 = 1 << 20;

fn client(bootstrap: Vec<String>) -> Cluster {
    Cluster::new(ClusterConfig::new(bootstrap))
}

/// Answers are awaited for a second, so that faults show quickly.
fn impatient(bootstrap: Vec<String>) -> Cluster {
    Cluster::new(ClusterConfig {
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(1),
        ..ClusterConfig::new(bootstrap)
    })
}

fn topic(name: &str) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        ..NewTopic::default()
    }
}

fn pairs(range: std::ops::Range<usize>) -> Vec<(Option<Bytes>, Option<Bytes>)> {
    let bytes = |text: String| Some(Bytes::from(text));
    range
        .map(|i| (bytes(format!("key-{i}")), bytes(format!("value-{i}"))))
        .collect()
}

fn contents(records: &[DecodedRecord]) -> Vec<(Option<Bytes>, Option<Bytes>)> {
    records
        .iter()
        .map(|record| (record.key.clone(), record.value.clone()))
        .collect()
}

#[tokio::test]
async fn topics_are_created_described_listed_and_deleted() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = client(KafkaCluster::shared(&home).await.bootstrap());
    let error = cluster.topic("admin").await.unwrap_err();
    assert!(matches!(error, Error::UnknownTopic(_)), "{error}");

    let configs = [
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "123456"),
    ];
    let configs = configs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    let new = NewTopic {
        partitions: Some(3),
        replication_factor: Some(1),
        configs,
        ..topic("admin")
    };
    cluster.create_topic(&new).await.unwrap();
    let found = cluster.topic("admin").await.unwrap();
    assert_eq!(found.partitions.len(), 3);
    assert!(
        found
            .partitions
            .iter()
            .all(|partition| partition.leader == Some(1))
    );
    assert_eq!(cluster.leader("admin", 2).await.unwrap().id, 1);

    let configs = cluster.describe_topic_configs("admin").await.unwrap();
    let of = |name: &str| configs.get(name).map(String::as_str);
    assert_eq!(of("cleanup.policy"), Some("compact"));
    assert_eq!(of("max.message.bytes"), Some("123456"));
    assert_eq!(of("min.insync.replicas"), Some("1"));
    assert_eq!(of("retention.ms"), Some("604800000"));
    assert_eq!(of("unclean.leader.election.enable"), Some("false"));

    let error = cluster.create_topic(&new).await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(ErrorCode::TOPIC_ALREADY_EXISTS),
        "{error}"
    );
    let error = cluster
        .create_topic(&topic("not/a/name"))
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(ErrorCode::INVALID_TOPIC_EXCEPTION),
        "{error}"
    );
    let many = NewTopic {
        replication_factor: Some(9),
        ..topic("many-replicas")
    };
    let error = cluster.create_topic(&many).await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(ErrorCode::INVALID_REPLICATION_FACTOR),
        "{error}"
    );

    // With the cluster's defaults.
    cluster.create_topic(&topic("defaults")).await.unwrap();
    assert_eq!(cluster.topic("defaults").await.unwrap().partitions.len(), 1);
    let names: Vec<_> = cluster
        .list_topics()
        .await
        .unwrap()
        .into_iter()
        .map(|topic| topic.name)
        .collect();
    assert!(names.contains(&"admin".to_owned()) && names.contains(&"defaults".to_owned()));

    cluster.delete_topic("admin").await.unwrap();
    await_condition(LIMIT, "the topic is gone", async || {
        matches!(cluster.refresh("admin").await, Err(Error::UnknownTopic(_)))
    })
    .await
    .unwrap();
    assert!(cluster.known_topic("admin").is_none());
    let error = cluster.delete_topic("admin").await.unwrap_err();
    assert!(matches!(error, Error::UnknownTopic(_)), "{error}");
    let error = cluster.describe_topic_configs("admin").await.unwrap_err();
    assert!(matches!(error, Error::UnknownTopic(_)), "{error}");
}

#[tokio::test]
async fn a_topic_grows_and_its_settings_change() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = client(KafkaCluster::shared(&home).await.bootstrap());
    let new = NewTopic {
        configs: vec![("segment.ms".to_owned(), "7777777".to_owned())],
        ..topic("changing")
    };
    cluster.create_topic(&new).await.unwrap();
    cluster.create_partitions("changing", 4).await.unwrap();
    assert_eq!(cluster.topic("changing").await.unwrap().partitions.len(), 4);
    for total in [4, 2] {
        let fewer = cluster.create_partitions("changing", total).await;
        let error = fewer.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::INVALID_PARTITIONS), "{error}");
    }
    let configs = [
        ("retention.ms", "60000".to_owned()),
        ("max.message.bytes", "2048".to_owned()),
    ];
    cluster
        .alter_topic_configs("changing", &configs)
        .await
        .unwrap();
    let names = ["retention.ms", "max.message.bytes", "segment.ms"];
    let mut described = cluster
        .describe_topics_configs(&["changing", "absent"], &names)
        .await
        .unwrap();
    described.sort_by(|a, b| b.0.cmp(&a.0));
    let found = described[0].1.as_ref().unwrap();
    assert_eq!(described[0].0, "changing");
    assert_eq!(
        (found.len(), found["retention.ms"].as_str()),
        (3, "60000"),
        "{found:?}"
    );
    assert_eq!(found["max.message.bytes"], "2048");
    assert_eq!(found["segment.ms"], "7777777", "others stay");
    let error = described[1].1.as_ref().unwrap_err();
    assert!(error.is_unknown_topic(), "{error}");

    let wrong = [("retention.ms", "soon".to_owned())];
    let refused = cluster.alter_topic_configs("changing", &wrong).await;
    let error = refused.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::INVALID_CONFIG), "{error}");
    let error = cluster
        .alter_topic_configs("absent", &configs)
        .await
        .unwrap_err();
    assert!(error.is_unknown_topic(), "{error}");
    let error = cluster.create_partitions("absent", 4).await.unwrap_err();
    assert!(error.is_unknown_topic(), "{error}");
    cluster.delete_topic("changing").await.unwrap();
    let gone = cluster.refresh("changing").await.unwrap_err();
    assert!(gone.is_unknown_topic(), "deletion waits for it: {gone}");
}

#[tokio::test]
async fn metadata_never_creates_a_topic() {
    let Some(home) = kafka_or_skip() else { return };
    let options = Options::one_node().property("auto.create.topics.enable", true);
    let kafka = KafkaCluster::start(&home, options).await.unwrap();
    let cluster = client(kafka.bootstrap());
    for _ in 0..3 {
        cluster.refresh("typo").await.unwrap_err();
    }
    assert!(cluster.list_topics().await.unwrap().is_empty());
}

#[tokio::test]
async fn producer_ids_are_new_each_time() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = client(KafkaCluster::shared(&home).await.bootstrap());
    // A fresh broker has to load first, and says so.
    await_condition(LIMIT, "a producer id", async || {
        match cluster.init_producer_id().await {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(
                    error.code(),
                    Some(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
                    "{error}"
                );
                assert!(error.is_retriable());
                false
            }
        }
    })
    .await
    .unwrap();
    let (first, epoch) = cluster.init_producer_id().await.unwrap();
    let (second, _) = cluster.init_producer_id().await.unwrap();
    assert!(first >= 0 && second != first);
    assert_eq!(epoch, 0);
}

#[tokio::test]
async fn records_of_another_client_are_read() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    let cluster = client(kafka.bootstrap());
    kafka.create_topic("read", 2, 1, &[]).await.unwrap();
    for batch in 0..10 {
        let records = pairs(batch * 10..batch * 10 + 10);
        kafka
            .produce("read", 1, 1_000_000 + batch as i64, &records)
            .await
            .unwrap();
    }
    let nulls = [(None, Some(Bytes::new())), (Some(Bytes::new()), None)];
    kafka.produce("read", 1, 2_000_000, &nulls).await.unwrap();
    let mut expected = pairs(0..100);
    expected.extend(nulls);

    let all = cluster
        .records("read", 1, 0, Duration::ZERO, MIB)
        .await
        .unwrap();
    assert_eq!(contents(&all.records), expected);
    assert!(
        (0..)
            .zip(&all.records)
            .all(|(offset, record)| record.offset == offset)
    );
    assert_eq!(all.records[37].timestamp_ms, 1_000_003);
    assert_eq!(
        (all.next_offset, all.high_watermark, all.log_start_offset),
        (102, 102, Some(0))
    );
    // From the middle of a batch, and one byte at a time: a batch comes all the same.
    let middle = cluster
        .records("read", 1, 35, Duration::ZERO, 1)
        .await
        .unwrap();
    assert_eq!(contents(&middle.records), expected[35..40]);
    assert_eq!((middle.next_offset, middle.high_watermark), (40, 102));

    let offset = async |at| cluster.offset("read", 1, at).await.unwrap();
    assert_eq!(offset(OffsetAt::Earliest).await, Some(0));
    assert_eq!(offset(OffsetAt::Latest).await, Some(102));
    assert_eq!(offset(OffsetAt::Time(0)).await, Some(0));
    assert_eq!(offset(OffsetAt::Time(1_000_003)).await, Some(30));
    assert_eq!(offset(OffsetAt::Time(1_000_010)).await, Some(100));
    assert_eq!(offset(OffsetAt::Time(2_000_001)).await, None);
    assert_eq!(cluster.latest_offset("read", 0).await.unwrap(), 0);

    let empty = cluster
        .records("read", 0, 0, Duration::ZERO, MIB)
        .await
        .unwrap();
    assert_eq!((empty.records.len(), empty.next_offset), (0, 0));
    let error = cluster
        .records("read", 0, 1, Duration::ZERO, MIB)
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(ErrorCode::OFFSET_OUT_OF_RANGE),
        "{error}"
    );
    let error = cluster.latest_offset("read", 2).await.unwrap_err();
    assert!(matches!(error, Error::UnknownPartition { .. }), "{error}");
}

#[tokio::test]
async fn a_long_poll_sees_a_record_when_it_comes_and_ends_without() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    kafka.create_topic("poll", 1, 1, &[]).await.unwrap();
    let mut reader = PartitionReader::new(client(kafka.bootstrap()), "poll", 0);
    // The broker may not lead a topic yet that has just been made.
    await_condition(
        Duration::from_secs(60),
        "the partition answers",
        async || reader.records(0, Duration::ZERO, MIB).await.is_ok(),
    )
    .await
    .unwrap();
    let started = Instant::now();
    let wait = Duration::from_millis(300);
    let nothing = reader.records(0, wait, MIB).await.unwrap();
    assert!(nothing.records.is_empty() && started.elapsed() >= wait);
    let one = pairs(0..1);
    let (polled, written) = tokio::join!(
        reader.records(0, Duration::from_secs(60), MIB),
        kafka.produce("poll", 0, 1, &one),
    );
    written.unwrap();
    assert_eq!(contents(&polled.unwrap().records), one);
    assert!(started.elapsed() < Duration::from_secs(60));
    // A poll that was dropped does not hold up the next.
    let dropped = reader.records(1, Duration::from_secs(60), MIB);
    tokio::time::timeout(wait, dropped).await.unwrap_err();
    let started = Instant::now();
    assert_eq!(reader.records(0, wait, MIB).await.unwrap().next_offset, 1);
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_stopped_broker_costs_bounded_time_and_serves_again() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::start(&home, Options::one_node())
        .await
        .unwrap();
    let cluster = impatient(kafka.bootstrap());
    cluster.create_topic(&topic("t")).await.unwrap();
    kafka.produce("t", 0, 1, &pairs(0..3)).await.unwrap();
    let mut reader = PartitionReader::new(cluster.clone(), "t", 0);
    assert_eq!(
        reader
            .records(0, Duration::ZERO, MIB)
            .await
            .unwrap()
            .records
            .len(),
        3
    );

    kafka.stop(0).unwrap();
    for round in 0..3 {
        let started = Instant::now();
        let error = cluster
            .records("t", 0, 0, Duration::ZERO, MIB)
            .await
            .unwrap_err();
        assert!(error.is_retriable(), "{error}");
        reader.records(0, Duration::ZERO, MIB).await.unwrap_err();
        cluster.refresh("t").await.unwrap_err();
        assert!(
            started.elapsed() < Duration::from_secs(25),
            "round {round}: {:?}",
            started.elapsed()
        );
    }
    assert!(cluster.known_topic("t").is_some());

    kafka.cont(0).unwrap();
    await_condition(LIMIT, "both read again", async || {
        let shared = cluster.records("t", 0, 0, Duration::ZERO, MIB).await;
        let own = reader.records(0, Duration::ZERO, MIB).await;
        shared.is_ok_and(|chunk| chunk.records.len() == 3)
            && own.is_ok_and(|chunk| chunk.records.len() == 3)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn leaders_that_die_are_replaced_and_those_that_return_are_used() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::start(&home, Options::three_nodes())
        .await
        .unwrap();
    let cluster = client(kafka.bootstrap());
    kafka.create_topic("t", 3, 3, &[]).await.unwrap();
    for partition in 0..3 {
        kafka
            .produce("t", partition, 1, &pairs(0..5))
            .await
            .unwrap();
    }
    let reads_all = async || {
        for partition in 0..3 {
            match cluster
                .records("t", partition, 0, Duration::ZERO, MIB)
                .await
            {
                Ok(chunk) if contents(&chunk.records) == pairs(0..5) => {}
                _ => return false,
            }
        }
        true
    };
    assert!(reads_all().await);
    let leader = kafka.leader_of("t", 0).await.unwrap().unwrap();
    kafka.kill9(leader).unwrap();
    await_condition(LIMIT, "all partitions are read without the dead", reads_all)
        .await
        .unwrap();
    assert_ne!(cluster.leader("t", 0).await.unwrap().id, leader as i32 + 1);
    let new = NewTopic {
        partitions: Some(2),
        replication_factor: Some(2),
        ..topic("meanwhile")
    };
    cluster.create_topic(&new).await.unwrap();

    kafka.restart(leader).unwrap();
    kafka.await_ready().await.unwrap();
    kafka.await_isr("t", 3).await.unwrap();
    for other in (0..3).filter(|node| *node != leader) {
        kafka.kill9(other).unwrap();
        kafka.restart(other).unwrap();
        kafka.await_ready().await.unwrap();
        kafka.await_isr("t", 3).await.unwrap();
    }
    await_condition(
        LIMIT,
        "all partitions are read after the restarts",
        reads_all,
    )
    .await
    .unwrap();
    cluster.refresh("t").await.unwrap();
    assert_eq!(cluster.brokers().len(), 3);
}

#[tokio::test]
async fn a_bootstrap_that_is_down_at_the_start_is_found_when_it_comes() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::start(&home, Options::one_node())
        .await
        .unwrap();
    kafka.create_topic("t", 1, 1, &[]).await.unwrap();
    kafka.kill9(0).unwrap();
    let mut bootstrap = vec![
        format!("127.0.0.1:{}", free_port()),
        "no.such.host.invalid:1".into(),
    ];
    bootstrap.extend(kafka.bootstrap());
    let cluster = client(bootstrap);
    let started = Instant::now();
    let error = cluster.topic("t").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error}");
    assert!(started.elapsed() < Duration::from_secs(30));
    kafka.restart(0).unwrap();
    await_condition(LIMIT, "the topic is known", async || {
        cluster.topic("t").await.is_ok()
    })
    .await
    .unwrap();
    assert_eq!(cluster.latest_offset("t", 0).await.unwrap(), 0);
}

#[tokio::test]
async fn idle_connections_that_were_reset_are_made_anew_without_an_error() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::start(&home, Options::one_node().proxied())
        .await
        .unwrap();
    let cluster = client(kafka.bootstrap());
    kafka.create_topic("t", 1, 1, &[]).await.unwrap();
    let proxy: &FaultProxy = kafka.proxy(0);
    for _ in 0..5 {
        assert_eq!(cluster.latest_offset("t", 0).await.unwrap(), 0);
        proxy.close_all();
    }
    proxy.set_mode(Mode::Blackhole);
    let started = Instant::now();
    cluster.latest_offset("t", 0).await.unwrap_err();
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
    proxy.set_mode(Mode::Pass);
    await_condition(LIMIT, "it answers again", async || {
        cluster.latest_offset("t", 0).await.is_ok()
    })
    .await
    .unwrap();
}
