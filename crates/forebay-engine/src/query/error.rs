//! Why a query has no answer.

use std::fmt;

use forebay_kafka::{Error, ErrorCode};

use super::memory::QueryMemoryRefused;
use crate::admission::MemoryLimitReached;

/// What is known of the message after a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextMessage {
    /// It is at this offset.
    At(i64),
    /// There is none yet; the next one to be written gets this offset or a later one.
    NotYet(i64),
    /// None before this offset; nobody looked further.
    NotBefore(i64),
}

impl fmt::Display for NextMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(offset) => write!(f, "the next message is at offset {offset}"),
            Self::NotYet(end) => write!(f, "no message follows, the log ends before offset {end}"),
            Self::NotBefore(offset) => {
                write!(f, "the next message is not before offset {offset}")
            }
        }
    }
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No such instance is configured.
    #[error("instance {0} is not configured")]
    UnknownInstance(String),
    /// The cluster says that there is no such topic.
    #[error("topic {0} does not exist")]
    UnknownTopic(String),
    /// The topic has fewer partitions.
    #[error("expected a partition from 0 to {}, got {partition}", count - 1)]
    UnknownPartition {
        /// What was asked for.
        partition: i64,
        /// How many there are, at least one.
        count: i32,
    },
    /// The log begins after the offset, or ends before it.
    #[error("offset {offset} is out of range: {}", Range(*earliest, *end))]
    OutOfRange {
        /// What was asked for.
        offset: i64,
        /// The log's first offset.
        earliest: i64,
        /// One after its last offset.
        end: i64,
    },
    /// The offset is in the log's range and holds no message: compacted away,
    /// or a transaction's marker.
    #[error("there is no message at offset {offset}: {next}")]
    Gap {
        /// What was asked for.
        offset: i64,
        /// Where to go on.
        next: NextMessage,
    },
    /// What is there cannot be read: its format, its size, damage.
    #[error("{0}")]
    Unreadable(String),
    /// The cluster refuses.
    #[error("{0}")]
    Refused(String),
    /// The cluster cannot be asked, or did not answer in time.
    #[error("{0}")]
    Unavailable(String),
    /// No turn came before the deadline.
    #[error("too many queries at once")]
    TooManyQueries,
    /// No memory for the messages at present.
    #[error("{0}")]
    Memory(MemoryLimitReached),
    /// The query alone needs more memory than it can ever have.
    #[error(
        "the query needs at least {needed} bytes of memory, the limit is {limit} bytes, half of \
         `delivery.memory_limit`: ask for fewer messages, or have that raised"
    )]
    TooLarge {
        /// Bytes that it would have held.
        needed: usize,
        /// What queries may hold.
        limit: usize,
    },
    /// A fault of ours.
    #[error("decoding ended early: {0}")]
    Internal(String),
}

/// Shows the range of a log.
struct Range(i64, i64);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(earliest, end) = *self;
        if earliest < end {
            write!(f, "the log holds offsets {earliest} to {}", end - 1)
        } else {
            write!(f, "the log is empty, its next message gets offset {end}")
        }
    }
}

impl From<QueryMemoryRefused> for QueryError {
    fn from(refused: QueryMemoryRefused) -> Self {
        match refused {
            QueryMemoryRefused::Busy(reached) => Self::Memory(reached),
            QueryMemoryRefused::TooLarge { needed, limit } => Self::TooLarge { needed, limit },
        }
    }
}

impl From<Error> for QueryError {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownTopic(topic) => Self::UnknownTopic(topic),
            Error::CorruptBatch { .. }
            | Error::OldFormat { .. }
            | Error::BatchTooLarge { .. }
            | Error::UnsupportedCompression { .. } => Self::Unreadable(error.to_string()),
            error if error.is_retriable() => Self::Unavailable(error.to_string()),
            // The broker could not read what its disk holds.
            error if error.code() == Some(ErrorCode::CORRUPT_MESSAGE) => {
                Self::Unreadable(error.to_string())
            }
            error => Self::Refused(error.to_string()),
        }
    }
}
