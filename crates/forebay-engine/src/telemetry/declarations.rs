//! Every metric's name, unit, help and labels: declared here and nowhere else.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

pub(super) const REQUESTS: &str = "forebay_requests_total";
pub(super) const REQUEST_SECONDS: &str = "forebay_request_seconds";
pub(super) const MESSAGES: &str = "forebay_messages_total";
pub(super) const MESSAGE_BYTES: &str = "forebay_message_bytes_total";
pub(super) const STAGE_SECONDS: &str = "forebay_stage_seconds";
pub(super) const INFLIGHT_BYTES: &str = "forebay_inflight_bytes";
pub(super) const MEMORY_LIMIT_BYTES: &str = "forebay_memory_limit_bytes";
pub(super) const OLDEST_PENDING_SECONDS: &str = "forebay_oldest_pending_seconds";
pub(super) const BATCH_RECORDS: &str = "forebay_batch_records";
pub(super) const BATCH_BYTES: &str = "forebay_batch_bytes";
pub(super) const PRODUCE_RESENDS: &str = "forebay_produce_resends_total";
pub(super) const PRODUCE_BUMPS: &str = "forebay_produce_bumps_total";
pub(super) const BROKER_THROTTLE_SECONDS: &str = "forebay_broker_throttle_seconds_total";
pub(super) const BROKER_CONNECTED: &str = "forebay_broker_connected";
pub(super) const REGISTRY_LAG_SECONDS: &str = "forebay_registry_lag_seconds";
pub(super) const TASKS: &str = "forebay_tasks";
pub(super) const SHED: &str = "forebay_shed_total";
pub(super) const CONNECTIONS: &str = "forebay_connections";
pub(super) const CLOCK_SKEW_SECONDS: &str = "forebay_clock_skew_seconds";
pub(super) const CERTIFICATE_NOT_AFTER_SECONDS: &str = "forebay_certificate_not_after_seconds";
pub(super) const EMBEDDED_BROKER_DISK_FREE_BYTES: &str = "forebay_embedded_broker_disk_free_bytes";
pub(super) const PANICS: &str = "forebay_panics_total";
pub(super) const BUILD_INFO: &str = "forebay_build_info";

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

enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// What each metric tells, for `# HELP`.
const HELP: &[(Kind, &str, Unit, &str)] = &[
    (
        Kind::Counter,
        REQUESTS,
        Unit::Count,
        "API requests answered, by action and error code (ok where none)",
    ),
    (
        Kind::Histogram,
        REQUEST_SECONDS,
        Unit::Seconds,
        "From a request's head to its answer",
    ),
    (
        Kind::Counter,
        MESSAGES,
        Unit::Count,
        "Messages by task and outcome: acked, refused, unknown",
    ),
    (
        Kind::Counter,
        MESSAGE_BYTES,
        Unit::Bytes,
        "Bytes of keys and values of acknowledged messages",
    ),
    (
        Kind::Histogram,
        STAGE_SECONDS,
        Unit::Seconds,
        "Stages of a message: auth (checking a signature), received_to_sent, sent_to_acked",
    ),
    (
        Kind::Gauge,
        INFLIGHT_BYTES,
        Unit::Bytes,
        "Bytes of requests between their head and their answer",
    ),
    (
        Kind::Gauge,
        MEMORY_LIMIT_BYTES,
        Unit::Bytes,
        "Limit of forebay_inflight_bytes",
    ),
    (
        Kind::Gauge,
        OLDEST_PENDING_SECONDS,
        Unit::Seconds,
        "Age of the oldest message that Kafka has not acknowledged",
    ),
    (
        Kind::Histogram,
        BATCH_RECORDS,
        Unit::Count,
        "Records per batch handed to Kafka",
    ),
    (
        Kind::Histogram,
        BATCH_BYTES,
        Unit::Bytes,
        "Bytes per batch handed to Kafka",
    ),
    (
        Kind::Counter,
        PRODUCE_RESENDS,
        Unit::Count,
        "Batches sent again with the same bytes and sequence",
    ),
    (
        Kind::Counter,
        PRODUCE_BUMPS,
        Unit::Count,
        "Producer epochs bumped after a batch was given up",
    ),
    (
        Kind::Counter,
        BROKER_THROTTLE_SECONDS,
        Unit::Seconds,
        "Time for which brokers asked us to pause",
    ),
    (
        Kind::Gauge,
        BROKER_CONNECTED,
        Unit::Count,
        "1 while a produce connection to the broker is open",
    ),
    (
        Kind::Gauge,
        REGISTRY_LAG_SECONDS,
        Unit::Seconds,
        "Time since the task registry's tail was last confirmed",
    ),
    (Kind::Gauge, TASKS, Unit::Count, "Tasks by status"),
    (
        Kind::Counter,
        SHED,
        Unit::Count,
        "Requests refused to protect the service: memory, qps, draining",
    ),
    (
        Kind::Gauge,
        CONNECTIONS,
        Unit::Count,
        "Open HTTP connections",
    ),
    (
        Kind::Gauge,
        CLOCK_SKEW_SECONDS,
        Unit::Seconds,
        "Largest clock difference of valid signatures in the last minute",
    ),
    (
        Kind::Gauge,
        CERTIFICATE_NOT_AFTER_SECONDS,
        Unit::Seconds,
        "When the TLS certificate expires, Unix time",
    ),
    (
        Kind::Gauge,
        EMBEDDED_BROKER_DISK_FREE_BYTES,
        Unit::Bytes,
        "Free space where the embedded broker stores messages",
    ),
    (
        Kind::Counter,
        PANICS,
        Unit::Count,
        "Faults of the program itself; what had one was started again",
    ),
    (
        Kind::Gauge,
        BUILD_INFO,
        Unit::Count,
        "1, with the version and commit as labels",
    ),
];

/// Tells the installed recorder what the metrics mean. Call it once, after a
/// recorder was installed.
pub fn describe() {
    for (kind, name, unit, help) in HELP {
        match kind {
            Kind::Counter => describe_counter!(*name, *unit, *help),
            Kind::Gauge => describe_gauge!(*name, *unit, *help),
            Kind::Histogram => describe_histogram!(*name, *unit, *help),
        }
    }
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

/// `forebay_panics_total`.
pub fn panics() -> Counter {
    counter!(PANICS)
}

/// `forebay_build_info`.
pub fn build_info(version: &'static str, commit: &'static str) -> Gauge {
    gauge!(BUILD_INFO, "version" => version, "commit" => commit)
}
