//! Quick figures, for a note and not for a verdict:
//! `cargo test --release -p forebay-broker --test speed -- --ignored --nocapture`
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use forebay_broker::Broker;
use support::*;

const CONNECTIONS: i32 = 8;
const RECORDS: usize = 500;

#[tokio::test]
#[ignore = "takes seconds and asserts no figure"]
async fn figures() {
    for fsync in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = config(dir.path());
        settings.fsync = fsync;
        let broker = Broker::start(settings).await.unwrap();
        let mut client = Client::connect(broker.local_addr());
        client.create_topic("t", CONNECTIONS, &[]);
        let one = batch(NO_PRODUCER, &[&"v".repeat(200)]);
        let mut times: Vec<Duration> = (0..3000)
            .map(|_| {
                let began = Instant::now();
                assert_eq!(client.produce("t", 0, one.clone()).error_code, 0);
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        let rate = rate(&broker);
        println!(
            "fsync {fsync}: single produce p50 {:?}, p99 {:?}; {CONNECTIONS} x {RECORDS} records of 200 B: {rate} records/s",
            times[times.len() / 2],
            times[times.len() * 99 / 100],
        );
        broker.stop().await;
    }
}

fn rate(broker: &Broker) -> usize {
    let address = broker.local_addr();
    let value = "v".repeat(200);
    let many = batch(NO_PRODUCER, &vec![value.as_str(); RECORDS]);
    let run = Duration::from_secs(3);
    let began = Instant::now();
    let batches: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..CONNECTIONS)
            .map(|partition| {
                let many = many.clone();
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    let mut sent = 0;
                    while began.elapsed() < run {
                        let row = client.produce("t", partition, many.clone());
                        assert_eq!(row.error_code, 0);
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut client = Client::connect(address);
    let ends: i64 = (0..CONNECTIONS)
        .map(|p| client.list_offset("t", p, -1).0)
        .sum();
    assert_eq!(ends as usize, batches * RECORDS + 3000);
    ((batches * RECORDS) as f64 / seconds) as usize
}
