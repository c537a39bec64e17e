//! Kafka's error codes, as numbers.
//!
//! Numbers and not an enum: an answer's code decides what is promised to a
//! caller, so a code we have never heard of must pass through unchanged.
//! Source: <https://kafka.apache.org/protocol#protocol_error_codes>.

use std::fmt;

use rskafka::protocol::{error::Error as WireError, primitives::Int16};

/// An error code of the Kafka protocol; 0 is success.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i16);

macro_rules! codes {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        impl ErrorCode {
            $(
                #[doc = concat!("`", $text, "`, ", stringify!($code), ".")]
                pub const $name: Self = Self($code);
            )*

            /// The name that Kafka's documentation uses, `UNKNOWN` for codes
            /// that this client has no use for.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($code => $text,)*
                    _ => "UNKNOWN",
                }
            }
        }
    };
}

codes! {
    UNKNOWN_SERVER_ERROR = -1, "UNKNOWN_SERVER_ERROR";
    NONE = 0, "NONE";
    OFFSET_OUT_OF_RANGE = 1, "OFFSET_OUT_OF_RANGE";
    CORRUPT_MESSAGE = 2, "CORRUPT_MESSAGE";
    UNKNOWN_TOPIC_OR_PARTITION = 3, "UNKNOWN_TOPIC_OR_PARTITION";
    LEADER_NOT_AVAILABLE = 5, "LEADER_NOT_AVAILABLE";
    NOT_LEADER_OR_FOLLOWER = 6, "NOT_LEADER_OR_FOLLOWER";
    REQUEST_TIMED_OUT = 7, "REQUEST_TIMED_OUT";
    BROKER_NOT_AVAILABLE = 8, "BROKER_NOT_AVAILABLE";
    REPLICA_NOT_AVAILABLE = 9, "REPLICA_NOT_AVAILABLE";
    MESSAGE_TOO_LARGE = 10, "MESSAGE_TOO_LARGE";
    NETWORK_EXCEPTION = 13, "NETWORK_EXCEPTION";
    COORDINATOR_LOAD_IN_PROGRESS = 14, "COORDINATOR_LOAD_IN_PROGRESS";
    COORDINATOR_NOT_AVAILABLE = 15, "COORDINATOR_NOT_AVAILABLE";
    NOT_COORDINATOR = 16, "NOT_COORDINATOR";
    INVALID_TOPIC_EXCEPTION = 17, "INVALID_TOPIC_EXCEPTION";
    RECORD_LIST_TOO_LARGE = 18, "RECORD_LIST_TOO_LARGE";
    NOT_ENOUGH_REPLICAS = 19, "NOT_ENOUGH_REPLICAS";
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND";
    INVALID_REQUIRED_ACKS = 21, "INVALID_REQUIRED_ACKS";
    TOPIC_AUTHORIZATION_FAILED = 29, "TOPIC_AUTHORIZATION_FAILED";
    CLUSTER_AUTHORIZATION_FAILED = 31, "CLUSTER_AUTHORIZATION_FAILED";
    INVALID_TIMESTAMP = 32, "INVALID_TIMESTAMP";
    UNSUPPORTED_SASL_MECHANISM = 33, "UNSUPPORTED_SASL_MECHANISM";
    ILLEGAL_SASL_STATE = 34, "ILLEGAL_SASL_STATE";
    UNSUPPORTED_VERSION = 35, "UNSUPPORTED_VERSION";
    TOPIC_ALREADY_EXISTS = 36, "TOPIC_ALREADY_EXISTS";
    INVALID_PARTITIONS = 37, "INVALID_PARTITIONS";
    INVALID_REPLICATION_FACTOR = 38, "INVALID_REPLICATION_FACTOR";
    INVALID_CONFIG = 40, "INVALID_CONFIG";
    NOT_CONTROLLER = 41, "NOT_CONTROLLER";
    INVALID_REQUEST = 42, "INVALID_REQUEST";
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43, "UNSUPPORTED_FOR_MESSAGE_FORMAT";
    POLICY_VIOLATION = 44, "POLICY_VIOLATION";
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45, "OUT_OF_ORDER_SEQUENCE_NUMBER";
    DUPLICATE_SEQUENCE_NUMBER = 46, "DUPLICATE_SEQUENCE_NUMBER";
    INVALID_PRODUCER_EPOCH = 47, "INVALID_PRODUCER_EPOCH";
    OPERATION_NOT_ATTEMPTED = 55, "OPERATION_NOT_ATTEMPTED";
    KAFKA_STORAGE_ERROR = 56, "KAFKA_STORAGE_ERROR";
    SASL_AUTHENTICATION_FAILED = 58, "SASL_AUTHENTICATION_FAILED";
    UNKNOWN_PRODUCER_ID = 59, "UNKNOWN_PRODUCER_ID";
    TOPIC_DELETION_DISABLED = 73, "TOPIC_DELETION_DISABLED";
    FENCED_LEADER_EPOCH = 74, "FENCED_LEADER_EPOCH";
    UNKNOWN_LEADER_EPOCH = 75, "UNKNOWN_LEADER_EPOCH";
    UNSUPPORTED_COMPRESSION_TYPE = 76, "UNSUPPORTED_COMPRESSION_TYPE";
    OFFSET_NOT_AVAILABLE = 78, "OFFSET_NOT_AVAILABLE";
    INVALID_RECORD = 87, "INVALID_RECORD";
    THROTTLING_QUOTA_EXCEEDED = 89, "THROTTLING_QUOTA_EXCEEDED";
    PRODUCER_FENCED = 90, "PRODUCER_FENCED";
}

impl ErrorCode {
    /// The code of an answer that the protocol library has decoded.
    pub(crate) fn of(error: Option<WireError>) -> Self {
        Self(Int16::from(error).0)
    }

    /// Whether it is success.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether the metadata we go by may be outdated.
    pub(crate) const fn is_stale_metadata(self) -> bool {
        matches!(
            self,
            Self::UNKNOWN_TOPIC_OR_PARTITION
                | Self::LEADER_NOT_AVAILABLE
                | Self::NOT_LEADER_OR_FOLLOWER
                | Self::REPLICA_NOT_AVAILABLE
                | Self::KAFKA_STORAGE_ERROR
                | Self::FENCED_LEADER_EPOCH
                | Self::UNKNOWN_LEADER_EPOCH
                | Self::NOT_CONTROLLER
        )
    }

    /// Whether asking again may succeed without anybody changing the request.
    pub(crate) const fn is_retriable(self) -> bool {
        self.is_stale_metadata()
            || matches!(
                self,
                Self::REQUEST_TIMED_OUT
                    | Self::BROKER_NOT_AVAILABLE
                    | Self::NETWORK_EXCEPTION
                    | Self::COORDINATOR_LOAD_IN_PROGRESS
                    | Self::COORDINATOR_NOT_AVAILABLE
                    | Self::NOT_COORDINATOR
                    | Self::OFFSET_NOT_AVAILABLE
                    | Self::THROTTLING_QUOTA_EXCEEDED
            )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_passes_unchanged_through_the_protocol_library() {
        for code in -5..500 {
            assert_eq!(ErrorCode::of(WireError::new(code)), ErrorCode(code));
        }
    }

    #[test]
    fn codes_are_shown_with_name_and_number() {
        assert_eq!(
            ErrorCode(45).to_string(),
            "OUT_OF_ORDER_SEQUENCE_NUMBER (45)"
        );
        assert_eq!(ErrorCode(32_000).to_string(), "UNKNOWN (32000)");
    }
}
