//! Wall-clock time, read in one place only.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds now. Wall-clock time: it may step; for durations use a
/// monotonic clock.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
pub fn unix_millis() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        // A clock before 1970 is broken anyway; 0 keeps comparisons sane.
        Err(_) => 0,
    }
}
