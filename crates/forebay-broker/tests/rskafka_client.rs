//! rskafka's own client, as Forebay's uses its layers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, OffsetAt, UnknownTopicHandling};
use rskafka::record::Record;
use support::*;

#[tokio::test]
async fn topics_records_and_offsets() {
    let dir = tempfile::tempdir().unwrap();
    let broker = forebay_broker::Broker::start(config(dir.path()))
        .await
        .unwrap();
    let address = broker.local_addr().to_string();
    let client = ClientBuilder::new(vec![address]).build().await.unwrap();
    let controller = client.controller_client().unwrap();
    for name in ["one", "two"] {
        controller.create_topic(name, 2, 1, 5_000).await.unwrap();
    }
    assert_eq!(client.list_topics().await.unwrap().len(), 2);
    let partition = client
        .partition_client("one", 1, UnknownTopicHandling::Error)
        .await
        .unwrap();
    let record = |n: i32| Record {
        key: Some(n.to_string().into_bytes()),
        value: Some(vec![b'v'; 100]),
        headers: BTreeMap::from([("h".to_owned(), b"1".to_vec())]),
        timestamp: rskafka::chrono::DateTime::from_timestamp_millis(now_ms()).unwrap(),
    };
    for n in 0..3 {
        let records = (0..10).map(|m| record(n * 10 + m)).collect();
        let offsets = partition
            .produce(records, Compression::NoCompression)
            .await
            .unwrap();
        assert_eq!(
            offsets,
            (i64::from(n) * 10..i64::from(n) * 10 + 10).collect::<Vec<_>>()
        );
    }
    assert_eq!(partition.get_offset(OffsetAt::Latest).await.unwrap(), 30);
    let (records, watermark) = partition
        .fetch_records(13, 1..1_000_000, 1_000)
        .await
        .unwrap();
    assert_eq!((records[0].offset, records.len(), watermark), (13, 17, 30));
    partition.delete_records(20, 1_000).await.unwrap();
    assert_eq!(partition.get_offset(OffsetAt::Earliest).await.unwrap(), 20);
    controller.delete_topic("one", 5_000).await.unwrap();
    let left: Vec<String> = client
        .list_topics()
        .await
        .unwrap()
        .into_iter()
        .map(|topic| topic.name)
        .collect();
    assert_eq!(left, ["two"]);
    broker.stop().await;
}
