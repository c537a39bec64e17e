//! What is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Examples kept of each kind of problem.
const EXAMPLES: usize = 5;
/// Longest example, in characters.
const EXAMPLE_CHARS: usize = 300;
/// Kinds of problems; all further ones are one kind.
const KINDS: usize = 100;

/// How often something happened, and what it looked like at first.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Problem {
    /// How often.
    pub count: u64,
    /// The first ones.
    pub examples: Vec<String>,
}

/// Problems by kind.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Problems {
    /// In alphabetical order.
    pub kinds: BTreeMap<String, Problem>,
}

impl Problems {
    /// Counts one, with its example if it is one of the first.
    pub(crate) fn note(&mut self, kind: &str, example: impl FnOnce() -> String) {
        let kind = if self.kinds.len() < KINDS || self.kinds.contains_key(kind) {
            kind
        } else {
            "others"
        };
        let problem = self.kinds.entry(kind.to_owned()).or_default();
        problem.count += 1;
        if problem.examples.len() < EXAMPLES {
            let example = example().chars().take(EXAMPLE_CHARS).collect::<String>();
            if !example.is_empty() && !problem.examples.contains(&example) {
                problem.examples.push(example);
            }
        }
    }

    /// Takes in those of another thread.
    pub(crate) fn merge(&mut self, other: Self) {
        for (kind, more) in other.kinds {
            let problem = self.kinds.entry(kind).or_default();
            problem.count += more.count;
            let room = EXAMPLES.saturating_sub(problem.examples.len());
            problem
                .examples
                .extend(more.examples.into_iter().take(room));
        }
    }

    /// How many of all kinds.
    pub fn total(&self) -> u64 {
        self.kinds.values().map(|problem| problem.count).sum()
    }
}

/// Everything from the first request to the last, warm-up included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Requests that were sent.
    pub(crate) requests: u64,
    pub(crate) acked_messages: u64,
    pub(crate) refused_messages: u64,
    pub(crate) unknown_messages: u64,
    /// Requests that were refused, by code.
    pub(crate) refused: Problems,
    /// Requests with an unknown outcome, by code or by what happened.
    pub(crate) unknown: Problems,
    /// Connections that were lost or not made.
    pub(crate) connections: Problems,
    /// Answers that are not true.
    pub(crate) faults: Problems,
}

impl Tally {
    pub(crate) fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.acked_messages += other.acked_messages;
        self.refused_messages += other.refused_messages;
        self.unknown_messages += other.unknown_messages;
        self.refused.merge(other.refused);
        self.unknown.merge(other.unknown);
        self.connections.merge(other.connections);
        self.faults.merge(other.faults);
    }
}

/// What was answered within the measured time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    pub(crate) requests: u64,
    pub(crate) acked_messages: u64,
    /// Requests not wholly acknowledged.
    pub(crate) failed: u64,
}

impl Window {
    pub(crate) fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.acked_messages += other.acked_messages;
        self.failed += other.failed;
    }
}

/// Latencies in microseconds: 1 µs to an hour, to three digits.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(pub(crate) Histogram<u64>);

const LONGEST: u64 = 3_600_000_000;

impl Latencies {
    pub(crate) fn new() -> Self {
        let made = Histogram::new_with_bounds(1, LONGEST, 3);
        Self(made.expect("these bounds are right"))
    }

    /// Coarser and smaller, for what is sent to the conductor every second.
    pub(crate) fn coarse() -> Self {
        let made = Histogram::new_with_bounds(1, LONGEST, 2);
        Self(made.expect("these bounds are right"))
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST);
        self.0.saturating_record(micros);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let added = self.0.add(&other.0);
        added.expect("all histograms have the same bounds");
    }

    /// Milliseconds below which this part of all latencies is; 0 if there are none.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        millis(self.0.value_at_quantile(quantile))
    }
}

/// Microseconds as milliseconds.
pub(crate) fn millis(micros: u64) -> f64 {
    micros as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_examples_are_kept() {
        let mut problems = Problems::default();
        for number in 0..10 {
            problems.note("kind", || format!("example {number}"));
        }
        let mut all = Problems::default();
        all.merge(problems.clone());
        all.merge(problems);
        assert_eq!(all.total(), 20);
        assert_eq!(all.kinds["kind"].examples[0], "example 0");
        assert_eq!(all.kinds["kind"].examples.len(), EXAMPLES);
    }

    #[test]
    fn kinds_are_bounded() {
        let mut problems = Problems::default();
        for number in 0..1000 {
            problems.note(&format!("kind {number}"), String::new);
        }
        assert_eq!(problems.kinds.len(), KINDS + 1);
        assert_eq!(problems.total(), 1000);
    }

    #[test]
    fn latencies_to_three_digits() {
        let mut latencies = Latencies::new();
        for millis in 1..=1000 {
            latencies.record(Duration::from_millis(millis));
        }
        latencies.record(Duration::from_secs(100_000));
        assert!((latencies.quantile_ms(0.5) - 501.0).abs() < 1.0);
        assert!(latencies.quantile_ms(1.0) >= 3_600_000.0);
        assert!(Latencies::new().quantile_ms(0.5) < f64::EPSILON);
    }
}
