//! A partition's open batches.
//!
//! HTTP workers append under a lock that is held for the time of encoding;
//! waking a producer on another thread is what costs, so only an append that
//! finds it asleep does that.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use forebay_kafka::record_batch::encode::BatchEncoder;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::delivery::PartHandle;

/// Messages that go into one batch together.
pub(crate) struct QueuedMessages<'m, I>
where
    I: Iterator<Item = (Option<&'m [u8]>, &'m [u8])>,
{
    pub(crate) part: PartHandle,
    /// The most that they take in a batch.
    pub(crate) max_encoded_len: usize,
    /// Key and value.
    pub(crate) messages: I,
}

/// The records of one part within a batch.
#[derive(Debug)]
pub(crate) struct BatchPart {
    pub(crate) handle: PartHandle,
    pub(crate) records: Range<usize>,
}

/// A batch that still grows.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    pub(crate) encoder: BatchEncoder,
    pub(crate) parts: Vec<BatchPart>,
    since: Instant,
}

/// What waits to be written to one partition.
#[derive(Debug)]
pub(crate) struct PartitionQueue {
    partition: i32,
    state: Mutex<State>,
    /// Bytes of keys and values that are not settled.
    burden: AtomicU64,
    /// Left out for keyless messages until a probe succeeds.
    failing: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<OpenBatch>,
    /// Whether the producer is at work or has been called.
    awake: bool,
    /// Since when the batch that the producer works on waits.
    in_hand: Option<Instant>,
    /// The producer has ended: whoever wakes it starts another.
    abandoned: bool,
}

impl PartitionQueue {
    pub(crate) fn new(partition: i32) -> Self {
        Self {
            partition,
            state: Mutex::default(),
            burden: AtomicU64::new(0),
            failing: Arc::default(),
        }
    }

    pub(crate) fn partition(&self) -> i32 {
        self.partition
    }

    pub(crate) fn burden(&self) -> u64 {
        self.burden.load(Ordering::Relaxed)
    }

    /// For whoever finds out whether the partition fails.
    pub(crate) fn failing_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.failing)
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    pub(crate) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    /// Appends parts in order, each into one batch of at most `max_batch_len`
    /// bytes. Returns whether the producer sleeps and has to be woken.
    pub(crate) fn append<'m, I>(
        &self,
        parts: impl Iterator<Item = QueuedMessages<'m, I>>,
        max_batch_len: usize,
    ) -> bool
    where
        I: Iterator<Item = (Option<&'m [u8]>, &'m [u8])>,
    {
        let mut state = self.state.lock();
        for part in parts {
            self.burden.fetch_add(part.part.bytes(), Ordering::Relaxed);
            state.append(part, max_batch_len);
        }
        !std::mem::replace(&mut state.awake, true)
    }

    /// Takes the oldest open batch.
    pub(super) fn take(&self) -> Option<OpenBatch> {
        let mut state = self.state.lock();
        let batch = state.batches.pop_front();
        state.in_hand = batch.as_ref().map(|batch| batch.since);
        batch
    }

    /// Drops what was withdrawn; whether anything is left.
    pub(super) fn purge(&self) -> bool {
        let mut state = self.state.lock();
        let mut dropped = 0;
        for batch in &mut state.batches {
            dropped += batch.purge();
        }
        state.batches.retain(|batch| !batch.parts.is_empty());
        self.relieve(dropped);
        !state.batches.is_empty()
    }

    /// Called by the producer when its batch is settled: `true` if there is
    /// more to do, else it counts as asleep from here on.
    pub(super) fn sleep_unless_more(&self) -> bool {
        let mut state = self.state.lock();
        state.in_hand = None;
        state.awake = !state.batches.is_empty();
        state.awake
    }

    /// Called by a producer that ends: gives what nobody will write, and has the
    /// next append wake another producer.
    pub(super) fn abandon(&self) -> VecDeque<OpenBatch> {
        let mut state = self.state.lock();
        state.awake = false;
        state.in_hand = None;
        state.abandoned = true;
        // What was counted for a batch that a panic has dropped goes, too.
        self.burden.store(0, Ordering::Relaxed);
        // The next one finds out by itself.
        self.set_failing(false);
        std::mem::take(&mut state.batches)
    }

    /// Whether another producer has to be started; says so once.
    pub(crate) fn take_abandoned(&self) -> bool {
        std::mem::take(&mut self.state.lock().abandoned)
    }

    pub(super) fn relieve(&self, bytes: u64) {
        self.burden.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Called while nothing is in the producer's hands: a batch that was lost
    /// on its way to being sealed burdens nobody.
    pub(super) fn count_again(&self) {
        let state = self.state.lock();
        let parts = state.batches.iter().flat_map(|batch| &batch.parts);
        let bytes = parts.map(|part| part.handle.bytes()).sum();
        self.burden.store(bytes, Ordering::Relaxed);
    }

    /// Age of the oldest message that is not settled.
    pub(crate) fn oldest(&self) -> Duration {
        let state = self.state.lock();
        let waiting = state.batches.front().map(|batch| batch.since);
        // What is in hand was queued before what still waits.
        state
            .in_hand
            .or(waiting)
            .map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl State {
    fn append<'m, I>(&mut self, part: QueuedMessages<'m, I>, max_batch_len: usize)
    where
        I: Iterator<Item = (Option<&'m [u8]>, &'m [u8])>,
    {
        let fits =
            |batch: &OpenBatch| batch.encoder.encoded_len() + part.max_encoded_len <= max_batch_len;
        if !self.batches.back().is_some_and(fits) {
            self.batches.push_back(OpenBatch {
                encoder: BatchEncoder::default(),
                parts: Vec::new(),
                since: Instant::now(),
            });
        }
        let Some(batch) = self.batches.back_mut() else {
            return;
        };
        let received_ms = part.part.shipment().received_ms();
        batch.encoder.reserve(part.max_encoded_len);
        let first = batch.encoder.count();
        for (key, value) in part.messages {
            batch.encoder.push(received_ms, key, Some(value));
        }
        let records = first..batch.encoder.count();
        batch.parts.push(BatchPart {
            handle: part.part,
            records,
        });
    }
}

impl OpenBatch {
    /// Takes out the parts for which `keep` says no, and their records.
    /// Returns the bytes of keys and values taken out.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&BatchPart) -> bool) -> u64 {
        let mut dropped = 0;
        self.parts.retain(|part| {
            let kept = keep(part);
            dropped += if kept { 0 } else { part.handle.bytes() };
            kept
        });
        let kept: usize = self.parts.iter().map(|part| part.records.len()).sum();
        if kept < self.encoder.count() {
            let ranges: Vec<_> = self.parts.iter().map(|part| part.records.clone()).collect();
            self.encoder = self.encoder.retain(&ranges);
            let mut next = 0;
            for part in &mut self.parts {
                part.records = next..next + part.records.len();
                next = part.records.end;
            }
        }
        dropped
    }

    fn purge(&mut self) -> u64 {
        let now = Instant::now();
        self.retain(|part| part.handle.is_open(now))
    }
}
