//! Retention and compaction, as a client sees them.

use std::time::Duration;

use forebay_broker::Broker;

use crate::batches::{NO_PRODUCER, batch, batch_at, now_ms};
use crate::target::{await_that, config};
use crate::wire::Client;

async fn start_busy(data_dir: &std::path::Path) -> (Broker, Client) {
    let mut settings = config(data_dir);
    settings.upkeep_interval = Duration::from_millis(10);
    let broker = Broker::start(settings).await.unwrap();
    let client = Client::connect(broker.local_addr());
    (broker, client)
}

#[tokio::test]
async fn keeps_a_topic_near_its_retention_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start_busy(dir.path()).await;
    let small = [("segment.bytes", "2048"), ("retention.bytes", "8192")];
    assert_eq!(client.create_topic("t", 1, &small), 0);
    let id = client.producer_id();
    let value = "v".repeat(500);
    for n in 0..100 {
        let row = client.produce("t", 0, batch((id, 0, n), &[&value]));
        assert_eq!((row.error_code, row.base_offset), (0, i64::from(n)));
    }
    let mut start = 0;
    await_that("old segments are gone", || {
        start = client.list_offset("t", 0, -2).0;
        start > 80
    });
    let left = client.read_all("t", 0);
    assert_eq!(left.first().unwrap().0, start);
    assert_eq!(left.last().unwrap().0, 99);
    assert!(left.len() * 500 >= 7000, "no more goes than has to");
    broker.stop().await;
    let (broker, mut client) = start_busy(dir.path()).await;
    assert!(client.list_offset("t", 0, -2).0 >= start);
    let row = client.produce("t", 0, batch((id, 0, 99), &[&value]));
    assert_eq!((row.error_code, row.base_offset), (0, 99), "a duplicate");
    broker.stop().await;
}

#[tokio::test]
async fn lets_records_go_at_their_age_and_offsets_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start_busy(dir.path()).await;
    let hour = 3_600_000;
    let kept = [("retention.ms", "7200000"), ("segment.bytes", "1024")];
    assert_eq!(client.create_topic("t", 1, &kept), 0);
    let value = "v".repeat(600);
    for hours in [5, 4, 3, 0] {
        let sent = batch_at(NO_PRODUCER, &[(now_ms() - hours * hour, &value)]);
        assert_eq!(client.produce("t", 0, sent).error_code, 0);
    }
    await_that("three of four are too old", || {
        client.list_offset("t", 0, -2).0 == 3
    });
    assert_eq!(client.read_all("t", 0).len(), 1);
    assert_eq!(client.fetch("t", 0, 2).error_code, 1);
    broker.stop().await;
}

#[tokio::test]
async fn keeps_the_newest_of_each_key_in_compacted_topics() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start_busy(dir.path()).await;
    let compacted = [("cleanup.policy", "compact"), ("segment.bytes", "1024")];
    assert_eq!(client.create_topic("t", 1, &compacted), 0);
    let filler = "x".repeat(300);
    for n in 0..20 {
        // Keys are key0, key1, …: each batch replaces the one before.
        let values = [format!("{n} {filler}"), format!("{n} {filler}")];
        let texts: Vec<&str> = values.iter().map(String::as_str).collect();
        assert_eq!(
            client
                .produce("t", 0, batch(NO_PRODUCER, &texts))
                .error_code,
            0
        );
    }
    await_that("only the newest are left of sealed segments", || {
        client.read_all("t", 0).len() <= 4
    });
    let left = client.read_all("t", 0);
    assert_eq!(left.last().unwrap().0, 39, "the end stays where it is");
    assert!(
        left.iter()
            .rev()
            .take(2)
            .all(|(_, value)| value.starts_with("19 "))
    );
    broker.stop().await;
}
