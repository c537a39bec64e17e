//! The largest clock skew seen of valid signatures within the last minute.

use std::sync::atomic::{AtomicU64, Ordering};

const SLOT_SECONDS: u64 = 10;
/// One more than a minute has, for the one being filled.
const SLOTS: usize = 7;

/// Shared by all workers, without locks: each slot holds (number of its ten
/// seconds, largest skew) in one word.
#[derive(Debug, Default)]
pub(crate) struct ClockSkew([AtomicU64; SLOTS]);

impl ClockSkew {
    /// A valid signature was `skew_seconds` off, either way.
    pub(crate) fn seen(&self, skew_seconds: i64, now_unix_seconds: i64) {
        let number = slot_number(now_unix_seconds);
        let skew = u32::try_from(skew_seconds.unsigned_abs()).unwrap_or(u32::MAX);
        let word = (u64::from(number) << 32) | u64::from(skew);
        // A newer slot number is the larger word, so max does both: keep the
        // largest skew, and forget the round before.
        self.0[number as usize % SLOTS].fetch_max(word, Ordering::Relaxed);
    }

    /// The largest within the last minute, in seconds.
    pub(crate) fn largest(&self, now_unix_seconds: i64) -> u32 {
        let now = slot_number(now_unix_seconds);
        self.0
            .iter()
            .map(|slot| slot.load(Ordering::Relaxed))
            .filter(|word| now.saturating_sub((word >> 32) as u32) < SLOTS as u32)
            .map(|word| word as u32)
            .max()
            .unwrap_or(0)
    }
}

fn slot_number(unix_seconds: i64) -> u32 {
    (unix_seconds.max(0) as u64 / SLOT_SECONDS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skew_is_shown_for_a_minute() {
        let skew = ClockSkew::default();
        let start = 1_700_000_000;
        assert_eq!(skew.largest(start), 0);
        skew.seen(-42, start);
        skew.seen(7, start + 5);
        skew.seen(3, start + 30);
        assert_eq!(skew.largest(start + 59), 42);
        assert_eq!(skew.largest(start + 75), 3);
        assert_eq!(skew.largest(start + 1_000), 0);
    }
}
