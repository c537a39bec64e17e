//! What a task did in the last quarter of an hour, for people who look at it.
//!
//! Metrics are for scrapers; this is for a page that shows rates and latencies
//! of one task without one. A ring of 5-second buckets, made at the task's first
//! request (some 48 KiB) and freed with the task. A request costs one call of a
//! few relaxed additions, however many messages it has.
//!
//! Two requests that begin a bucket at once may cost each other a count: what is
//! shown is for the eye, and what is counted to the last is in [`crate::telemetry`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Length of a bucket in milliseconds.
pub const BUCKET_MS: i64 = 5_000;

/// Buckets that are kept: 15 minutes.
pub const BUCKETS: usize = 180;

/// Upper bounds of the latency classes in milliseconds, inclusive; what is
/// slower is in one more class. *received* and *sent* are whole milliseconds.
const BOUNDS_MS: [i64; CLASSES - 1] = [
    0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 1024, 4096, 16_384,
];
const CLASSES: usize = 18;

/// Why a request of a task was not wholly stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Refusal {
    /// The task is paused.
    Suspended,
    /// Over its QpsLimit, or over its instance's part of the memory.
    OverLimit,
    /// What was sent breaks a rule, such as the size of a message.
    Invalid,
    /// Its topic is gone.
    TopicGone,
    /// Certainly not stored: Kafka was not available.
    NotStored,
    /// Some of it, or all, may or may not be stored.
    Unknown,
    /// Anything else.
    Other,
}

/// How many kinds of [`Refusal`] there are.
pub const REFUSALS: usize = 7;

/// A span of a request's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Stage {
    /// From the body's last byte to the hand-over to Kafka's connection.
    ReceivedToSent,
    /// From there to the acknowledgement of the request's last message.
    SentToAcked,
    /// Both.
    ReceivedToAcked,
}

const STAGES: usize = 3;

#[derive(Debug, Default)]
struct Bucket {
    /// Which span of [`BUCKET_MS`] since the epoch this is; 0 is none yet.
    number: AtomicI64,
    messages: AtomicU64,
    bytes: AtomicU64,
    refusals: [AtomicU32; REFUSALS],
    stages: [[AtomicU32; CLASSES]; STAGES],
}

impl Bucket {
    fn clear(&self) {
        self.messages.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        let stages = self.stages.iter().flatten();
        for count in self.refusals.iter().chain(stages) {
            count.store(0, Relaxed);
        }
    }
}

/// What one request stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) messages: u64,
    /// Of keys and values.
    pub(crate) bytes: u64,
    /// Unix milliseconds, here and below.
    pub(crate) received_ms: i64,
    pub(crate) sent_ms: i64,
}

/// A task's last quarter of an hour.
#[derive(Debug, Default)]
pub struct Activity(OnceLock<Box<[Bucket]>>);

impl Activity {
    /// A request was settled at `now_ms` with something stored.
    pub(crate) fn stored(&self, now_ms: i64, stored: Stored) {
        let bucket = self.bucket(now_ms);
        bucket.messages.fetch_add(stored.messages, Relaxed);
        bucket.bytes.fetch_add(stored.bytes, Relaxed);
        let spans = [
            stored.sent_ms - stored.received_ms,
            now_ms - stored.sent_ms,
            now_ms - stored.received_ms,
        ];
        for (classes, span) in bucket.stages.iter().zip(spans) {
            classes[class(span)].fetch_add(1, Relaxed);
        }
    }

    /// A request was refused, or not wholly stored, at `now_ms` (Unix ms).
    pub fn refused(&self, now_ms: i64, refusal: Refusal) {
        self.bucket(now_ms).refusals[refusal as usize].fetch_add(1, Relaxed);
    }

    fn bucket(&self, now_ms: i64) -> &Bucket {
        let make = || (0..BUCKETS).map(|_| Bucket::default()).collect();
        let ring = self.0.get_or_init(make);
        let number = now_ms.div_euclid(BUCKET_MS);
        let bucket = &ring[number.rem_euclid(BUCKETS as i64) as usize];
        let before = bucket.number.load(Relaxed);
        if before != number {
            let mine = bucket
                .number
                .compare_exchange(before, number, Relaxed, Relaxed);
            if mine.is_ok() {
                bucket.clear();
            }
        }
        bucket
    }

    /// The buckets that saw something, oldest first.
    pub fn history(&self, now_ms: i64) -> Vec<Slice> {
        let last = now_ms.div_euclid(BUCKET_MS);
        self.slices(last - BUCKETS as i64 + 1, last)
    }

    fn slices(&self, first: i64, last: i64) -> Vec<Slice> {
        let buckets = self.0.get().into_iter().flatten();
        let mut slices: Vec<_> = buckets
            .filter(|bucket| (first..=last).contains(&bucket.number.load(Relaxed)))
            .map(Slice::of)
            .collect();
        slices.sort_by_key(|slice| slice.start_ms);
        slices
    }

    /// The present rates, over the last 5 to 10 seconds.
    pub fn now(&self, now_ms: i64) -> Rates {
        let last = now_ms.div_euclid(BUCKET_MS);
        let slices = self.slices(last - 1, last);
        let seconds = (now_ms - (last - 1) * BUCKET_MS) as f64 / 1e3;
        let per_second =
            |of: fn(&Slice) -> u64| slices.iter().map(of).sum::<u64>() as f64 / seconds;
        let total = Stage::ReceivedToAcked as usize;
        let mut classes = [0; CLASSES];
        for slice in &slices {
            for (sum, count) in classes.iter_mut().zip(slice.stages[total]) {
                *sum += u64::from(count);
            }
        }
        Rates {
            messages_per_second: per_second(|slice| slice.messages),
            bytes_per_second: per_second(|slice| slice.bytes),
            p99_ms: quantile(&classes, 0.99),
        }
    }
}

/// What happened now, per second of wall-clock time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Acknowledged messages.
    pub messages_per_second: f64,
    /// Their keys and values.
    pub bytes_per_second: f64,
    /// From *received* to the acknowledgement of a request's last message, in
    /// milliseconds; `None` if nothing was stored.
    pub p99_ms: Option<f64>,
}

/// One bucket, read.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Where it begins, Unix milliseconds.
    pub start_ms: i64,
    /// Acknowledged messages.
    pub messages: u64,
    /// Their keys and values.
    pub bytes: u64,
    /// Requests not wholly stored, by [`Refusal`].
    pub refusals: [u32; REFUSALS],
    stages: [[u32; CLASSES]; STAGES],
}

impl Slice {
    fn of(bucket: &Bucket) -> Self {
        let read = |count: &AtomicU32| count.load(Relaxed);
        Self {
            start_ms: bucket.number.load(Relaxed) * BUCKET_MS,
            messages: bucket.messages.load(Relaxed),
            bytes: bucket.bytes.load(Relaxed),
            refusals: bucket.refusals.each_ref().map(read),
            stages: bucket
                .stages
                .each_ref()
                .map(|stage| stage.each_ref().map(read)),
        }
    }

    /// How long `share` (0 to 1) of the requests took at most, in milliseconds,
    /// within the width of a latency class; `None` without requests.
    pub fn quantile_ms(&self, stage: Stage, share: f64) -> Option<f64> {
        quantile(&self.stages[stage as usize].map(u64::from), share)
    }
}

fn class(span_ms: i64) -> usize {
    // A clock that was set back makes a span negative.
    BOUNDS_MS.partition_point(|bound| *bound < span_ms)
}

/// Interpolated inside the class that holds it.
fn quantile(classes: &[u64; CLASSES], share: f64) -> Option<f64> {
    let total: u64 = classes.iter().sum();
    if total == 0 {
        return None;
    }
    let wanted = share * total as f64;
    let mut below = 0.0;
    for (index, count) in classes.iter().enumerate() {
        let count = *count as f64;
        if count > 0.0 && below + count >= wanted {
            let high = BOUNDS_MS.get(index).copied();
            let low = index.checked_sub(1).map_or(0, |before| BOUNDS_MS[before]) as f64;
            // Nobody knows how much slower the slowest were.
            let high = high.map_or(low, |high| high as f64);
            return Some(low + (high - low) * ((wanted - below) / count).clamp(0.0, 1.0));
        }
        below += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_795_437_680_000;

    fn stored(received_ms: i64, sent_ms: i64) -> Stored {
        Stored {
            messages: 10,
            bytes: 1000,
            received_ms,
            sent_ms,
        }
    }

    #[test]
    fn rates_cover_the_last_bucket_and_the_present_one() {
        let activity = Activity::default();
        assert_eq!(activity.now(START), Rates::default());
        for second in 0..10 {
            let at = START + second * 1000;
            activity.stored(at + 7, stored(at, at + 1));
        }
        let now = activity.now(START + 9_999);
        assert!((now.messages_per_second - 10.0).abs() < 0.1, "{now:?}");
        assert!((now.bytes_per_second - 1000.0).abs() < 10.0, "{now:?}");
        let p99 = now.p99_ms.unwrap();
        assert!((6.0..=8.0).contains(&p99), "{p99}");
        assert_eq!(activity.now(START + 20_000), Rates::default());
    }

    #[test]
    fn a_quarter_of_an_hour_is_kept_and_old_buckets_are_used_again() {
        let activity = Activity::default();
        for bucket in 0..400 {
            let at = START + bucket * BUCKET_MS;
            activity.stored(at + 2, stored(at, at + 1));
            activity.refused(at, Refusal::Suspended);
        }
        let history = activity.history(START + 399 * BUCKET_MS);
        assert_eq!(history.len(), BUCKETS);
        assert_eq!(history[0].start_ms, START + 220 * BUCKET_MS);
        for slice in &history {
            assert_eq!(slice.messages, 10);
            assert_eq!(slice.refusals, [1, 0, 0, 0, 0, 0, 0]);
            assert!(slice.quantile_ms(Stage::ReceivedToSent, 0.5).unwrap() <= 1.0);
        }
        assert!(activity.history(START + 1_000 * BUCKET_MS).is_empty());
    }

    #[test]
    fn the_slowest_and_a_clock_set_back_have_a_class() {
        assert_eq!(class(-5), 0);
        assert_eq!(class(0), 0);
        assert_eq!(class(5), 5);
        assert_eq!(class(i64::MAX), CLASSES - 1);
        let activity = Activity::default();
        activity.stored(START + 90_000, stored(START, START));
        let slice = &activity.history(START + 90_000)[0];
        assert_eq!(slice.quantile_ms(Stage::ReceivedToSent, 0.99), Some(0.0));
        assert_eq!(slice.quantile_ms(Stage::SentToAcked, 0.99), Some(16_384.0));
    }

    #[test]
    fn its_memory_is_what_it_says() {
        assert!(BUCKETS * size_of::<Bucket>() <= 48 * 1024);
    }
}
