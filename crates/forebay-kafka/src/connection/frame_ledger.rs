//! How many bytes of request frames a connection holds.
//!
//! A frame lives in the request's future until it is the socket's turn, and
//! from then on until the socket has taken it, even if the future is dropped:
//! the messenger finishes it in a task of its own. The stream tells which frame
//! it is at by the correlation id in the frame's first bytes.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

/// Where the correlation id stands in a frame: after API key and version.
const CORRELATION_ID: std::ops::Range<usize> = 4..8;

#[derive(Debug, Default)]
pub(super) struct FrameLedger {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Lengths of the frames that are held, by correlation id.
    held: HashMap<i32, usize>,
    bytes: usize,
    /// The frame that the stream is at.
    current: Option<i32>,
}

impl State {
    fn release(&mut self, id: i32) {
        if let Some(len) = self.held.remove(&id) {
            self.bytes -= len;
        }
    }
}

impl FrameLedger {
    /// Bytes of the frames that are held.
    pub(super) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    /// Books a frame, header included, that has been built.
    pub(super) fn book(self: &Arc<Self>, frame: &[u8]) -> Option<FrameGuard> {
        let id = correlation_id(frame)?;
        let mut state = self.state.lock();
        state.bytes += frame.len();
        state.held.insert(id, frame.len());
        Some(FrameGuard {
            ledger: Arc::clone(self),
            id,
        })
    }

    /// The stream begins with a frame.
    pub(super) fn frame_begins(&self, frame: &[u8]) {
        self.state.lock().current = correlation_id(frame);
    }

    /// The stream has taken the frame, or failed: the messenger frees it.
    pub(super) fn frame_ended(&self) {
        let mut state = self.state.lock();
        if let Some(id) = state.current.take() {
            state.release(id);
        }
    }
}

fn correlation_id(frame: &[u8]) -> Option<i32> {
    let id = frame.get(CORRELATION_ID)?.try_into().ok()?;
    Some(i32::from_be_bytes(id))
}

/// Goes with a request's future.
#[derive(Debug)]
pub(super) struct FrameGuard {
    ledger: Arc<FrameLedger>,
    id: i32,
}

impl Drop for FrameGuard {
    fn drop(&mut self) {
        let mut state = self.ledger.state.lock();
        // If the stream is at this frame, somebody goes on writing it.
        if state.current != Some(self.id) {
            state.release(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: i32, len: usize) -> Vec<u8> {
        let mut frame = vec![0; len];
        frame[CORRELATION_ID].copy_from_slice(&id.to_be_bytes());
        frame
    }

    #[test]
    fn a_dropped_request_frees_its_frame_unless_it_is_being_written() {
        let ledger = Arc::new(FrameLedger::default());
        let (first, second) = (ledger.book(&frame(1, 100)), ledger.book(&frame(2, 10)));
        assert_eq!(ledger.bytes(), 110);
        ledger.frame_begins(&frame(1, 100));
        drop(first);
        assert_eq!(ledger.bytes(), 110, "frame 1 is still being written");
        drop(second);
        assert_eq!(ledger.bytes(), 100, "frame 2 never reached the stream");
        ledger.frame_ended();
        assert_eq!(ledger.bytes(), 0);
    }

    #[test]
    fn a_written_frame_is_free_while_its_answer_is_awaited() {
        let ledger = Arc::new(FrameLedger::default());
        let guard = ledger.book(&frame(1, 100));
        ledger.frame_begins(&frame(1, 100));
        ledger.frame_ended();
        assert_eq!(ledger.bytes(), 0);
        drop(guard);
        assert_eq!(ledger.bytes(), 0);
    }
}
