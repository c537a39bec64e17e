//! What can go wrong between us and Kafka.

use std::{io, sync::Arc, time::Duration};

use rskafka::{
    messenger::RequestError,
    protocol::frame::{ReadError as FrameReadError, WriteError as FrameWriteError},
};
use thiserror::Error;

pub use crate::error_code::ErrorCode;

/// What [`Error::Timeout`] names before a request can be sent.
pub(crate) const CONNECTING: &str = "the connection attempt";
pub(crate) const HANDSHAKE: &str = "the handshake";

/// An error of the Kafka client.
///
/// Cheap to clone, as several callers may share one failed attempt.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Error {
    /// No TCP connection could be made (name resolution included).
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// `host:port`.
        address: String,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The broker is there, and no TLS connection to it can be made.
    #[error("no TLS connection to {address}: {reason}")]
    Tls {
        /// `host:port`.
        address: String,
        /// Why, and which file it is about if it is ours.
        reason: String,
    },
    /// The broker does not let us in, or has not proved to be the right one.
    #[error("login to {address} by SASL {mechanism} failed: {reason}")]
    Login {
        /// `host:port`.
        address: String,
        /// Name of the mechanism.
        mechanism: &'static str,
        /// Why; the broker's own words if it has any.
        reason: String,
    },
    /// An attempt to connect failed a moment ago; it is not yet time for the next.
    #[error(
        "not connecting to {address} for another {remaining:?}, since the last attempt failed: {last}"
    )]
    BackingOff {
        /// `host:port`.
        address: String,
        /// Until the next attempt.
        remaining: Duration,
        /// Why the last attempt failed.
        last: Arc<Error>,
    },
    /// No answer in time.
    #[error("no answer to {what} within {after:?}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// The limit that applied.
        after: Duration,
    },
    /// The connection was closed on our side.
    #[error("the connection is closed")]
    Closed,
    /// The connection failed.
    #[error("connection failed: {0}")]
    Io(Arc<io::Error>),
    /// What came is not what the protocol says.
    #[error("protocol violation: {0}")]
    Protocol(String),
    /// The broker speaks no version of a request that we speak.
    #[error("the broker supports no version of {0} that Forebay knows")]
    UnsupportedVersion(&'static str),
    /// The broker answered with an error.
    #[error("{context}: {code}{}", Detail(.message))]
    Api {
        /// The code.
        code: ErrorCode,
        /// What we asked for.
        context: String,
        /// The broker's own words, if it had any.
        message: Option<String>,
    },
    /// The cluster answered that there is no such topic.
    #[error("topic {0} does not exist")]
    UnknownTopic(String),
    /// The topic exists, the partition does not.
    #[error("topic {topic} has no partition {partition}")]
    UnknownPartition {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// The partition exists and has no leader at present.
    #[error("partition {partition} of topic {topic} has no leader")]
    NoLeader {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// None of the cluster's brokers could be asked.
    #[error("no broker of the cluster is reachable, the last one tried: {0}")]
    Unreachable(Arc<Error>),
    /// Records are compressed in a way that is not defined.
    #[error("record batch at offset {offset} is compressed with {codec}, which cannot be read")]
    UnsupportedCompression {
        /// Offset of the batch.
        offset: i64,
        /// Name of the codec.
        codec: &'static str,
    },
    /// Records are in a format that Kafka 4 has given up (KIP-724).
    #[error("records at offset {offset} are in message format v{version}, expected v2")]
    OldFormat {
        /// Offset of the batch or message.
        offset: i64,
        /// 0 or 1.
        version: u8,
    },
    /// A compressed batch unpacks to more than the caller's limit.
    #[error("record batch at offset {offset} decompresses to more than the limit of {limit} bytes")]
    BatchTooLarge {
        /// Offset of the batch.
        offset: i64,
        /// The limit.
        limit: usize,
    },
    /// The caller has no memory for what a compressed batch unpacks to.
    #[error("no memory to decompress the record batch at offset {offset}: it takes {bytes} bytes")]
    NoMemory {
        /// Offset of the batch.
        offset: i64,
        /// What it takes.
        bytes: usize,
    },
    /// A record batch is damaged.
    #[error("corrupt record batch at offset {offset}: {reason}")]
    CorruptBatch {
        /// Offset of the batch, as it claims.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
}

/// Shows a broker's message after a colon, or nothing.
struct Detail<'a>(&'a Option<String>);

impl std::fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl Error {
    /// What came is not what the protocol says.
    pub(crate) fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol(what.into())
    }

    /// The broker answered with an error code.
    pub(crate) fn api(
        code: ErrorCode,
        context: impl Into<String>,
        message: Option<String>,
    ) -> Self {
        Self::Api {
            code,
            context: context.into(),
            message: message.filter(|text| !text.is_empty()),
        }
    }

    /// The broker's error code, if it is a broker who refused.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api { code, .. } => Some(*code),
            Self::UnknownTopic(_) | Self::UnknownPartition { .. } => {
                Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            }
            Self::NoLeader { .. } => Some(ErrorCode::LEADER_NOT_AVAILABLE),
            _ => None,
        }
    }

    /// Whether it says that the topic or partition does not exist, as opposed
    /// to that it could not be asked for.
    pub fn is_unknown_topic(&self) -> bool {
        matches!(self, Self::UnknownTopic(_) | Self::UnknownPartition { .. })
    }

    /// Whether the connection it came from is of no more use.
    pub(crate) fn is_connection_fault(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::Tls { .. }
                | Self::Login { .. }
                | Self::BackingOff { .. }
                | Self::Timeout { .. }
                | Self::Closed
                | Self::Io(_)
                | Self::Protocol(_)
                | Self::Unreachable(_)
        )
    }

    /// Whether it is about certificates or passwords: somebody has to change
    /// something, and trying often would only fill the broker's log.
    pub(crate) fn is_about_security(&self) -> bool {
        matches!(self, Self::Tls { .. } | Self::Login { .. })
    }

    /// Whether the broker may have done what was asked although this came of it.
    pub fn may_have_been_done(&self) -> bool {
        match self {
            Self::Timeout { what, .. } => *what != CONNECTING && *what != HANDSHAKE,
            Self::Api { code, .. } => *code == ErrorCode::REQUEST_TIMED_OUT,
            Self::Closed | Self::Io(_) | Self::Protocol(_) => true,
            _ => false,
        }
    }

    /// Whether the same call may succeed later without anybody changing it.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Api { code, .. } => code.is_retriable(),
            Self::NoLeader { .. } => true,
            other => other.is_connection_fault(),
        }
    }

    /// Takes apart what the messenger says.
    pub(crate) fn from_request(error: &RequestError, api: &'static str) -> Self {
        let io = |source: &io::Error| {
            // Ours: `connection::stream` fails like this once it is closed.
            if source.kind() == io::ErrorKind::ConnectionAborted && source.raw_os_error().is_none()
            {
                return Self::Closed;
            }
            // Kept, so that whoever made the connection can explain it.
            let tls = source.get_ref().and_then(|inner| inner.downcast_ref());
            Self::Io(Arc::new(match tls {
                Some(tls) => io::Error::new(source.kind(), rustls::Error::clone(tls)),
                None => io::Error::new(source.kind(), source.to_string()),
            }))
        };
        match error {
            RequestError::NoVersionMatch { .. } => Self::UnsupportedVersion(api),
            RequestError::IO(source)
            | RequestError::WriteMessageError(FrameWriteError::IO(source))
            | RequestError::ReadFramedMessageError(FrameReadError::IO(source)) => io(source),
            RequestError::Poisoned(cause) => Self::from_request(cause, api),
            other => Self::Protocol(format!("{api}: {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisoned_connections_tell_their_first_cause() {
        let cause = RequestError::IO(io::Error::from(io::ErrorKind::BrokenPipe));
        let error = Error::from_request(&RequestError::Poisoned(Arc::new(cause)), "Fetch");
        assert!(matches!(error, Error::Io(_)), "{error}");
        assert!(error.is_retriable());
    }

    #[test]
    fn a_refusal_shows_the_brokers_words() {
        let error = Error::api(
            ErrorCode(44),
            "creating topic t",
            Some("too many partitions".to_owned()),
        );
        assert_eq!(
            error.to_string(),
            "creating topic t: POLICY_VIOLATION (44): too many partitions"
        );
        assert!(!error.is_retriable());
        assert_eq!(error.code(), Some(ErrorCode::POLICY_VIOLATION));
    }
}
