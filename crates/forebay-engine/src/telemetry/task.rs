//! What is counted of a task.

use metrics::{Counter, counter};

use super::declarations::{MESSAGE_BYTES, MESSAGES};
use crate::activity::Activity;

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
    pub(super) fn new(task: &str) -> Self {
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

    pub(super) fn touch(&self) {
        for counter in [&self.acked, &self.refused, &self.unknown, &self.bytes] {
            counter.increment(0);
        }
    }
}
