//! The protocol over TCP, byte for byte through `kafka-protocol`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use forebay_broker::{Broker, StartError};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Decodable;
use support::*;

#[tokio::test]
async fn versions_are_told_also_to_a_client_from_the_future() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    for version in 0..=4 {
        let mut request = ApiVersionsRequest::default();
        if version >= 3 {
            request = request
                .with_client_software_name(text("test"))
                .with_client_software_version(text("1"));
        }
        let response = client.call(version, &request);
        assert_eq!(response.error_code, 0);
        let produce = response
            .api_keys
            .iter()
            .find(|api| api.api_key == 0)
            .unwrap();
        assert_eq!((produce.min_version, produce.max_version), (3, 9));
    }
    // Version 9 does not exist; its body could be anything.
    client
        .stream
        .write_all(&[0, 0, 0, 12, 0, 18, 0, 9, 0, 0, 0, 77, 1, 2, 3, 4])
        .unwrap();
    let mut frame = client.frame().unwrap();
    assert_eq!(frame.get_i32(), 77);
    let response = ApiVersionsResponse::decode(&mut frame, 0).unwrap();
    assert_eq!(response.error_code, 35);
    assert!(response.api_keys.len() > 10);
    broker.stop().await;
}

#[tokio::test]
async fn every_version_of_metadata_shows_the_topic() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    assert_eq!(client.create_topic("t", 3, &[]), 0);
    assert_eq!(client.create_topic("t", 3, &[]), 36);
    assert_eq!(client.create_topic("a/b", 3, &[]), 17);
    assert_eq!(client.create_topic("u", 0, &[]), 37);
    assert_eq!(client.create_topic("u", 1, &[("no.such", "1")]), 40);
    for version in 0..=9 {
        let topics = if version == 0 { Some(vec![]) } else { None };
        let mut request = MetadataRequest::default().with_topics(topics);
        if version < 4 {
            request = request.with_allow_auto_topic_creation(true);
        }
        let response = client.call(version, &request);
        let topic = &response.topics[0];
        assert_eq!(
            (topic.error_code, topic.partitions.len()),
            (0, 3),
            "version {version}"
        );
        assert_eq!(
            response.brokers[0].port,
            i32::from(broker.local_addr().port())
        );
    }
    broker.stop().await;
}

#[tokio::test]
async fn produced_records_are_read_back_in_every_version_offered() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    for version in 3..=9 {
        let request = produce_request("t", 0, batch(NO_PRODUCER, &["x", "y"]));
        let response = client.call(version, &request);
        let row = &response.responses[0].partition_responses[0];
        assert_eq!(
            (row.error_code, row.base_offset),
            (0, i64::from(version - 3) * 2)
        );
    }
    for version in 4..=11 {
        // From the middle of a batch: the whole batch comes.
        let mut request = fetch_request("t", 0, 5, 0);
        if version < 7 {
            request = request.with_session_epoch(-1);
        }
        let mut response = client.call(version, &request);
        let part = response.responses.remove(0).partitions.remove(0);
        let offsets: Vec<i64> = decode(part.records.unwrap())
            .iter()
            .map(|record| record.offset)
            .collect();
        assert_eq!(offsets, (4..14).collect::<Vec<_>>(), "version {version}");
        assert_eq!(part.high_watermark, 14);
    }
    assert_eq!(client.list_offset("t", 0, -1).0, 14);
    assert_eq!(client.list_offset("t", 0, -2).0, 0);
    assert_eq!(client.fetch("t", 0, 15).error_code, 1);
    assert_eq!(client.fetch("t", 1, 0).error_code, 3);
    assert_eq!(
        client
            .produce("nope", 0, batch(NO_PRODUCER, &["x"]))
            .error_code,
        3
    );
    broker.stop().await;
}

#[tokio::test]
async fn sequences_are_judged_as_by_apache_kafka_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    let id = client.producer_id();
    let mut send = |epoch, sequence| {
        let row = client.produce("t", 0, batch((id, epoch, sequence), &["v"]));
        (row.error_code, row.base_offset)
    };
    for n in 0..6 {
        assert_eq!(send(0, n), (0, i64::from(n)));
    }
    assert_eq!(send(0, 5), (0, 5));
    assert_eq!(send(0, 1), (0, 1));
    assert_eq!(send(0, 0).0, 45);
    assert_eq!(send(0, 8).0, 45);
    broker.stop().await;
    let (broker, mut client) = start(dir.path()).await;
    assert!(client.producer_id() > id);
    let mut send = |epoch, sequence| {
        let row = client.produce("t", 0, batch((id, epoch, sequence), &["v"]));
        (row.error_code, row.base_offset)
    };
    assert_eq!(send(0, 5), (0, 5));
    assert_eq!(send(0, 1), (0, 1));
    assert_eq!(send(1, 3).0, 45);
    assert_eq!(send(1, 0), (0, 6));
    assert_eq!(send(0, 6).0, 47);
    broker.stop().await;
}

#[tokio::test]
async fn a_long_poll_ends_by_an_append_by_deletion_or_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    let mut reader = Client::connect(broker.local_addr());
    let began = Instant::now();
    let waiting = reader.send(11, &fetch_request("t", 0, 0, 20_000));
    client.produce("t", 0, batch(NO_PRODUCER, &["x"]));
    let response = reader.receive::<FetchRequest>(11, waiting);
    assert_eq!(
        decode(response.responses[0].partitions[0].records.clone().unwrap()).len(),
        1
    );
    let waiting = reader.send(11, &fetch_request("t", 0, 1, 20_000));
    client.delete_topic("t");
    let response = reader.receive::<FetchRequest>(11, waiting);
    assert_eq!(response.responses[0].partitions[0].error_code, 3);
    assert!(began.elapsed() < Duration::from_secs(19));
    client.create_topic("t", 1, &[]);
    let began = Instant::now();
    let response = reader.call(11, &fetch_request("t", 0, 0, 200));
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert_eq!(
        response.responses[0].partitions[0].records,
        Some(Bytes::new())
    );
    broker.stop().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    let id = client.producer_id();
    let sent: Vec<i32> = (0..50)
        .map(|n| client.send(8, &produce_request("t", 0, batch((id, 0, n), &["v"]))))
        .collect();
    let metadata = client.send(
        1,
        &MetadataRequest::default()
            .with_topics(None)
            .with_allow_auto_topic_creation(true),
    );
    for (offset, correlation) in (0..).zip(sent) {
        let response = client.receive::<ProduceRequest>(8, correlation);
        assert_eq!(
            response.responses[0].partition_responses[0].base_offset,
            offset
        );
    }
    client.receive::<MetadataRequest>(1, metadata);
    broker.stop().await;
}

#[tokio::test]
async fn deletion_of_one_topic_leaves_the_other_and_a_new_one_begins_at_zero() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    for topic in ["one", "two"] {
        client.create_topic(topic, 2, &[]);
        assert_eq!(
            client
                .produce(topic, 1, batch((7, 0, 0), &["a", "b"]))
                .base_offset,
            0
        );
    }
    assert_eq!(client.delete_topic("one"), 0);
    assert_eq!(client.delete_topic("one"), 3);
    assert_eq!(client.read_all("two", 1).len(), 2);
    client.create_topic("one", 2, &[]);
    assert_eq!(client.list_offset("one", 1, -1).0, 0);
    // A fresh log: the same batch is no duplicate here.
    assert_eq!(
        client
            .produce("one", 1, batch((7, 0, 0), &["c"]))
            .base_offset,
        0
    );
    assert_eq!(client.read_all("one", 1), [(0, "c".to_owned())]);
    broker.stop().await;
    assert_eq!(
        std::fs::read_dir(dir.path().join("logs")).unwrap().count(),
        2
    );
}

#[tokio::test]
async fn garbage_closes_the_connection_and_harms_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut good) = start(dir.path()).await;
    let frames: &[&[u8]] = &[
        &[0, 0, 0, 0],
        &[0, 0, 0, 3, 1, 2, 3],
        &[0xff, 0xff, 0xff, 0xff],
        &[0x7f, 0xff, 0xff, 0xff],
        b"GET / HTTP/1.1\r\n\r\n",
        // An array of 2^31 - 1 topics in Produce, Metadata and CreateTopics.
        &[
            0, 0, 0, 22, 0, 0, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f,
            0xff, 0xff, 0xff,
        ],
        &[
            0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff,
        ],
        &[
            0, 0, 0, 14, 0, 19, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff,
        ],
        // An unknown api.
        &[0, 0, 0, 10, 3, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
    ];
    for frame in frames {
        let mut bad = Client::connect(broker.local_addr());
        bad.stream.write_all(frame).unwrap();
        assert!(bad.is_closed(), "{frame:?}");
    }
    assert_eq!(good.create_topic("t", 1, &[]), 0);
    broker.stop().await;
}

#[tokio::test]
async fn limits_on_connections_and_frames() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = config(dir.path());
    settings.max_connections = 2;
    settings.max_frame_bytes = 4096;
    settings.idle_timeout = Duration::from_millis(300);
    let broker = Broker::start(settings).await.unwrap();
    let mut first = Client::connect(broker.local_addr());
    let mut second = Client::connect(broker.local_addr());
    first.producer_id();
    second.producer_id();
    assert!(Client::connect(broker.local_addr()).is_closed());
    first.send(8, &produce_request("t", 0, Bytes::from(vec![0; 5000])));
    assert!(first.is_closed());
    assert!(second.is_closed(), "idle for too long");
    // Both places are free again, at the latest soon.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut third = Client::connect(broker.local_addr());
        third.send(0, &ApiVersionsRequest::default());
        if third.frame().is_ok() {
            break;
        }
        assert!(Instant::now() < deadline);
    }
    broker.stop().await;
}

#[tokio::test]
async fn one_broker_at_a_time_and_a_lost_catalog_is_no_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    assert!(broker.disk_free_bytes().unwrap() > 0);
    assert!(matches!(
        Broker::start(config(dir.path())).await,
        Err(StartError::InUse(_))
    ));
    broker.stop().await;
    std::fs::remove_file(dir.path().join("topics.catalog")).unwrap();
    assert!(matches!(
        Broker::start(config(dir.path())).await,
        Err(StartError::CatalogMissing(_))
    ));
    assert!(dir.path().join("logs/1/0").exists());
}

#[tokio::test]
async fn half_made_topics_are_cleared_away_and_never_met_again() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    broker.stop().await;
    // As if killed after the directories and before the catalog.
    let left = dir.path().join("logs/2/0");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("00000000000000000000.log"), b"rubbish").unwrap();
    let (broker, mut client) = start(dir.path()).await;
    assert!(!left.exists());
    client.create_topic("u", 1, &[]);
    assert_eq!(client.list_offset("u", 0, -1).0, 0);
    broker.stop().await;
}
