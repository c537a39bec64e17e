//! Appending a batch: what is checked, and in which order.

use std::io;
use std::sync::Arc;

use super::batch::{BatchError, BatchHeader};
use super::partition::{Health, LogState, Partition};
use super::producer_state::{SequenceError, Verdict};
use super::record::{RecordError, Records};
use super::segment::Segment;
use crate::durable_file;
use crate::topic_config::LogLimits;

/// `message.timestamp.after.max.ms` of Apache Kafka: an hour.
const MAX_AHEAD_MS: i64 = 60 * 60 * 1000;

/// Where a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// Offset behind the last record: to be [`Partition::stored`] before the
    /// producer is answered.
    pub(crate) end: i64,
    pub(crate) log_start: i64,
}

/// Why a batch is not in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    #[error("not a whole record batch: {0}")]
    Batch(#[from] BatchError),
    #[error("batch of {got} bytes is larger than max.message.bytes, {limit}")]
    TooLarge { got: usize, limit: usize },
    #[error("{0}")]
    Records(#[from] RecordError),
    #[error("{0}")]
    Invalid(&'static str),
    #[error("record {index} has no key, and the topic is compacted")]
    KeyMissing { index: i32 },
    #[error("timestamp {got} is more than an hour after the broker's {now}")]
    Timestamp { got: i64, now: i64 },
    #[error("transactions are not supported by the embedded broker")]
    Transactional,
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error("cannot write: {0}")]
    Storage(#[from] io::Error),
    #[error("the partition is out of order until a restart: {0}")]
    Broken(Arc<str>),
    #[error("the topic has been deleted")]
    Deleted,
}

impl Partition {
    /// Appends one batch. Blocks for a write to the page cache. The caller
    /// answers the producer after waiting for [`Partition::stored`].
    pub(crate) fn append(&self, batch: &[u8], now_ms: i64) -> Result<Appended, AppendError> {
        let limits = self.config.read().limits();
        let header = check(batch, &limits, now_ms)?;
        let mut state = self.state.lock();
        match &state.health {
            Health::Well => {}
            Health::Broken(why) => return Err(AppendError::Broken(Arc::clone(why))),
            Health::Deleted => return Err(AppendError::Deleted),
        }
        let log_start = state.log_start;
        if header.producer_id >= 0
            && let Verdict::Duplicate(place) = state.producers.check(&header)?
        {
            return Ok(Appended {
                base_offset: place.base_offset,
                end: place.last_offset + 1,
                log_start,
            });
        }
        let header = BatchHeader {
            base_offset: state.next_offset,
            ..header
        };
        self.write(&mut state, batch, &header, &limits, now_ms)
            .inspect_err(|error| {
                self.services.disk.write_failed(&self.label, error);
            })?;
        self.services.disk.write_done();
        // With fsync, the sync looks; it is what producers wait for.
        if !self.services.fsync
            && let Err(why) = state.active().is_still_there()
        {
            state.break_down(&self.label, why.clone());
            return Err(AppendError::Broken(why.into()));
        }
        state.producers.record(&header, now_ms);
        state.next_offset = header.last_offset() + 1;
        let appended = Appended {
            base_offset: header.base_offset,
            end: state.next_offset,
            log_start,
        };
        if !self.services.fsync {
            state.stored = state.next_offset;
        }
        drop(state);
        if self.services.fsync {
            self.services.sync_queue.request(self);
        } else {
            self.publish(appended.end, Health::Well);
        }
        Ok(appended)
    }

    fn write(
        &self,
        state: &mut LogState,
        batch: &[u8],
        header: &BatchHeader,
        limits: &LogLimits,
        now_ms: i64,
    ) -> io::Result<()> {
        let active = state.active();
        let is_full = active.bytes + batch.len() as u64 > limits.segment_bytes;
        let is_old = active
            .index
            .first_timestamp()
            .is_some_and(|t| now_ms - t >= limits.segment_ms);
        if active.bytes > 0 && (is_full || is_old) {
            self.roll(state)?;
        }
        let active = state.active();
        let file = Arc::clone(&active.file);
        match active.append(batch, header) {
            Ok(written) => written?,
            Err(error) => {
                let why = format!("a failed write could not be undone: {error}");
                tracing::error!(partition = self.label, "{why}; restart to recover");
                state.health = Health::Broken(why.into());
                return Err(error);
            }
        }
        if state
            .unsynced
            .last()
            .is_none_or(|last| !Arc::ptr_eq(last, &file))
        {
            state.unsynced.push(file);
        }
        Ok(())
    }

    /// Seals the active segment and begins the next one.
    pub(super) fn roll(&self, state: &mut LogState) -> io::Result<()> {
        let next = Segment::create(&self.directory, state.next_offset)?;
        if self.services.fsync {
            // Records synced into a file whose name is lost would be lost too.
            durable_file::sync_directory(&self.directory)?;
        }
        if let Err(error) = state.active().write_index() {
            tracing::debug!(partition = self.label, %error, "index not saved; rebuilt when needed");
        }
        state.segments.push(next);
        Ok(())
    }
}

/// All that can be checked without the log's state.
fn check(batch: &[u8], limits: &LogLimits, now_ms: i64) -> Result<BatchHeader, AppendError> {
    if batch.len() > limits.max_message_bytes {
        return Err(AppendError::TooLarge {
            got: batch.len(),
            limit: limits.max_message_bytes,
        });
    }
    let header = BatchHeader::parse(batch)?;
    if header.size < batch.len() {
        return Err(AppendError::Invalid(
            "expected exactly one record batch per partition",
        ));
    }
    let header = BatchHeader::parse_whole(batch).map(|_| header)?;
    if header.is_control() {
        return Err(AppendError::Invalid(
            "producers may not write control batches",
        ));
    }
    if header.is_transactional() {
        return Err(AppendError::Transactional);
    }
    if header.last_offset_delta != header.count - 1 {
        return Err(AppendError::Invalid(
            "the record count does not fit the last offset delta",
        ));
    }
    if header.producer_id >= 0 && (header.producer_epoch < 0 || header.base_sequence < 0) {
        return Err(AppendError::Invalid(
            "a producer id without epoch or sequence",
        ));
    }
    if header.max_timestamp > now_ms.saturating_add(MAX_AHEAD_MS) {
        return Err(AppendError::Timestamp {
            got: header.max_timestamp,
            now: now_ms,
        });
    }
    // Compressed records are stored unseen: no codec is built in.
    if !header.is_compressed() {
        for (index, record) in (0..).zip(Records::of(&header, batch)) {
            let record = record?;
            if record.offset_delta != index {
                return Err(AppendError::Invalid("offset deltas are not 0, 1, 2 …"));
            }
            if limits.compact && record.key.is_none() {
                return Err(AppendError::KeyMissing { index });
            }
        }
    }
    Ok(header)
}
