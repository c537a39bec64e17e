//! Settings, growth, record deletion, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use bytes::Bytes;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::*;
use support::*;

fn describe(client: &mut Client, version: i16, topic: &str) -> Vec<DescribeConfigsResourceResult> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(topic))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    client.call(version, &request).results.remove(0).configs
}

fn setting(client: &mut Client, topic: &str, name: &str) -> (String, i8) {
    let rows = describe(client, 4, topic);
    let row = rows
        .into_iter()
        .find(|row| row.name.as_str() == name)
        .unwrap();
    (row.value.unwrap().to_string(), row.config_source)
}

fn alter(client: &mut Client, topic: &str, name: &str, value: &str) -> i16 {
    let change = AlterableConfig::default()
        .with_name(text(name))
        .with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(topic))
        .with_configs(vec![change]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    client.call(1, &request).responses[0].error_code
}

#[tokio::test]
async fn settings_are_described_altered_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic(
        "t",
        1,
        &[("cleanup.policy", "compact"), ("max.message.bytes", "300")],
    );
    for version in 1..=4 {
        assert!(describe(&mut client, version, "t").len() >= 8);
    }
    assert!(describe(&mut client, 3, "nope").is_empty());
    assert_eq!(
        setting(&mut client, "t", "cleanup.policy"),
        ("compact".to_owned(), 1)
    );
    assert_eq!(setting(&mut client, "t", "retention.ms").1, 5);
    let large = batch(NO_PRODUCER, &["x".repeat(300).as_str()]);
    assert_eq!(client.produce("t", 0, large.clone()).error_code, 10);
    assert_eq!(alter(&mut client, "t", "max.message.bytes", "5000"), 0);
    assert_eq!(alter(&mut client, "t", "max.message.bytes", "many"), 40);
    assert_eq!(alter(&mut client, "t", "unheard.of", "1"), 40);
    assert_eq!(alter(&mut client, "nope", "retention.ms", "1"), 3);
    assert_eq!(client.produce("t", 0, large).error_code, 0);
    broker.stop().await;
    let (broker, mut client) = start(dir.path()).await;
    assert_eq!(
        setting(&mut client, "t", "max.message.bytes"),
        ("5000".to_owned(), 1)
    );
    broker.stop().await;
}

#[tokio::test]
async fn partitions_are_added_and_records_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    client.produce("t", 0, batch(NO_PRODUCER, &["a", "b", "c"]));
    let grow = |count| {
        let topic = CreatePartitionsTopic::default()
            .with_name(TopicName(text("t")))
            .with_count(count)
            .with_assignments(None);
        CreatePartitionsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(1000)
    };
    assert_eq!(client.call(3, &grow(1)).results[0].error_code, 37);
    assert_eq!(client.call(3, &grow(3)).results[0].error_code, 0);
    assert_eq!(
        client
            .produce("t", 2, batch(NO_PRODUCER, &["d"]))
            .base_offset,
        0
    );
    let delete = |offset| {
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let topic = DeleteRecordsTopic::default()
            .with_name(TopicName(text("t")))
            .with_partitions(vec![partition]);
        DeleteRecordsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(1000)
    };
    let row = client.call(2, &delete(2)).topics[0].partitions[0].clone();
    assert_eq!((row.error_code, row.low_watermark), (0, 2));
    assert_eq!(
        client.call(2, &delete(4)).topics[0].partitions[0].error_code,
        1
    );
    assert_eq!(client.fetch("t", 0, 1).error_code, 1);
    broker.stop().await;
    let (broker, mut client) = start(dir.path()).await;
    assert_eq!(client.list_offset("t", 0, -2).0, 2);
    assert_eq!(client.read_all("t", 2), [(0, "d".to_owned())]);
    broker.stop().await;
}

#[tokio::test]
async fn offsets_are_found_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    let before = now_ms();
    client.produce("t", 0, batch(NO_PRODUCER, &["a", "b"]));
    assert_eq!(client.list_offset("t", 0, before - 1000).0, 0);
    assert_eq!(client.list_offset("t", 0, now_ms() + 1000), (-1, -1));
    broker.stop().await;
}

#[tokio::test]
async fn what_there_is_not_is_refused_at_once() {
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
    client.create_topic("t", 1, &[("cleanup.policy", "compact")]);
    let request = produce_request("t", 0, batch(NO_PRODUCER, &["x"]));
    let transactional = request
        .clone()
        .with_transactional_id(Some(TransactionalId(text("tx"))));
    let row = &client.call(8, &transactional).responses[0].partition_responses[0];
    assert_eq!(row.error_code, 48);
    let row = &client.call(8, &request.clone().with_acks(2)).responses[0].partition_responses[0];
    assert_eq!(row.error_code, 21);
    assert_eq!(client.produce("t", 0, Bytes::new()).error_code, 2);
    // Nobody waits for an answer that does not come.
    client.send(8, &request.clone().with_acks(0));
    let row = &client.call(8, &request).responses[0].partition_responses[0];
    assert_eq!(row.base_offset, 1);
    broker.stop().await;
}

#[tokio::test]
async fn the_cluster_describes_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    let request = DescribeClusterRequest::default().with_endpoint_type(1);
    let first = client.call(1, &request);
    assert_eq!((first.error_code, first.brokers.len()), (0, 1));
    assert_eq!(first.cluster_id.len(), 22);
    broker.stop().await;
    let (broker, mut client) = start(dir.path()).await;
    assert_eq!(client.call(1, &request).cluster_id, first.cluster_id);
    broker.stop().await;
}
