//! What is counted of an instance.

use std::time::Duration;

use dashmap::DashMap;
use forebay_kafka::produce::ProduceObserver;
use metrics::{Counter, Gauge, counter, gauge};

use super::declarations::{
    BROKER_CONNECTED, BROKER_THROTTLE_SECONDS, OLDEST_PENDING_SECONDS, PRODUCE_BUMPS,
    PRODUCE_RESENDS,
};

/// An instance's counters; what its produce connections report to.
#[derive(Debug)]
pub struct InstanceMetrics {
    instance: String,
    resends: Counter,
    bumps: Counter,
    throttle_seconds: Counter,
    /// Counters hold whole numbers: the rest of a second waits here.
    throttle_rest_ms: std::sync::atomic::AtomicU64,
    oldest_pending: Gauge,
    /// Open produce connections by broker: there may be several.
    connections: DashMap<i32, u32>,
}

impl InstanceMetrics {
    pub(super) fn new(instance: &str) -> Self {
        let label = instance.to_owned();
        Self {
            resends: counter!(PRODUCE_RESENDS, "instance" => label.clone()),
            bumps: counter!(PRODUCE_BUMPS, "instance" => label.clone()),
            throttle_seconds: counter!(BROKER_THROTTLE_SECONDS, "instance" => label.clone()),
            throttle_rest_ms: std::sync::atomic::AtomicU64::new(0),
            oldest_pending: gauge!(OLDEST_PENDING_SECONDS, "instance" => label.clone()),
            instance: label,
            connections: DashMap::new(),
        }
    }

    pub(crate) fn set_oldest_pending(&self, age: Duration) {
        self.oldest_pending.set(age.as_secs_f64());
    }

    /// Whether a produce connection to the broker is open.
    pub(crate) fn is_connected(&self, broker: i32) -> bool {
        self.connections.get(&broker).is_some_and(|open| *open > 0)
    }

    pub(super) fn touch(&self) {
        for counter in [&self.resends, &self.bumps, &self.throttle_seconds] {
            counter.increment(0);
        }
    }
}

impl ProduceObserver for InstanceMetrics {
    fn resent(&self) {
        self.resends.increment(1);
    }

    fn bumped(&self) {
        self.bumps.increment(1);
    }

    fn throttled(&self, pause: Duration) {
        use std::sync::atomic::Ordering::Relaxed;
        let total = self
            .throttle_rest_ms
            .fetch_add(pause.as_millis() as u64, Relaxed)
            + pause.as_millis() as u64;
        let seconds = total / 1000;
        if seconds > 0 {
            self.throttle_rest_ms.fetch_sub(seconds * 1000, Relaxed);
            self.throttle_seconds.increment(seconds);
        }
    }

    fn connected(&self, broker: i32, up: bool) {
        let open = {
            let mut open = self.connections.entry(broker).or_insert(0);
            *open = if up {
                *open + 1
            } else {
                open.saturating_sub(1)
            };
            *open > 0
        };
        let labels = [
            ("instance", self.instance.clone()),
            ("broker", broker.to_string()),
        ];
        gauge!(BROKER_CONNECTED, &labels).set(f64::from(u8::from(open)));
    }
}
