//! A log in memory, shared by several registries as replicas are by Kafka,
//! with the faults that Kafka can show. For tests of this crate and its users.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::log::{AppendError, LogChunk, LogRecord, PrepareError, ReadError, RegistryLog};

/// What becomes of one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFault {
    /// Fails; nothing is stored.
    NotStored,
    /// Fails with unknown outcome; stored.
    UnknownStored,
    /// Fails with unknown outcome; not stored.
    UnknownLost,
    /// Stored, but never answered.
    StoredSilent,
    /// Neither stored nor answered.
    LostSilent,
}

#[derive(Debug, Default)]
struct State {
    records: Vec<(i64, LogRecord)>,
    start: i64,
    end: i64,
    faults: VecDeque<AppendFault>,
    append_delay: Duration,
    unusable: Option<String>,
    appends: usize,
    held_back: i64,
    panics: usize,
    /// Counts the log's incarnations.
    incarnation: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    news: Notify,
}

/// One replica's access to a log in memory.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    shared: Arc<Shared>,
    /// This replica's reads fail while false.
    reachable: Arc<watch::Sender<bool>>,
    /// The incarnation that this replica last prepared.
    prepared: Arc<AtomicU64>,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryLog {
    /// A new, empty log.
    pub fn new() -> Self {
        Self {
            shared: Arc::default(),
            reachable: Arc::new(watch::Sender::new(true)),
            prepared: Arc::default(),
        }
    }

    /// The same log as another replica sees it, with a reachability of its own.
    pub fn replica(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            reachable: Arc::new(watch::Sender::new(true)),
            prepared: Arc::default(),
        }
    }

    /// Cuts this replica off from reading, or joins it again.
    pub fn set_reachable(&self, reachable: bool) {
        self.reachable.send_replace(reachable);
        self.shared.news.notify_waiters();
    }

    /// The next appends fail so, of whichever replica.
    pub fn fail_appends(&self, faults: impl IntoIterator<Item = AppendFault>) {
        self.shared.state.lock().faults.extend(faults);
    }

    /// Every append is answered this much later than it is stored.
    pub fn delay_appends(&self, delay: Duration) {
        self.shared.state.lock().append_delay = delay;
    }

    /// The next reads panic, so many of them.
    pub fn panic_reads(&self, reads: usize) {
        self.shared.state.lock().panics = reads;
        self.shared.news.notify_waiters();
    }

    /// `prepare` fails for good, with this text; `None` heals it.
    pub fn set_unusable(&self, text: Option<&str>) {
        self.shared.state.lock().unusable = text.map(str::to_owned);
    }

    /// How many appends were asked for so far.
    pub fn appends(&self) -> usize {
        self.shared.state.lock().appends
    }

    /// The log as it is.
    pub fn records(&self) -> Vec<(i64, LogRecord)> {
        self.shared.state.lock().records.clone()
    }

    /// Appends directly, as a program that is no replica would.
    pub fn push(&self, records: Vec<LogRecord>) -> i64 {
        let first = self.shared.state.lock().store(records);
        self.shared.news.notify_waiters();
        first
    }

    /// Removes every record that a later one of its key supersedes, and every
    /// tombstone too when `tombstones`.
    pub fn compact(&self, tombstones: bool) {
        let mut state = self.shared.state.lock();
        let mut later = HashSet::new();
        let mut kept: Vec<_> = Vec::new();
        for (offset, record) in state.records.drain(..).rev() {
            if later.insert(record.key.clone()) && !(tombstones && record.value.is_none()) {
                kept.push((offset, record));
            }
        }
        kept.reverse();
        state.records = kept;
    }

    /// Cuts everything off: the next readable offset is the log's present end
    /// plus `gap`, as after deleted records.
    pub fn delete_records(&self, gap: i64) {
        let mut state = self.shared.state.lock();
        state.records.clear();
        state.end += gap;
        state.start = state.end;
        drop(state);
        self.shared.news.notify_waiters();
    }

    /// Lets readers see this many of the last records no more, as right after
    /// a new leader's election; 0 heals it.
    pub fn hold_back(&self, records: i64) {
        self.shared.state.lock().held_back = records;
        self.shared.news.notify_waiters();
    }

    /// Makes the log anew with these records, from offset 0.
    pub fn recreate(&self, records: Vec<LogRecord>) {
        let mut state = self.shared.state.lock();
        state.records.clear();
        state.start = 0;
        state.end = 0;
        state.incarnation += 1;
        state.store(records);
        drop(state);
        self.shared.news.notify_waiters();
    }

    fn check_reachable(&self) -> Result<(), ReadError> {
        if *self.reachable.borrow() {
            Ok(())
        } else {
            Err(ReadError::Unreachable("cut off by the test".into()))
        }
    }

    fn read_now(&self, offset: i64) -> Result<LogChunk, ReadError> {
        self.check_reachable()?;
        let mut state = self.shared.state.lock();
        if let Some(left) = state.panics.checked_sub(1) {
            state.panics = left;
            drop(state);
            panic!("told to panic while reading");
        }
        if state.incarnation != self.prepared.load(Ordering::Acquire) {
            return Err(ReadError::Recreated("by the test".into()));
        }
        if offset < state.start || offset > state.end {
            let text = format!("{offset} is not in {}..={}", state.start, state.end);
            return Err(ReadError::OutOfRange(text));
        }
        let visible = state.end - state.held_back;
        // Small chunks, so that batches and loads are split as well.
        let shown = state.records.partition_point(|(at, _)| *at < visible);
        let from = state.records.partition_point(|(at, _)| *at < offset);
        let to = shown.clamp(from, from + 7);
        let next_offset = match state.records[from..to].last() {
            Some((last, _)) if to < shown => last + 1,
            _ => visible.max(offset),
        };
        // Brokers answer whole batches: with some records before the offset.
        let records = state.records[from.saturating_sub(2)..to].to_vec();
        Ok(LogChunk {
            records,
            next_offset,
            high_watermark: visible,
        })
    }
}

impl State {
    fn store(&mut self, records: Vec<LogRecord>) -> i64 {
        let first = self.end;
        for record in records {
            self.records.push((self.end, record));
            self.end += 1;
        }
        first
    }
}

impl RegistryLog for MemoryLog {
    fn prepare(&self) -> BoxFuture<'_, Result<(), PrepareError>> {
        Box::pin(async move {
            let unreachable = |error: ReadError| PrepareError::Unreachable(error.to_string());
            self.check_reachable().map_err(unreachable)?;
            let state = self.shared.state.lock();
            self.prepared.store(state.incarnation, Ordering::Release);
            let unusable = state.unusable.clone();
            unusable.map_or(Ok(()), |text| Err(PrepareError::Unusable(text)))
        })
    }

    fn earliest(&self) -> BoxFuture<'_, Result<i64, ReadError>> {
        Box::pin(async move {
            self.check_reachable()?;
            Ok(self.shared.state.lock().start)
        })
    }

    fn read(&self, offset: i64, max_wait: Duration) -> BoxFuture<'_, Result<LogChunk, ReadError>> {
        Box::pin(async move {
            let deadline = tokio::time::Instant::now() + max_wait;
            loop {
                let news = self.shared.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                let chunk = self.read_now(offset)?;
                let nothing = chunk.next_offset == offset;
                if !nothing || tokio::time::timeout_at(deadline, news).await.is_err() {
                    return Ok(chunk);
                }
            }
        })
    }

    fn append(&self, records: Vec<LogRecord>) -> BoxFuture<'_, Result<i64, AppendError>> {
        Box::pin(async move {
            let (result, delay) = {
                let mut state = self.shared.state.lock();
                state.appends += 1;
                let fault = state.faults.pop_front();
                let lost = matches!(
                    fault,
                    Some(
                        AppendFault::NotStored | AppendFault::UnknownLost | AppendFault::LostSilent
                    )
                );
                let first = if lost { 0 } else { state.store(records) };
                let result = match fault {
                    None => Some(Ok(first)),
                    Some(AppendFault::NotStored) => {
                        Some(Err(AppendError::NotStored("refused by the test".into())))
                    }
                    Some(AppendFault::UnknownStored | AppendFault::UnknownLost) => {
                        Some(Err(AppendError::Unknown("left open by the test".into())))
                    }
                    Some(AppendFault::StoredSilent | AppendFault::LostSilent) => None,
                };
                (result, state.append_delay)
            };
            self.shared.news.notify_waiters();
            tokio::time::sleep(delay).await;
            match result {
                Some(result) => result,
                None => std::future::pending().await,
            }
        })
    }
}
