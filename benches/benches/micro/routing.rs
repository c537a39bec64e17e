//! Which partition a message goes to.

use std::time::Duration;

use divan::{Bencher, black_box, counter::ItemsCount};
use forebay_engine::{
    OutgoingMessage,
    bench_support::DetachedTopic,
    route::{murmur2, partition_for_key},
};
use tokio::time::Instant;

use crate::{
    payload::{NOW_MS, Text, samples},
    writers::{SilentWriter, some},
};

/// Keys that are hashed one after another.
const KEYS: usize = 100;

#[divan::bench]
fn murmur2_of_100_keys_of_16_bytes(bencher: Bencher) {
    let samples = samples(KEYS, Text::Plain);
    bencher.counter(ItemsCount::new(KEYS)).bench(|| {
        for sample in black_box(&samples) {
            black_box(murmur2(sample.key.as_bytes()));
        }
    });
}

#[divan::bench(args = [8, 1000])]
fn partition_of_100_keys_of_16_bytes_among_n(bencher: Bencher, partitions: usize) {
    let samples = samples(KEYS, Text::Plain);
    bencher.counter(ItemsCount::new(KEYS)).bench(|| {
        for sample in black_box(&samples) {
            black_box(partition_for_key(sample.key.as_bytes(), partitions));
        }
    });
}

/// Once a request, however many messages it has: the first one will do.
#[divan::bench(args = [8, 1000])]
fn keyless_request_among_n_idle_partitions(bencher: Bencher, partitions: usize) {
    keyless(bencher, partitions, 0);
}

/// The burdens of all have to be compared.
#[divan::bench(args = [8, 1000])]
fn keyless_request_among_n_busy_partitions(bencher: Bencher, partitions: usize) {
    keyless(bencher, partitions, partitions);
}

/// With that many messages handed over before, each to the least burdened.
fn keyless(bencher: Bencher, partitions: usize, waiting: usize) {
    let system = actix_rt::System::new();
    let topic = system.block_on(async {
        let topic = DetachedTopic::start(some::<SilentWriter>(partitions));
        let message = OutgoingMessage {
            key: None,
            value: b"x",
        };
        let deadline = Instant::now() + Duration::from_secs(3600);
        for _ in 0..waiting {
            let delivery = topic.submit(&[message], 1, NOW_MS, deadline);
            drop(delivery.expect("it fits"));
        }
        topic
    });
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| topic.keyless_partition());
}
