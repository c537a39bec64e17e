//! Every metric that Forebay has: names, labels, help, units, handles.
//!
//! Handles are made once and kept, never looked up per request. Counters are
//! touched at each upkeep, so that an exporter with an idle timeout drops
//! exactly the series whose task is gone.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use forebay_kafka::produce::ProduceObserver;

use crate::activity::Activity;

const REQUESTS: &str = "forebay_requests_total";
const REQUEST_SECONDS: &str = "forebay_request_seconds";
const MESSAGES: &str = "forebay_messages_total";
const MESSAGE_BYTES: &str = "forebay_message_bytes_total";
const STAGE_SECONDS: &str = "forebay_stage_seconds";
const INFLIGHT_BYTES: &str = "forebay_inflight_bytes";
const MEMORY_LIMIT_BYTES: &str = "forebay_memory_limit_bytes";
const OLDEST_PENDING_SECONDS: &str = "forebay_oldest_pending_seconds";
const BATCH_RECORDS: &str = "forebay_batch_records";
const BATCH_BYTES: &str = "forebay_batch_bytes";
const PRODUCE_RESENDS: &str = "forebay_produce_resends_total";
const PRODUCE_BUMPS: &str = "forebay_produce_bumps_total";
const BROKER_THROTTLE_SECONDS: &str = "forebay_broker_throttle_seconds_total";
const BROKER_CONNECTED: &str = "forebay_broker_connected";
const REGISTRY_LAG_SECONDS: &str = "forebay_registry_lag_seconds";
const TASKS: &str = "forebay_tasks";
const SHED: &str = "forebay_shed_total";
const CONNECTIONS: &str = "forebay_connections";
const CLOCK_SKEW_SECONDS: &str = "forebay_clock_skew_seconds";
const CERTIFICATE_NOT_AFTER_SECONDS: &str = "forebay_certificate_not_after_seconds";
const EMBEDDED_BROKER_DISK_FREE_BYTES: &str = "forebay_embedded_broker_disk_free_bytes";
const BUILD_INFO: &str = "forebay_build_info";

/// Histogram buckets by metric name, for the exporter. Latencies from 0.1 ms
/// to the longest deadline, batches up to a request's and a frame's size.
pub const BUCKETS: &[(&str, &[f64])] = &[
    (REQUEST_SECONDS, SECONDS),
    (STAGE_SECONDS, SECONDS),
    (
        BATCH_RECORDS,
        &[
            1., 2., 5., 10., 20., 50., 100., 200., 500., 1e3, 2e3, 5e3, 1e4,
        ],
    ),
    (
        BATCH_BYTES,
        &[
            256., 1024., 4096., 16_384., 65_536., 262_144., 1_048_576., 4_194_304.,
        ],
    ),
];

const SECONDS: &[f64] = &[
    0.000_01, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1., 2.5, 5., 10., 25., 60.,
];

/// Tells the installed recorder what the metrics mean. Call it once, after a
/// recorder was installed.
pub fn describe() {
    describe_counter!(
        REQUESTS,
        Unit::Count,
        "API requests answered, by action and error code (ok where none)"
    );
    describe_histogram!(
        REQUEST_SECONDS,
        Unit::Seconds,
        "From a request's head to its answer"
    );
    describe_counter!(
        MESSAGES,
        Unit::Count,
        "Messages by task and outcome: acked, refused, unknown"
    );
    describe_counter!(
        MESSAGE_BYTES,
        Unit::Bytes,
        "Bytes of keys and values of acknowledged messages"
    );
    describe_histogram!(
        STAGE_SECONDS,
        Unit::Seconds,
        "Stages of a message: auth (checking a signature), received_to_sent, sent_to_acked"
    );
    describe_gauge!(
        INFLIGHT_BYTES,
        Unit::Bytes,
        "Bytes of requests between their head and their answer"
    );
    describe_gauge!(
        MEMORY_LIMIT_BYTES,
        Unit::Bytes,
        "Limit of forebay_inflight_bytes"
    );
    describe_gauge!(
        OLDEST_PENDING_SECONDS,
        Unit::Seconds,
        "Age of the oldest message that Kafka has not acknowledged"
    );
    describe_histogram!(
        BATCH_RECORDS,
        Unit::Count,
        "Records per batch handed to Kafka"
    );
    describe_histogram!(BATCH_BYTES, Unit::Bytes, "Bytes per batch handed to Kafka");
    describe_counter!(
        PRODUCE_RESENDS,
        Unit::Count,
        "Batches sent again with the same bytes and sequence"
    );
    describe_counter!(
        PRODUCE_BUMPS,
        Unit::Count,
        "Producer epochs bumped after a batch was given up"
    );
    describe_counter!(
        BROKER_THROTTLE_SECONDS,
        Unit::Seconds,
        "Time for which brokers asked us to pause"
    );
    describe_gauge!(
        BROKER_CONNECTED,
        Unit::Count,
        "1 while a produce connection to the broker is open"
    );
    describe_gauge!(
        REGISTRY_LAG_SECONDS,
        Unit::Seconds,
        "Time since the task registry's tail was last confirmed"
    );
    describe_gauge!(TASKS, Unit::Count, "Tasks by status");
    describe_counter!(
        SHED,
        Unit::Count,
        "Requests refused to protect the service: memory, qps, draining"
    );
    describe_gauge!(CONNECTIONS, Unit::Count, "Open HTTP connections");
    describe_gauge!(
        CLOCK_SKEW_SECONDS,
        Unit::Seconds,
        "Largest clock difference of valid signatures in the last minute"
    );
    describe_gauge!(
        CERTIFICATE_NOT_AFTER_SECONDS,
        Unit::Seconds,
        "When the TLS certificate expires, Unix time"
    );
    describe_gauge!(
        EMBEDDED_BROKER_DISK_FREE_BYTES,
        Unit::Bytes,
        "Free space where the embedded broker stores messages"
    );
    describe_gauge!(
        BUILD_INFO,
        Unit::Count,
        "1, with the version and commit as labels"
    );
}

/// `forebay_requests_total` of an action and a code.
pub fn request_counter(action: &'static str, code: &'static str) -> Counter {
    counter!(REQUESTS, "action" => action, "code" => code)
}

/// `forebay_request_seconds` of an action.
pub fn request_seconds(action: &'static str) -> Histogram {
    histogram!(REQUEST_SECONDS, "action" => action)
}

/// `forebay_stage_seconds{stage="auth"}`.
pub fn auth_seconds() -> Histogram {
    histogram!(STAGE_SECONDS, "stage" => "auth")
}

/// `forebay_connections` of a listener, `api` or `admin`.
pub fn connections(listener: &'static str) -> Gauge {
    gauge!(CONNECTIONS, "listener" => listener)
}

/// `forebay_shed_total` of a reason: `memory`, `qps` or `draining`.
pub fn shed(reason: &'static str) -> Counter {
    counter!(SHED, "reason" => reason)
}

/// `forebay_clock_skew_seconds`.
pub fn clock_skew_seconds() -> Gauge {
    gauge!(CLOCK_SKEW_SECONDS)
}

/// `forebay_certificate_not_after_seconds` of a listener, `api` or `admin`.
pub fn certificate_not_after_seconds(listener: &'static str) -> Gauge {
    gauge!(CERTIFICATE_NOT_AFTER_SECONDS, "listener" => listener)
}

/// `forebay_embedded_broker_disk_free_bytes`.
pub fn embedded_broker_disk_free_bytes() -> Gauge {
    gauge!(EMBEDDED_BROKER_DISK_FREE_BYTES)
}

/// `forebay_build_info`.
pub fn build_info(version: &'static str, commit: &'static str) -> Gauge {
    gauge!(BUILD_INFO, "version" => version, "commit" => commit)
}

/// Handles that the engine's parts share.
#[derive(Debug)]
pub struct Telemetry {
    tasks: DashMap<String, Arc<TaskMetrics>>,
    pub(crate) instances: DashMap<String, Arc<InstanceMetrics>>,
    pub(crate) batches: Arc<BatchMetrics>,
    inflight_bytes: Gauge,
    memory_limit_bytes: Gauge,
    registry_lag_seconds: Gauge,
    tasks_running: Gauge,
    tasks_paused: Gauge,
}

impl Telemetry {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            tasks: DashMap::new(),
            instances: DashMap::new(),
            batches: Arc::new(BatchMetrics {
                records: histogram!(BATCH_RECORDS),
                bytes: histogram!(BATCH_BYTES),
                received_to_sent: histogram!(STAGE_SECONDS, "stage" => "received_to_sent"),
                sent_to_acked: histogram!(STAGE_SECONDS, "stage" => "sent_to_acked"),
            }),
            inflight_bytes: gauge!(INFLIGHT_BYTES),
            memory_limit_bytes: gauge!(MEMORY_LIMIT_BYTES),
            registry_lag_seconds: gauge!(REGISTRY_LAG_SECONDS),
            tasks_running: gauge!(TASKS, "status" => "running"),
            tasks_paused: gauge!(TASKS, "status" => "paused"),
        })
    }

    /// The handles of a task, made at its first use.
    pub(crate) fn task(&self, task_id: &str) -> Arc<TaskMetrics> {
        let make = || Arc::new(TaskMetrics::new(task_id));
        Arc::clone(&self.tasks.entry(task_id.to_owned()).or_insert_with(make))
    }

    /// A task's metrics, if there was a request for it since the start.
    pub fn known_task(&self, task_id: &str) -> Option<Arc<TaskMetrics>> {
        self.tasks.get(task_id).map(|task| Arc::clone(&task))
    }

    /// Forgets a deleted task: its series go once the exporter finds them idle.
    pub(crate) fn forget_task(&self, task_id: &str) {
        self.tasks.remove(task_id);
    }

    pub(crate) fn instance(&self, instance: &str) -> Arc<InstanceMetrics> {
        let make = || Arc::new(InstanceMetrics::new(instance));
        Arc::clone(
            &self
                .instances
                .entry(instance.to_owned())
                .or_insert_with(make),
        )
    }

    pub(crate) fn set_memory(&self, in_flight: usize, limit: usize) {
        self.inflight_bytes.set(in_flight as f64);
        self.memory_limit_bytes.set(limit as f64);
    }

    pub(crate) fn set_registry(&self, lag: Option<Duration>, running: usize, paused: usize) {
        // Never confirmed yet: as stale as can be.
        self.registry_lag_seconds
            .set(lag.map_or(f64::INFINITY, |lag| lag.as_secs_f64()));
        self.tasks_running.set(running as f64);
        self.tasks_paused.set(paused as f64);
    }

    /// Keeps the series of all living tasks and instances from going idle.
    pub fn touch(&self) {
        for task in &self.tasks {
            task.touch();
        }
        for instance in &self.instances {
            instance.touch();
        }
    }
}

/// Of batches handed to Kafka.
#[derive(Debug)]
pub(crate) struct BatchMetrics {
    pub(crate) records: Histogram,
    pub(crate) bytes: Histogram,
    pub(crate) received_to_sent: Histogram,
    pub(crate) sent_to_acked: Histogram,
}

/// A task's counters.
#[derive(Debug)]
pub struct TaskMetrics {
    acked: Counter,
    refused: Counter,
    unknown: Counter,
    bytes: Counter,
    /// What people are shown of it.
    pub activity: Activity,
}

impl TaskMetrics {
    fn new(task: &str) -> Self {
        let outcome = |outcome: &'static str| counter!(MESSAGES, "task" => task.to_owned(), "outcome" => outcome);
        Self {
            acked: outcome("acked"),
            refused: outcome("refused"),
            unknown: outcome("unknown"),
            bytes: counter!(MESSAGE_BYTES, "task" => task.to_owned()),
            activity: Activity::default(),
        }
    }

    /// Counts nothing.
    #[cfg(test)]
    pub(crate) fn noop() -> Self {
        let noop = Counter::noop;
        Self {
            acked: noop(),
            refused: noop(),
            unknown: noop(),
            bytes: noop(),
            activity: Activity::default(),
        }
    }

    pub(crate) fn acked(&self, messages: u64, bytes: u64) {
        self.acked.increment(messages);
        self.bytes.increment(bytes);
    }

    /// Counts messages of this task that were refused.
    pub fn refused(&self, messages: u64) {
        self.refused.increment(messages);
    }

    pub(crate) fn unknown(&self, messages: u64) {
        self.unknown.increment(messages);
    }

    fn touch(&self) {
        for counter in [&self.acked, &self.refused, &self.unknown, &self.bytes] {
            counter.increment(0);
        }
    }
}

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
    fn new(instance: &str) -> Self {
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

    fn touch(&self) {
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
