//! A task's QpsLimit: requests per second, without a lock and without a timer.
//!
//! The generic cell rate algorithm: each request moves the time at which the
//! next one is due on by 1/limit; who comes more than a burst's time before
//! that is refused. The limit holds for this replica: the others count for
//! themselves, so N replicas together may let N times as many pass
//! (docs/signatures.md tells users so).

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// What may come at once after a pause: a tenth of a second's requests, so
/// that over any second the limit is exceeded by a tenth at most.
const BURST: Duration = Duration::from_millis(100);

/// Lets a number of requests per second through.
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_second: u64,
    start: Instant,
    /// When the next request is due, in nanoseconds since `start`.
    due: AtomicU64,
}

impl RateLimit {
    /// 0 is no limit.
    pub(crate) fn new(per_second: u64) -> Self {
        Self {
            per_second,
            start: Instant::now(),
            due: AtomicU64::new(0),
        }
    }

    pub(crate) fn per_second(&self) -> u64 {
        self.per_second
    }

    /// Whether a request may pass at `now`; counts it if so.
    pub(crate) fn try_take(&self, now: Instant) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let now = now.saturating_duration_since(self.start).as_nanos() as u64;
        let interval = (1_000_000_000 / self.per_second).max(1);
        // At least one may come, however low the limit.
        let burst = (BURST.as_nanos() as u64).max(interval);
        let next = |due: u64| {
            let after = due.max(now) + interval;
            (after <= now + burst).then_some(after)
        };
        self.due
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the requests offered every `step` over ten seconds pass.
    fn passed(limit: &RateLimit, step: Duration) -> u64 {
        let start = limit.start;
        let offers = (Duration::from_secs(10).as_nanos() / step.as_nanos()) as u32;
        (0..offers)
            .map(|offer| u64::from(limit.try_take(start + step * offer)))
            .sum()
    }

    #[test]
    fn an_overload_is_cut_to_the_limit() {
        for per_second in [1, 3, 100, 2000] {
            let passed = passed(&RateLimit::new(per_second), Duration::from_micros(100));
            let expected = 10 * per_second;
            let within = expected.abs_diff(passed) * 20 <= expected.max(20);
            assert!(within, "{passed} of {expected}");
        }
    }

    #[test]
    fn less_than_the_limit_passes_whole_and_0_is_no_limit() {
        let step = Duration::from_millis(11);
        assert_eq!(passed(&RateLimit::new(100), step), 909);
        assert_eq!(passed(&RateLimit::new(0), Duration::from_millis(1)), 10_000);
    }
}
