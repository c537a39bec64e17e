//! Lines between the one that reads and those that send.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use forebay_api::limits::{MAX_DECODED_BYTES, MAX_RAW_BODY_BYTES};
use parking_lot::{Condvar, Mutex};

use super::line::{Line, REQUEST_FRAME_BYTES};

/// Bytes of lines that wait; reading goes on below it. Room for a full request
/// while the next is read.
const ROOM: usize = 2 * MAX_DECODED_BYTES;

/// What is read and not yet taken. Whoever sends takes all there is, up to a
/// full request: a single typed line goes out at once, and batches grow by
/// themselves where lines come faster than they are acknowledged.
#[derive(Debug, Default)]
pub(super) struct LineQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Line>,
    bytes: usize,
    /// No more will come.
    closed: bool,
    /// No more will be taken.
    stopped: bool,
    last_taken: u64,
}

impl LineQueue {
    /// Appends lines; waits for room before it does. False: nobody takes them
    /// any more.
    pub(super) fn push(&self, lines: Vec<Line>) -> bool {
        let mut state = self.state.lock();
        while state.bytes > ROOM && !state.stopped {
            self.changed.wait(&mut state);
        }
        if state.stopped {
            return false;
        }
        state.bytes += lines.iter().map(Line::decoded_bytes).sum::<usize>();
        state.lines.extend(lines);
        self.changed.notify_all();
        true
    }

    /// The input has ended; what is there is still taken.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nothing more is taken, also of what is there.
    pub(super) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits for lines and takes up to `most`, as many as fit one request, in
    /// their order. `None`: there will be no more.
    pub(super) fn take(&self, most: usize) -> Option<Vec<Line>> {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return None;
            }
            if !state.lines.is_empty() {
                break;
            }
            if state.closed {
                return None;
            }
            self.changed.wait(&mut state);
        }
        let batch = state.fitting(most);
        self.changed.notify_all();
        Some(batch)
    }

    /// Waits for `time`, or until the queue is stopped: then it is false.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.state.lock();
        while !state.stopped {
            if self.changed.wait_until(&mut state, until).timed_out() {
                return !state.stopped;
            }
        }
        false
    }

    /// Number of the last line that was taken, 0 before the first.
    pub(super) fn last_taken(&self) -> u64 {
        self.state.lock().last_taken
    }
}

impl State {
    fn fitting(&mut self, most: usize) -> Vec<Line> {
        let mut batch = Vec::new();
        let (mut decoded, mut json) = (0, REQUEST_FRAME_BYTES);
        while let Some(line) = self.lines.front() {
            decoded += line.decoded_bytes();
            json += line.json_bytes;
            let fits = decoded <= MAX_DECODED_BYTES && json <= MAX_RAW_BODY_BYTES;
            if batch.len() == most || !(fits || batch.is_empty()) {
                break;
            }
            self.bytes -= line.decoded_bytes();
            self.last_taken = line.number;
            batch.extend(self.lines.pop_front());
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::send::line::{KeySource, LineCutter};

    fn lines(text: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut cutter = LineCutter::new(KeySource::None);
        cutter.cut(text.as_bytes(), &mut lines).unwrap();
        lines
    }

    fn sizes(text: &str, most: usize) -> Vec<usize> {
        let queue = LineQueue::default();
        assert!(queue.push(lines(text)));
        queue.close();
        std::iter::from_fn(|| queue.take(most))
            .map(|batch| batch.len())
            .collect()
    }

    #[test]
    fn batches_keep_within_every_limit() {
        assert_eq!(sizes(&"a\n".repeat(7), 3), [3, 3, 1]);
        let mebibyte = format!("{}\n", "a".repeat(1 << 20));
        assert_eq!(sizes(&mebibyte.repeat(7), 500), [5, 2]);
        // As JSON each takes 6 MiB.
        let escaped = format!("{}\n", "\u{1}".repeat(1 << 20));
        assert_eq!(sizes(&escaped.repeat(3), 500), [1, 1, 1]);
    }

    #[test]
    fn a_stopped_queue_gives_and_takes_nothing() {
        let queue = LineQueue::default();
        assert!(queue.push(lines("a\nb\nc\n")));
        assert_eq!(queue.take(2).unwrap().len(), 2);
        queue.stop();
        assert_eq!(queue.take(2), None);
        assert!(!queue.push(lines("d\n")));
        assert!(!queue.pause(Duration::from_secs(3600)));
        assert_eq!(queue.last_taken(), 2);
    }

    #[test]
    fn whoever_waits_for_room_is_woken() {
        let queue = std::sync::Arc::new(LineQueue::default());
        let mebibyte = format!("{}\n", "a".repeat(1 << 20));
        assert!(queue.push(lines(&mebibyte.repeat(11))));
        let pusher = {
            let queue = std::sync::Arc::clone(&queue);
            std::thread::spawn(move || queue.push(lines("more\n")))
        };
        let mut taken = 0;
        while taken < 12 {
            taken += queue.take(1).unwrap().len();
        }
        assert!(pusher.join().unwrap());
    }
}
