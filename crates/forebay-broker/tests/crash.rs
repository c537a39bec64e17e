//! A broker process killed under load, and a disk without space.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use forebay_broker::Broker;
use kafka_protocol::messages::{ProduceRequest, RequestHeader};
use support::*;

const DIRECTORY: &str = "FOREBAY_BROKER_TEST_DIRECTORY";
const LISTEN: &str = "FOREBAY_BROKER_TEST_LISTEN";
const NO_FSYNC: &str = "FOREBAY_BROKER_TEST_NO_FSYNC";
const PARTITIONS: i32 = 4;

/// Not a test: the process that the tests start and kill. By hand, with a
/// directory and an address in the environment, it serves until killed.
#[tokio::test]
#[ignore = "run by the other tests as a process of its own"]
async fn child_broker() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let mut settings = config(&directory);
    settings.fsync = std::env::var_os(NO_FSYNC).is_none();
    if let Ok(listen) = std::env::var(LISTEN) {
        settings.listen = listen.parse().unwrap();
    }
    let broker = Broker::start(settings).await.unwrap();
    let address = directory.join("address.new");
    std::fs::write(&address, broker.local_addr().to_string()).unwrap();
    std::fs::rename(address, directory.join("address")).unwrap();
    std::future::pending::<()>().await;
}

/// Killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        if self.0.kill().is_ok() {
            self.0.wait().unwrap();
        }
    }
}

fn spawn(directory: &Path) -> (Process, SocketAddr) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_broker", "--ignored"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let process = Process(child);
    let address = directory.join("address");
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(text) = std::fs::read_to_string(&address) {
            std::fs::remove_file(address).unwrap();
            return (process, text.parse().unwrap());
        }
        assert!(Instant::now() < deadline, "the child does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends numbered records, one batch at a time, until the connection breaks;
/// answers how many were acknowledged.
fn produce_until_killed(
    address: SocketAddr,
    partition: i32,
    producer: i64,
    acked: &AtomicUsize,
) -> i32 {
    let mut client = Client::connect(address);
    for sequence in 0.. {
        let value = sequence.to_string();
        let request = produce_request("t", partition, batch((producer, 0, sequence), &[&value]));
        let frame = frame_of(&request);
        let Ok(()) = client.stream.write_all(&frame) else {
            return sequence;
        };
        let Ok(answer) = client.frame() else {
            return sequence;
        };
        assert!(answer.len() > 20);
        acked.fetch_add(1, Ordering::Relaxed);
    }
    unreachable!()
}

fn frame_of(request: &ProduceRequest) -> Vec<u8> {
    use kafka_protocol::protocol::Encodable;
    let header = RequestHeader::default()
        .with_request_api_key(0)
        .with_request_api_version(7);
    let mut body = bytes::BytesMut::new();
    header.encode(&mut body, 1).unwrap();
    request.encode(&mut body, 7).unwrap();
    [&(body.len() as i32).to_be_bytes()[..], &body].concat()
}

#[tokio::test]
async fn every_acknowledged_record_outlives_kills_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = vec![0; PARTITIONS as usize];
    let mut producers = Vec::new();
    for round in 0..3 {
        let (process, address) = spawn(dir.path());
        let mut client = Client::connect(address);
        if round == 0 {
            assert_eq!(
                client.create_topic("t", PARTITIONS, &[("segment.bytes", "16384")]),
                0
            );
        }
        let acked = AtomicUsize::new(0);
        let ids: Vec<i64> = (0..PARTITIONS).map(|_| client.producer_id()).collect();
        assert!(
            ids.iter().all(|id| !producers.contains(id)),
            "producer ids come once"
        );
        producers.extend(&ids);
        let acked_of: Vec<i32> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..PARTITIONS)
                .map(|partition| {
                    let (id, acked) = (ids[partition as usize], &acked);
                    scope.spawn(move || produce_until_killed(address, partition, id, acked))
                })
                .collect();
            let deadline = Instant::now() + PATIENCE;
            while acked.load(Ordering::Relaxed) < 1000 {
                assert!(Instant::now() < deadline, "only {acked:?} acknowledged");
                std::thread::yield_now();
            }
            drop(process);
            writers
                .into_iter()
                .map(|writer| writer.join().unwrap())
                .collect()
        });
        tear_tails(dir.path());
        let (broker, mut client) = start(dir.path()).await;
        for partition in 0..PARTITIONS {
            let sent = acked_of[partition as usize];
            // The one without an answer: stored now if it was not before.
            let value = sent.to_string();
            let id = ids[partition as usize];
            let row = client.produce("t", partition, batch((id, 0, sent), &[&value]));
            assert_eq!(row.error_code, 0);
            let found = client.read_all("t", partition);
            let (base, total) = (expected[partition as usize], found.len());
            assert_eq!(total as i32 - base, sent + 1, "partition {partition}");
            for (n, (offset, value)) in (0..).zip(&found[base as usize..]) {
                assert_eq!(
                    (*offset, value.clone()),
                    (i64::from(base + n), n.to_string())
                );
            }
            expected[partition as usize] = total as i32;
        }
        broker.stop().await;
    }
}

/// Half a batch behind the last whole one, as a power cut leaves it.
fn tear_tails(data_dir: &Path) {
    for partition in 0..PARTITIONS {
        let directory = data_dir.join("logs/1").join(partition.to_string());
        let entries = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let last = entries
            .filter(|path| path.extension().is_some_and(|e| e == "log"))
            .max()
            .unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(last).unwrap();
        let half = batch(NO_PRODUCER, &["torn"]);
        file.write_all(&half[..half.len() / 2]).unwrap();
    }
}

/// A small file system; `None` where this process may not mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.unwrap().success());
    }
}

#[tokio::test]
async fn a_full_disk_refuses_clearly_reads_go_on_and_space_heals() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: no right to mount a small tmpfs here");
        return;
    };
    let (broker, mut client) = start(disk.0.path()).await;
    assert_eq!(client.create_topic("t", 1, &[]), 0);
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![1; 400_000]).unwrap();
    let id = client.producer_id();
    let value = "v".repeat(20_000);
    let mut stored = 0;
    let refused = loop {
        let row = client.produce("t", 0, batch((id, 0, stored), &[&value]));
        if row.error_code != 0 {
            break row;
        }
        stored += 1;
        assert!(stored < 100, "the disk is never full");
    };
    assert!(stored > 5);
    assert_eq!(refused.error_code, 56);
    assert!(refused.error_message.unwrap().contains("cannot write"));
    assert_eq!(client.read_all("t", 0).len(), stored as usize);
    // Not even a topic fits; nothing half-made is left of it.
    std::fs::write(disk.0.path().join("rest"), vec![1; 100_000]).unwrap_err();
    assert_eq!(client.create_topic("u", 1, &[]), 56);
    std::fs::remove_file(ballast).unwrap();
    assert!(broker.disk_free_bytes().unwrap() > 300_000);
    // The very batch that was refused is next.
    let row = client.produce("t", 0, batch((id, 0, stored), &[&value]));
    assert_eq!((row.error_code, row.base_offset), (0, i64::from(stored)));
    std::fs::remove_file(disk.0.path().join("rest")).unwrap();
    assert_eq!(client.create_topic("u", 1, &[]), 0);
    broker.stop().await;
    let (broker, mut client) = start(disk.0.path()).await;
    assert_eq!(client.read_all("t", 0).len(), stored as usize + 1);
    broker.stop().await;
}
