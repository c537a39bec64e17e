//! rskafka's own client, as Forebay's uses its layers.

use std::collections::BTreeMap;

use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, OffsetAt, UnknownTopicHandling};
use rskafka::record::Record;

use crate::batches::now_ms;
use crate::target::{Target, unique_name};

#[tokio::test]
async fn topics_records_and_offsets_on_embedded() {
    if let Some(target) = Target::embedded().await {
        topics_records_and_offsets(&target).await;
        target.stop().await;
    }
}

#[tokio::test]
async fn topics_records_and_offsets_on_apache() {
    if let Some(target) = Target::apache().await {
        topics_records_and_offsets(&target).await;
    }
}

fn record(n: i32) -> Record {
    Record {
        key: Some(n.to_string().into_bytes()),
        value: Some(vec![b'v'; 100]),
        headers: BTreeMap::from([("h".to_owned(), b"1".to_vec())]),
        timestamp: rskafka::chrono::DateTime::from_timestamp_millis(now_ms()).unwrap(),
    }
}

async fn topics_records_and_offsets(target: &Target) {
    let address = target.address().to_string();
    let client = ClientBuilder::new(vec![address]).build().await.unwrap();
    let controller = client.controller_client().unwrap();
    let (one, two) = (unique_name(), unique_name());
    for name in [&one, &two] {
        controller.create_topic(name, 2, 1, 5_000).await.unwrap();
        target.await_topic(name, 2);
    }
    let topics = client.list_topics().await.unwrap();
    for name in [&one, &two] {
        assert!(topics.iter().any(|topic| topic.name == *name));
    }
    let partition = client
        .partition_client(&one, 1, UnknownTopicHandling::Error)
        .await
        .unwrap();
    for n in 0..3 {
        let records = (0..10).map(|m| record(n * 10 + m)).collect();
        let offsets = partition
            .produce(records, Compression::NoCompression)
            .await
            .unwrap();
        let first = i64::from(n) * 10;
        assert_eq!(offsets, (first..first + 10).collect::<Vec<_>>());
    }
    assert_eq!(partition.get_offset(OffsetAt::Latest).await.unwrap(), 30);
    let fetched = partition.fetch_records(13, 1..1_000_000, 1_000).await;
    let (records, watermark) = fetched.unwrap();
    assert_eq!((records[0].offset, records.len(), watermark), (13, 17, 30));
    partition.delete_records(20, 1_000).await.unwrap();
    assert_eq!(partition.get_offset(OffsetAt::Earliest).await.unwrap(), 20);
    controller.delete_topic(&one, 5_000).await.unwrap();
    let mut client = target.connect();
    crate::target::await_that("the topic is gone", || client.describe_topic(&one).0 == 3);
    assert_eq!(client.describe_topic(&two), (0, 2));
}
