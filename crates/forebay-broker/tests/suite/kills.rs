//! `kill -9` under load.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::batches::{NO_PRODUCER, batch};
use crate::target::{Target, await_that};
use crate::wire::Client;

const PARTITIONS: i32 = 4;
const ACKED_BEFORE_THE_KILL: usize = 500;

#[tokio::test]
async fn embedded_keeps_every_acknowledged_record_and_cuts_torn_tails() {
    if let Some(mut target) = Target::embedded_process().await {
        every_acknowledged_record_outlives_kills(&mut target, 3).await;
        target.stop().await;
    }
}

#[tokio::test]
async fn apache_keeps_every_acknowledged_record() {
    if let Some(mut target) = Target::own_apache().await {
        every_acknowledged_record_outlives_kills(&mut target, 1).await;
        target.stop().await;
    }
}

/// What one writer did: its producer, and how many batches were answered.
struct Written {
    producer: i64,
    acked: i32,
}

async fn every_acknowledged_record_outlives_kills(target: &mut Target, rounds: usize) {
    // Small segments, so that kills also meet the change from one to the next;
    // Apache Kafka allows no smaller ones than 1 MiB (KIP-1030).
    let segment_bytes = if target.is_embedded() {
        "16384"
    } else {
        "1048576"
    };
    let topic = target.create_topic(PARTITIONS, &[("segment.bytes", segment_bytes)]);
    let mut expected: Vec<Vec<String>> = vec![Vec::new(); PARTITIONS as usize];
    let mut producers = Vec::new();
    for round in 0..rounds {
        let written = write_until_killed(target, &topic, round);
        if let Some(directory) = target.data_dir() {
            tear_tails(directory);
        }
        target.start_again().await;
        target.await_topic(&topic, PARTITIONS);
        let mut client = target.connect();
        for (partition, written) in (0..).zip(&written) {
            let id = written.producer;
            assert!(!producers.contains(&id), "producer ids come once");
            producers.push(id);
            let expected = &mut expected[partition as usize];
            // The one without an answer: stored now if it was not before.
            let last = value_of(round, written.acked);
            let sent = batch((id, 0, written.acked), &[&last]);
            let row = client.produce(&topic, partition, sent);
            assert_eq!(row.error_code, 0);
            expected.extend((0..=written.acked).map(|n| value_of(round, n)));
            assert_eq!(row.base_offset, expected.len() as i64 - 1);
            let found = client.read_all(&topic, partition);
            assert!((0..).zip(&found).all(|(n, (offset, _))| *offset == n));
            let found: Vec<String> = found.into_iter().map(|(_, value)| value).collect();
            assert!(found == *expected, "round {round}, partition {partition}");
        }
    }
}

fn value_of(round: usize, sequence: i32) -> String {
    format!("round {round}, record {sequence}")
}

/// One writer a partition; killed once enough has been acknowledged.
fn write_until_killed(target: &mut Target, topic: &str, round: usize) -> Vec<Written> {
    let acked = AtomicUsize::new(0);
    let address = target.address();
    std::thread::scope(|scope| {
        let start = |partition| {
            let acked = &acked;
            scope.spawn(move || write(address, topic, partition, round, acked))
        };
        let writers: Vec<_> = (0..PARTITIONS).map(start).collect();
        await_that("enough is acknowledged", || {
            acked.load(Ordering::Relaxed) >= ACKED_BEFORE_THE_KILL
        });
        target.kill();
        let ended = writers.into_iter().map(|writer| writer.join().unwrap());
        ended.collect()
    })
}

/// Sends numbered records, one at a time, until the connection breaks.
fn write(
    address: SocketAddr,
    topic: &str,
    partition: i32,
    round: usize,
    acked: &AtomicUsize,
) -> Written {
    let mut client = Client::connect(address);
    let producer = client.producer_id();
    for sequence in 0.. {
        let sent = batch((producer, 0, sequence), &[&value_of(round, sequence)]);
        let Ok(row) = client.try_produce(topic, partition, sent) else {
            return Written {
                producer,
                acked: sequence,
            };
        };
        assert_eq!(row.error_code, 0);
        acked.fetch_add(1, Ordering::Relaxed);
    }
    unreachable!("sequences do not end here")
}

/// Half a batch behind the last whole one, as a power cut leaves it.
fn tear_tails(data_dir: &Path) {
    for partition in 0..PARTITIONS {
        let directory = data_dir.join("logs/1").join(partition.to_string());
        let entries = std::fs::read_dir(directory).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        let segments = files.filter(|path| path.extension().is_some_and(|end| end == "log"));
        let last = segments.max().unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(last).unwrap();
        let half = batch(NO_PRODUCER, &["torn"]);
        file.write_all(&half[..half.len() / 2]).unwrap();
    }
}
