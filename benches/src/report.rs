//! The report, as it is written as JSON. `benches/README.md` explains it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::machine::Machine;
use crate::options::Options;
use crate::tally::{Latencies, millis};
pub use crate::tally::{Problem, Problems};

/// Everything about a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of the load generator.
    pub version: &'static str,
    /// When the run began, Unix seconds.
    pub started_unix_seconds: u64,
    /// `closed`, `open` or `ramp`.
    pub mode: &'static str,
    /// Ended by hand before its time.
    pub interrupted: bool,
    /// The command line.
    pub options: Options,
    /// Where the load came from.
    pub machine: Machine,
    /// The measured time. After a ramp: at the rate that was found.
    pub measured: Measured,
    /// From the first request to the last.
    pub whole_run: WholeRun,
    /// Whether what was answered is true.
    pub checks: Checks,
    /// Of the load generator itself.
    pub own: OwnUsage,
    /// Of the process of `--pid`.
    pub gateway: Option<GatewayUsage>,
    /// Steps of a ramp, in the order they were tried.
    pub ramp: Option<Vec<RampStep>>,
    /// What makes the figures doubtful.
    pub warnings: Vec<String>,
}

/// What was measured between warm-up and end.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Length of the measured time.
    pub seconds: f64,
    /// Answers that came in it.
    pub requests: u64,
    /// Messages acknowledged in it.
    pub acknowledged_messages: u64,
    /// Requests in it that were refused, wholly or in part, or lost.
    pub failed_requests: u64,
    /// Answers a second.
    pub requests_per_second: f64,
    /// Acknowledged messages a second.
    pub messages_per_second: f64,
    /// Keys and values of those, 10^6 bytes a second.
    pub megabytes_per_second: f64,
    /// Of requests wholly acknowledged that were due in it. In an open loop
    /// from when each was due, which corrects for coordinated omission.
    pub latency: LatencySummary,
    /// Open loop: the same from when each was really sent.
    pub service_time: Option<LatencySummary>,
    /// Open loop: how the schedule was kept.
    pub schedule: Option<Schedule>,
    /// For plots: latencies at rising percentiles.
    pub percentiles: Vec<PercentilePoint>,
}

/// Latencies in milliseconds.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LatencySummary {
    pub count: u64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

impl LatencySummary {
    pub(crate) fn of(latencies: &Latencies) -> Self {
        Self {
            count: latencies.0.len(),
            mean_ms: latencies.0.mean() / 1e3,
            p50_ms: latencies.quantile_ms(0.5),
            p90_ms: latencies.quantile_ms(0.9),
            p99_ms: latencies.quantile_ms(0.99),
            p999_ms: latencies.quantile_ms(0.999),
            max_ms: millis(latencies.0.max()),
        }
    }
}

/// A point of the percentile plot.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PercentilePoint {
    /// 0 to 100.
    pub percentile: f64,
    /// That many per cent took at most this.
    pub ms: f64,
}

/// Points from the median's side to the last one that a single latency makes.
pub(crate) fn percentile_points(latencies: &Latencies) -> Vec<PercentilePoint> {
    if latencies.0.is_empty() {
        return Vec::new();
    }
    let steps = latencies.0.iter_quantiles(5);
    let mut points: Vec<PercentilePoint> = steps
        .map(|step| PercentilePoint {
            percentile: step.quantile_iterated_to() * 100.0,
            ms: millis(step.value_iterated_to().min(latencies.0.max())),
        })
        .collect();
    // The iterator repeats the largest value until it has reached 1.
    let largest = points.last().map_or(0.0, |point| point.ms);
    let first = points.iter().position(|point| point.ms >= largest);
    points.truncate(first.map_or(points.len(), |first| first + 1));
    points
}

/// An open loop's schedule.
#[derive(Clone, Debug, Serialize)]
pub struct Schedule {
    /// Requests a second that were due.
    pub rate: f64,
    /// How late the generator itself was, connections being free.
    pub lag_p99_ms: f64,
    /// Most requests that waited for a free connection.
    pub most_waiting: usize,
    /// Requests given up, because too many waited or the end was long past.
    pub not_sent: u64,
}

/// From the first request to the last, warm-up, ramp and idle connections
/// included.
#[derive(Clone, Debug, Serialize)]
pub struct WholeRun {
    /// Requests sent.
    pub requests: u64,
    /// Messages acknowledged.
    pub acknowledged_messages: u64,
    /// Messages certainly not stored.
    pub refused_messages: u64,
    /// Messages of which nobody knows.
    pub unknown_messages: u64,
    /// Requests refused, by code.
    pub refused: Problems,
    /// Requests with an unknown outcome, by code or event.
    pub unknown: Problems,
    /// Connections lost or not made.
    pub connections: Problems,
}

/// Whether what was answered is true.
#[derive(Clone, Debug, Serialize)]
pub struct Checks {
    /// All of them; decides the exit status.
    pub passed: bool,
    /// What is wrong, by kind, with examples.
    pub faults: Problems,
    /// Different topic-partition-offsets in all MessageIds.
    pub distinct_offsets: u64,
    /// Partitions they are in.
    pub partitions: usize,
    /// Growth of the topics.
    pub kafka: Option<KafkaCheck>,
    /// Connections held beside the load.
    pub idle: Option<IdleCheck>,
}

/// What Kafka has against what was acknowledged.
#[derive(Clone, Debug, Serialize)]
pub struct KafkaCheck {
    /// By how much the sum of the end offsets grew, by topic.
    pub growth: BTreeMap<String, i64>,
    /// At least this was to be expected: acknowledged messages.
    pub at_least: u64,
    /// At most this: with those whose outcome is unknown.
    pub at_most: u64,
    /// What that means.
    pub verdict: String,
}

/// Idle connections.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct IdleCheck {
    /// How many were asked for.
    pub asked: u32,
    /// How many were open at the end.
    pub open: u32,
}

/// What the load generator itself took in the measured time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OwnUsage {
    /// CPU microseconds of its load threads.
    pub cpu_us_per_request: f64,
    /// The same for an acknowledged message.
    pub cpu_us_per_message: f64,
    /// How busy the busiest thread was, 0 to 1.
    pub busiest_thread: f64,
}

/// What a process took in the measured time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GatewayUsage {
    /// Its id.
    pub pid: u32,
    /// CPU seconds, user and system.
    pub cpu_seconds: f64,
    /// Cores it had on average.
    pub cores: f64,
    /// CPU microseconds for an acknowledged message.
    pub cpu_us_per_message: f64,
    /// The same for a request.
    pub cpu_us_per_request: f64,
    /// Resident memory before the run, in bytes.
    pub rss_start_bytes: u64,
    /// The most that was seen, at five looks a second.
    pub rss_max_bytes: u64,
}

/// A step of a ramp.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RampStep {
    /// Requests a second that were due.
    pub rate: f64,
    /// Requests a second that were answered.
    pub answered: f64,
    /// From when each was due.
    pub p99_ms: f64,
    /// Requests that failed or were not sent.
    pub failed: u64,
    /// Whether that counts as sustained.
    pub sustained: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn points_rise_and_end_at_the_largest() {
        let mut latencies = Latencies::new();
        for millis in 1..=1000 {
            latencies.record(Duration::from_millis(millis));
        }
        let points = percentile_points(&latencies);
        assert!(points.len() > 20);
        let rising = |pair: &[PercentilePoint]| {
            pair[0].percentile <= pair[1].percentile && pair[0].ms <= pair[1].ms
        };
        assert!(points.windows(2).all(rising));
        let last = points.last().unwrap();
        assert!((999.0..1001.0).contains(&last.ms), "{last:?}");
        assert!(percentile_points(&Latencies::new()).is_empty());
    }
}
