//! The seam to the log that holds the registry.

use std::time::Duration;

use futures_util::future::BoxFuture;

/// One record: a key, and a value or a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// The record's key; compaction keeps at least the last record of each.
    pub key: Vec<u8>,
    /// The value; `None` is a tombstone (a null value in Kafka).
    pub value: Option<Vec<u8>>,
}

/// What one read brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    /// Offsets and records, rising; gaps are where compaction removed some.
    /// Records below the offset asked for are skipped by the reader.
    pub records: Vec<(i64, LogRecord)>,
    /// Where the next read starts. Also moves over a gap without records.
    pub next_offset: i64,
    /// The log's end for readers, as this very answer told it.
    pub high_watermark: i64,
}

/// Why an append failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Certainly not in the log, now or later.
    #[error("not stored: {0}")]
    NotStored(String),
    /// In the log, or not, or later.
    #[error("append's outcome unknown: {0}")]
    Unknown(String),
}

/// Why a read failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The offset is not in the log: it was cut at its start or its end.
    #[error("offset out of the log's range: {0}")]
    OutOfRange(String),
    /// The log is another one than before (another topic id).
    #[error("the log was recreated: {0}")]
    Recreated(String),
    /// Anything else; tried again.
    #[error("log unreachable: {0}")]
    Unreachable(String),
}

/// Why the log cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// Wrongly configured. The text says what to change.
    #[error("{0}")]
    Unusable(String),
    /// Not answered; tried again.
    #[error("log unreachable: {0}")]
    Unreachable(String),
}

/// A compacted log of one partition. The registry's topic in Kafka is one;
/// [`MemoryLog`](super::MemoryLog) is another, for tests.
///
/// # Cancellation
/// A dropped `read`, `earliest` or `prepare` has no effect. `append` is never
/// dropped by the registry while its actor lives; dropping it leaves the
/// outcome unknown.
pub trait RegistryLog: Send + Sync + 'static {
    /// Makes the log where it is missing (`cleanup.policy=compact`, one
    /// partition) and checks both where it exists. Called at the start and
    /// before each reload.
    fn prepare(&self) -> BoxFuture<'_, Result<(), PrepareError>>;

    /// The first offset that can be read.
    fn earliest(&self) -> BoxFuture<'_, Result<i64, ReadError>>;

    /// Records from `offset` on, which may lie in a gap. Waits for at most
    /// `max_wait` when there are none; then answers an empty chunk, which
    /// still says the high watermark.
    fn read(&self, offset: i64, max_wait: Duration) -> BoxFuture<'_, Result<LogChunk, ReadError>>;

    /// Appends `records` in order as one atomic batch, acknowledged by all
    /// in-sync replicas, and returns the offset of the first. Ends by itself
    /// within a bound. Called concurrently; appends may overtake each other.
    fn append(&self, records: Vec<LogRecord>) -> BoxFuture<'_, Result<i64, AppendError>>;
}
