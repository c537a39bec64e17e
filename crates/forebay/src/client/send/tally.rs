//! What became of all lines so far.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::line::Line;

/// Most ranges of lines that the summary names.
const MOST_RANGES: usize = 10;

/// Shared by those that send and the one that tells.
#[derive(Debug)]
pub(super) struct Tally {
    counts: Mutex<Counts>,
    changed: Condvar,
}

/// See [`Tally`].
#[derive(Debug)]
pub(super) struct Counts {
    /// Acknowledged messages.
    pub(super) acked: u64,
    /// Lines that are certainly not stored.
    pub(super) not_stored: Vec<u64>,
    /// Lines that may be stored or not.
    pub(super) unknown: Vec<u64>,
    /// Lines of requests that have no answer yet, by sender.
    under_way: HashMap<usize, Vec<u64>>,
    /// Why not all is well; the first reason, and what to do about it.
    pub(super) failure: Option<(String, Option<String>)>,
    /// Senders that have not ended.
    senders: usize,
    /// Signals that asked to stop.
    pub(super) signals: u32,
}

impl Tally {
    /// Before the first line.
    pub(super) fn new(senders: usize) -> Self {
        Self {
            counts: Mutex::new(Counts {
                acked: 0,
                not_stored: Vec::new(),
                unknown: Vec::new(),
                under_way: HashMap::new(),
                failure: None,
                senders,
                signals: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// Changes what is known and wakes whoever waits.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        let changed = change(&mut self.counts.lock());
        self.changed.notify_all();
        changed
    }

    /// Waits until all senders have ended or a second signal has come, at most
    /// for `limit`; true if so.
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut counts = self.counts.lock();
        while !counts.at_end() {
            if self.changed.wait_until(&mut counts, until).timed_out() {
                return counts.at_end();
            }
        }
        true
    }

    /// For reading.
    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock()
    }
}

impl Counts {
    fn at_end(&self) -> bool {
        self.senders == 0 || self.signals > 1
    }

    /// Remembers why not all is well, if it is the first reason.
    pub(super) fn fail(&mut self, reason: String, advice: Option<String>) {
        self.failure.get_or_insert((reason, advice));
    }

    /// `sender` sends these lines now.
    pub(super) fn begin(&mut self, sender: usize, lines: &[Line]) {
        let numbers = lines.iter().map(|line| line.number).collect();
        self.under_way.insert(sender, numbers);
    }

    /// `sender` has its answer.
    pub(super) fn answered(&mut self, sender: usize) {
        self.under_way.remove(&sender);
    }

    /// `sender` has ended. What it had under way, if it broke, is unknown.
    pub(super) fn ended(&mut self, sender: usize) {
        self.unknown
            .extend(self.under_way.remove(&sender).unwrap_or_default());
        self.senders -= 1;
    }

    /// How many have been sent and have no answer yet.
    pub(super) fn messages_under_way(&self) -> usize {
        self.under_way.values().map(Vec::len).sum()
    }

    /// Nobody waits for what is under way any more: it is unknown.
    pub(super) fn give_up(&mut self) {
        let numbers = self.under_way.drain().flat_map(|(_, numbers)| numbers);
        self.unknown.extend(numbers);
    }
}

/// `lines 1-3, 7` for 3, 1, 2, 7; `line 5` for 5.
pub(super) fn ranges(numbers: &[u64]) -> String {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let ranges: Vec<String> = sorted
        .chunk_by(|one, next| next - one == 1)
        .map(|range| match (range, range.len()) {
            ([first, .., last], _) => format!("{first}-{last}"),
            (range, _) => range.iter().map(u64::to_string).collect(),
        })
        .collect();
    let shown = ranges[..ranges.len().min(MOST_RANGES)].join(", ");
    match ranges.len().saturating_sub(MOST_RANGES) {
        0 if sorted.len() == 1 => format!("line {shown}"),
        0 => format!("lines {shown}"),
        more => format!("lines {shown} and {more} more ranges"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_named_as_ranges() {
        assert_eq!(ranges(&[3, 1, 2, 7]), "lines 1-3, 7");
        assert_eq!(ranges(&[5]), "line 5");
        let scattered: Vec<u64> = (0..12).map(|number| number * 2).collect();
        assert!(ranges(&scattered).ends_with("18 and 2 more ranges"));
    }

    #[test]
    fn what_a_broken_sender_had_is_unknown() {
        let tally = Tally::new(1);
        assert!(!tally.wait_for_end(Duration::ZERO));
        let line = Line {
            number: 8,
            key: None,
            body: String::new(),
            json_bytes: 0,
        };
        tally.change(|counts| {
            counts.begin(0, &[line]);
            counts.ended(0);
        });
        assert!(tally.wait_for_end(Duration::from_secs(60)));
        assert_eq!(tally.counts().unknown, [8]);
    }
}
