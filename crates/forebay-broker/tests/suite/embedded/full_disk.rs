//! A disk without space: a small tmpfs.

use std::path::Path;
use std::process::{Command, Stdio};

use std::time::Duration;

use forebay_broker::Broker;

use crate::batches::batch;
use crate::target::{await_that, config, start};
use crate::wire::{Client, SET};

/// A file system of 1 MiB; `None` where this process may not mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount_or_skip() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(dir));
        }
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "no right to mount a small tmpfs, and CI=true");
        Self::skip_note();
        None
    }

    #[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
    fn skip_note() {
        eprintln!("skipped: no right to mount a small tmpfs here");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no byte free.
    fn fill_up(&self) {
        let rest = vec![1; 1 << 20];
        std::fs::write(self.path().join("rest"), rest).unwrap_err();
    }

    fn free(&self, name: &str) {
        std::fs::remove_file(self.path().join(name)).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.unwrap().success());
    }
}

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
    let Some(disk) = SmallDisk::mount_or_skip() else {
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
    disk.fill_up();
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
    let Some(disk) = SmallDisk::mount_or_skip() else {
        return;
    };
    let (broker, mut client) = start(disk.path()).await;
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let id = client.producer_id();
    let value = "v".repeat(20_000);
    write_until_refused(&mut client, id, &value);
    disk.fill_up();
    assert_eq!(client.create_topic("u", 1, &[]), 56);
    assert_eq!(client.delete_topic("t"), 0);
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let row = client.produce("t", 0, batch((id, 0, 0), &[&value]));
    assert_eq!((row.error_code, row.base_offset), (0, 0));
    broker.stop().await;
}

#[tokio::test]
async fn is_freed_by_retention() {
    let Some(disk) = SmallDisk::mount_or_skip() else {
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
    disk.fill_up();
    let keep_less = [(SET, "retention.bytes", "100000")];
    assert_eq!(client.alter_topic("t", &keep_less), 0);
    await_that("old segments are gone", || {
        client.list_offset("t", 0, -2).0 > 0
    });
    let row = client.produce("t", 0, batch((id, 0, stored), &[&value]));
    assert_eq!((row.error_code, row.base_offset), (0, i64::from(stored)));
    broker.stop().await;
}
