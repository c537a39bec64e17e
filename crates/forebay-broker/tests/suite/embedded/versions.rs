//! ApiVersions, and every offered version of what the common cases ask in one.

use std::io::Write;

use bytes::Buf;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Decodable;

use crate::batches::{NO_PRODUCER, batch};
use crate::target::start;
use crate::wire::{produce_request, text};

#[tokio::test]
async fn are_told_also_to_a_client_from_the_future() {
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
        let mut keys = response.api_keys.iter();
        let produce = keys.find(|api| api.api_key == 0).unwrap();
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
async fn of_metadata_all_show_the_topic() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    assert_eq!(client.create_topic("t", 3, &[]), 0);
    for version in 0..=9 {
        let topics = if version == 0 { Some(vec![]) } else { None };
        let mut request = MetadataRequest::default().with_topics(topics);
        if version < 4 {
            request = request.with_allow_auto_topic_creation(true);
        }
        let response = client.call(version, &request);
        let topic = &response.topics[0];
        let found = (topic.error_code, topic.partitions.len());
        assert_eq!(found, (0, 3), "version {version}");
        let port = i32::from(broker.local_addr().port());
        assert_eq!(response.brokers[0].port, port);
    }
    broker.stop().await;
}

#[tokio::test]
async fn of_produce_all_store() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    for (version, offset) in (3..=9).zip((0..).step_by(2)) {
        let request = produce_request("t", 0, batch(NO_PRODUCER, &["x", "y"]));
        let response = client.call(version, &request);
        let row = &response.responses[0].partition_responses[0];
        assert_eq!((row.error_code, row.base_offset), (0, offset));
    }
    assert_eq!(client.read_all("t", 0).len(), 14);
    broker.stop().await;
}
