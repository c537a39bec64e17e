//! Counts requests. Handles are kept in a fixed table: no lookup by name per
//! request, no lock, and no series for an action and code never seen.

use std::sync::OnceLock;
use std::time::Duration;

use forebay_api::{Action, ErrorCode};
use forebay_engine::telemetry;
use metrics::{Counter, Gauge, Histogram};

/// Code label of a request without an error.
const OK: &str = "ok";
/// Action label of an unknown action: callers must not make series.
const OTHER: &str = "other";

/// One per process.
pub(crate) struct RequestMetrics {
    counters: Vec<OnceLock<Counter>>,
    seconds: Vec<OnceLock<Histogram>>,
    pub(crate) auth_seconds: Histogram,
    pub(crate) shed_memory: Counter,
    pub(crate) shed_qps: Counter,
    pub(crate) shed_draining: Counter,
    pub(crate) clock_skew_seconds: Gauge,
}

impl RequestMetrics {
    pub(crate) fn new() -> Self {
        let actions = Action::ALL.len() + 1;
        let codes = ErrorCode::ALL.len() + 1;
        Self {
            counters: (0..actions * codes).map(|_| OnceLock::new()).collect(),
            seconds: (0..actions).map(|_| OnceLock::new()).collect(),
            auth_seconds: telemetry::auth_seconds(),
            shed_memory: telemetry::shed("memory"),
            shed_qps: telemetry::shed("qps"),
            shed_draining: telemetry::shed("draining"),
            clock_skew_seconds: telemetry::clock_skew_seconds(),
        }
    }

    /// Counts one answered request.
    pub(crate) fn answered(
        &self,
        action: Option<Action>,
        code: Option<ErrorCode>,
        elapsed: Duration,
    ) {
        let (row, action) = match action {
            Some(action) => (1 + action as usize, action.as_str()),
            None => (0, OTHER),
        };
        let (column, code) = match code {
            Some(code) => (1 + code as usize, code.as_str()),
            None => (0, OK),
        };
        let cell = row * (ErrorCode::ALL.len() + 1) + column;
        self.counters[cell]
            .get_or_init(|| telemetry::request_counter(action, code))
            .increment(1);
        self.seconds[row]
            .get_or_init(|| telemetry::request_seconds(action))
            .record(elapsed.as_secs_f64());
    }

    /// Keeps live series from being dropped as idle.
    pub(crate) fn touch(&self) {
        for counter in self.counters.iter().filter_map(OnceLock::get) {
            counter.increment(0);
        }
        self.shed_memory.increment(0);
        self.shed_qps.increment(0);
        self.shed_draining.increment(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_and_code_has_its_own_cell() {
        // The table relies on discriminants counting up from 0.
        for (index, action) in Action::ALL.iter().enumerate() {
            assert_eq!(*action as usize, index);
        }
        for (index, code) in ErrorCode::ALL.iter().enumerate() {
            assert_eq!(*code as usize, index);
        }
    }
}
