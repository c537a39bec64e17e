//! A disk without space: a small tmpfs.

use std::time::Duration;

use forebay_broker::Broker;
use forebay_testkit::SmallDisk;

use crate::batches::batch;
use crate::target::{await_that, config, start};
use crate::wire::{Client, SET};

/// Writes until refused; answers how many batches were stored.
fn write_until_refused(client: &mut Client, id: i64, value: &str) -> i32 {
    for sequence in 0..200 {
        let row = client.produce("t", 0, batch((id, 0, sequence), &[value]));
        if row.error_code != 0 {
            assert_eq!(row.error_code, 56);
            let message = row.error_message.unwrap();
            assert!(message.contains("cannot write"), "{message:?}");
            return sequence;
        }
    }
    panic!("the disk is never full");
}

#[tokio::test]
async fn refuses_clearly_reads_go_on_and_space_heals() {
    let Some(disk) = SmallDisk::mount_or_skip(1) else {
        return;
    };
    let (broker, mut client) = start(disk.path()).await;
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    std::fs::write(disk.path().join("ballast"), vec![1; 400_000]).unwrap();
    let id = client.producer_id();
    let value = "v".repeat(20_000);
    let stored = write_until_refused(&mut client, id, &value);
    assert!(stored > 5);
    assert_eq!(client.read_all("t", 0).len(), stored as usize);
    // Not even a topic fits; nothing half-made is left of it.
    disk.fill_up("rest", 0);
    assert_eq!(client.create_topic("u", 1, &[]), 56);
    assert_eq!(client.read_all("t", 0).len(), stored as usize);
    disk.free("ballast");
    assert!(broker.disk_space().free_bytes().unwrap() > 300_000);
    // The very batch that was refused is next.
    let row = client.produce("t", 0, batch((id, 0, stored), &[&value]));
    assert_eq!((row.error_code, row.base_offset), (0, i64::from(stored)));
    disk.free("rest");
    assert_eq!(client.create_topic("u", 1, &[]), 0);
    broker.stop().await;
    let (broker, mut client) = start(disk.path()).await;
    assert_eq!(client.read_all("t", 0).len(), stored as usize + 1);
    broker.stop().await;
}

/// What makes room works on a disk with no byte left.
#[tokio::test]
async fn is_freed_by_deleting_a_topic() {
    let Some(disk) = SmallDisk::mount_or_skip(1) else {
        return;
    };
    let (broker, mut client) = start(disk.path()).await;
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let id = client.producer_id();
    let value = "v".repeat(20_000);
    write_until_refused(&mut client, id, &value);
    disk.fill_up("rest", 0);
    assert_eq!(client.create_topic("u", 1, &[]), 56);
    assert_eq!(client.delete_topic("t"), 0);
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let row = client.produce("t", 0, batch((id, 0, 0), &[&value]));
    assert_eq!((row.error_code, row.base_offset), (0, 0));
    broker.stop().await;
}

#[tokio::test]
async fn is_freed_by_retention() {
    let Some(disk) = SmallDisk::mount_or_skip(1) else {
        return;
    };
    let mut settings = config(disk.path());
    settings.upkeep_interval = Duration::from_millis(10);
    let broker = Broker::start(settings).await.unwrap();
    let mut client = Client::connect(broker.local_addr());
    let small = [("segment.bytes", "65536")];
    assert_eq!(client.create_topic("t", 1, &small), 0);
    let id = client.producer_id();
    let value = "v".repeat(20_000);
    let stored = write_until_refused(&mut client, id, &value);
    disk.fill_up("rest", 0);
    let keep_less = [(SET, "retention.bytes", "100000")];
    assert_eq!(client.alter_topic("t", &keep_less), 0);
    await_that("old segments are gone", || {
        client.list_offset("t", 0, -2).0 > 0
    });
    let row = client.produce("t", 0, batch((id, 0, stored), &[&value]));
    assert_eq!((row.error_code, row.base_offset), (0, i64::from(stored)));
    broker.stop().await;
}

/// Otherwise each of the small ones would be the end of it, in the log, to
/// `/readyz` and to whoever waits with a large one.
#[tokio::test]
async fn a_small_write_that_still_fits_is_no_end_of_a_full_disk() {
    let Some(disk) = SmallDisk::mount_or_skip(8) else {
        return;
    };
    let (broker, mut client) = start(disk.path()).await;
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let id = client.producer_id();
    disk.fill_up("rest", 100_000);
    let large = "v".repeat(200_000);
    let row = client.produce("t", 0, batch((id, 0, 0), &[&large]));
    assert_eq!(row.error_code, 56);
    assert!(broker.disk_space().is_full());
    let row = client.produce("t", 0, batch((id, 0, 0), &["small"]));
    assert_eq!((row.error_code, row.base_offset), (0, 0));
    assert!(broker.disk_space().is_full());
    disk.free("rest");
    assert!(!broker.disk_space().is_full());
    let row = client.produce("t", 0, batch((id, 0, 1), &[&large]));
    assert_eq!((row.error_code, row.base_offset), (0, 1));
    broker.stop().await;
}
