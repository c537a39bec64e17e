//! When an open loop sends.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Requests at constant distances, whatever the answers do, and those of them
/// that wait because all connections are taken.
pub(crate) struct Arrivals {
    start: Instant,
    /// Nothing is due from here on.
    end: Instant,
    /// Requests per second of this thread.
    rate: f64,
    /// Number of the next request.
    next: u64,
    waiting: VecDeque<Instant>,
    limit: usize,
    /// Most that waited at a time.
    pub(crate) most_waiting: usize,
    /// When those were due that found the backlog full.
    pub(crate) overflowed: u64,
}

impl Arrivals {
    /// `offset` is this thread's part of the distance between two requests, so
    /// that threads do not send at the same time.
    pub(crate) fn new(start: Instant, end: Instant, rate: f64, offset: f64, limit: usize) -> Self {
        Self {
            start: start + Duration::from_secs_f64(offset / rate),
            end,
            rate,
            next: 0,
            waiting: VecDeque::new(),
            limit,
            most_waiting: 0,
            overflowed: 0,
        }
    }

    fn due(&self, number: u64) -> Instant {
        // From the start each time: adding up distances would add up errors.
        let seconds = number as f64 / self.rate;
        self.start + Duration::from_secs_f64(seconds)
    }

    /// When the next request is due; `None` if there is none any more.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        Some(self.due(self.next)).filter(|due| *due < self.end)
    }

    /// Puts all that is due by now into the queue.
    pub(crate) fn advance(&mut self, now: Instant) {
        while let Some(due) = self.next_due().filter(|due| *due <= now) {
            self.next += 1;
            if self.waiting.len() < self.limit {
                self.waiting.push_back(due);
            } else {
                self.overflowed += 1;
            }
        }
    }

    /// The request that has waited longest: when it was due.
    pub(crate) fn take(&mut self) -> Option<Instant> {
        self.waiting.pop_front()
    }

    /// To be called when all that can be sent has been sent.
    pub(crate) fn note_waiting(&mut self) {
        self.most_waiting = self.most_waiting.max(self.waiting.len());
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn constant_distances_without_drift() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start, at(start, 60_000), 3.0, 0.0, 1000);
        arrivals.advance(at(start, 59_999));
        let due: Vec<Instant> = std::iter::from_fn(|| arrivals.take()).collect();
        assert_eq!(due.len(), 180);
        assert_eq!(due[0], start);
        assert_eq!(due[3], at(start, 1000));
        assert_eq!(due[177], at(start, 59_000));
        assert_eq!(arrivals.next_due(), None);
    }

    #[test]
    fn threads_share_the_distance() {
        let start = Instant::now();
        let end = at(start, 1000);
        let second = Arrivals::new(start, end, 100.0, 0.5, 10);
        assert_eq!(second.next_due(), Some(at(start, 5)));
    }

    #[test]
    fn what_is_late_keeps_its_time() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start, at(start, 10_000), 1000.0, 0.0, 5);
        // The generator, or the gateway, was away for 20 ms.
        arrivals.advance(at(start, 19));
        arrivals.note_waiting();
        assert_eq!(arrivals.waiting(), 5);
        assert_eq!(arrivals.most_waiting, 5);
        assert_eq!(arrivals.overflowed, 15);
        assert_eq!(arrivals.take(), Some(start));
        assert_eq!(arrivals.take(), Some(at(start, 1)));
        assert_eq!(arrivals.next_due(), Some(at(start, 20)));
    }
}
