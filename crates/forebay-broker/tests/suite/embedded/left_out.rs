//! Consumer groups and transactions: refused at once, so that no client waits.

use bytes::Bytes;
use kafka_protocol::messages::*;

use crate::batches::{NO_PRODUCER, batch};
use crate::target::start;
use crate::wire::{produce_request, text};

#[tokio::test]
async fn is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    for version in 0..=3 {
        let request = FindCoordinatorRequest::default().with_key(text("group"));
        assert_eq!(client.call(version, &request).error_code, 35);
    }
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text("tx"))))
        .with_transaction_timeout_ms(1000);
    let response = client.call(4, &request);
    assert_eq!((response.error_code, response.producer_id.0), (35, -1));
    client.create_topic("t", 1, &[]);
    let transactional = produce_request("t", 0, batch(NO_PRODUCER, &["x"]))
        .with_transactional_id(Some(TransactionalId(text("tx"))));
    let row = &client.call(8, &transactional).responses[0].partition_responses[0];
    assert_eq!(row.error_code, 48);
    assert_eq!(client.produce("t", 0, Bytes::new()).error_code, 2);
    broker.stop().await;
}

#[tokio::test]
async fn settings_of_replication_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    for (name, value) in [
        ("min.insync.replicas", "2"),
        ("unclean.leader.election.enable", "true"),
        ("compression.type", "zstd"),
        ("message.timestamp.type", "LogAppendTime"),
    ] {
        assert_eq!(client.create_topic("t", 1, &[(name, value)]), 40, "{name}");
    }
    broker.stop().await;
}
