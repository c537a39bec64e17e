//! From routing to acknowledgement: partitions chosen, messages encoded into
//! open batches, producer actors woken, batches sealed and frozen, parts
//! settled, requests woken. All but HTTP, parsing and Kafka.
//!
//! Everything runs on one thread, as where producers share it with an HTTP
//! worker. Metrics are not recorded: there is no recorder in this process.

use std::{fmt, time::Duration};

use divan::{
    Bencher, black_box, black_box_drop,
    counter::{BytesCount, ItemsCount},
};
use forebay_engine::{OutgoingMessage, bench_support::DetachedTopic};
use tokio::time::Instant;

use crate::{
    payload::{KEY_BYTES, NOW_MS, Text, VALUE_BYTES, outgoing, samples},
    writers::{InstantWriter, some},
};

/// Never reached.
const DEADLINE: Duration = Duration::from_secs(25);

/// What is under way at the same time.
#[derive(Clone, Copy, Debug)]
struct Load {
    requests: usize,
    messages: usize,
}

const LOADS: [Load; 6] = [
    Load::new(1, 1),
    Load::new(1, 10),
    Load::new(1, 100),
    Load::new(64, 1),
    Load::new(64, 10),
    Load::new(64, 100),
];

impl Load {
    const fn new(requests: usize, messages: usize) -> Self {
        Self { requests, messages }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.requests, self.messages)
    }
}

/// Hands all requests over, then waits for each.
async fn deliver(topic: &DetachedTopic, requests: &[&[OutgoingMessage<'_>]]) {
    let deadline = Instant::now() + DEADLINE;
    let mut deliveries = Vec::with_capacity(requests.len());
    for messages in requests {
        let bytes = messages.len() * (KEY_BYTES + VALUE_BYTES);
        let delivery = topic.submit(black_box(messages), bytes, NOW_MS, deadline);
        deliveries.push(delivery.expect("every message fits"));
    }
    for delivery in deliveries {
        let report = delivery.outcome().await;
        assert!(report.all_stored(), "{report:?}");
        black_box_drop(report);
    }
}

fn commit(bencher: Bencher, load: Load, partitions: usize) {
    let all = load.requests * load.messages;
    let samples = samples(all, Text::Plain);
    let messages = outgoing(&samples);
    let requests: Vec<_> = messages.chunks(load.messages).collect();
    let system = actix_rt::System::new();
    let topic = system.block_on(async { DetachedTopic::start(some::<InstantWriter>(partitions)) });
    bencher
        .counter(ItemsCount::new(all))
        .counter(BytesCount::new(all * (KEY_BYTES + VALUE_BYTES)))
        .bench_local(|| system.block_on(deliver(&topic, &requests)));
}

#[divan::bench(args = LOADS)]
fn one_partition_requests_x_messages_of_216_bytes(bencher: Bencher, load: Load) {
    commit(bencher, load, 1);
}

#[divan::bench(args = LOADS)]
fn eight_partitions_requests_x_messages_of_216_bytes(bencher: Bencher, load: Load) {
    commit(bencher, load, 8);
}

#[divan::bench(args = LOADS)]
fn thousand_partitions_requests_x_messages_of_216_bytes(bencher: Bencher, load: Load) {
    commit(bencher, load, 1000);
}
