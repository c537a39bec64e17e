//! The data directory: whose it is, and what is left in it.

use forebay_broker::{Broker, StartError};
use kafka_protocol::messages::DescribeClusterRequest;

use crate::batches::{NO_PRODUCER, batch};
use crate::target::{config, start};

#[tokio::test]
async fn belong_to_one_broker_and_a_lost_catalog_is_no_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    assert!(broker.disk_space().free_bytes().unwrap() > 0);
    let second = Broker::start(config(dir.path())).await;
    assert!(matches!(second, Err(StartError::InUse(_))));
    broker.stop().await;
    std::fs::remove_file(dir.path().join("topics.catalog")).unwrap();
    let without = Broker::start(config(dir.path())).await;
    assert!(matches!(without, Err(StartError::CatalogMissing(_))));
    assert!(dir.path().join("logs/1/0").exists());
}

#[tokio::test]
async fn of_half_made_topics_are_cleared_away_and_never_met_again() {
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

/// As if killed while partitions were added: some have directories, the
/// catalog does not know them yet.
#[tokio::test]
async fn of_half_added_partitions_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    client.create_topic("t", 1, &[]);
    client.produce("t", 0, batch(NO_PRODUCER, &["a"]));
    broker.stop().await;
    let left = dir.path().join("logs/1/1");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("00000000000000000000.log"), b"rubbish").unwrap();
    let (broker, mut client) = start(dir.path()).await;
    assert_eq!(client.describe_topic("t"), (0, 1));
    assert_eq!(client.read_all("t", 0).len(), 1);
    assert_eq!(client.grow_topic("t", 2, false), 0);
    let row = client.produce("t", 1, batch(NO_PRODUCER, &["b"]));
    assert_eq!((row.error_code, row.base_offset), (0, 0));
    assert_eq!(client.read_all("t", 1), [(0, "b".to_owned())]);
    broker.stop().await;
}

#[tokio::test]
async fn of_deleted_topics_go() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path()).await;
    for name in ["one", "two"] {
        client.create_topic(name, 2, &[]);
    }
    client.delete_topic("one");
    client.create_topic("one", 2, &[]);
    broker.stop().await;
    let topics = std::fs::read_dir(dir.path().join("logs")).unwrap();
    assert_eq!(topics.count(), 2);
}

#[tokio::test]
async fn keep_the_cluster_id() {
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
