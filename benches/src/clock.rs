//! Wall-clock time, read in one place.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Unix time that goes on with the monotonic clock from where it was made, so
/// that a load thread asks for one time and not two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    made: Instant,
    unix: Duration,
}

impl WallClock {
    pub(crate) fn now() -> Self {
        Self {
            made: Instant::now(),
            unix: unix_time(),
        }
    }

    /// Unix seconds at a moment after this was made.
    pub(crate) fn unix_seconds(&self, at: Instant) -> i64 {
        let unix = self.unix + at.saturating_duration_since(self.made);
        i64::try_from(unix.as_secs()).unwrap_or(i64::MAX)
    }
}

/// Time since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own: this is its one place for wall-clock time"
)]
pub(crate) fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
