//! Kafka's error codes that this broker answers, and which of ours is which.

use crate::log::AppendError;
use crate::topics::TopicError;

pub(super) const NONE: i16 = 0;
pub(super) const OFFSET_OUT_OF_RANGE: i16 = 1;
pub(super) const CORRUPT_MESSAGE: i16 = 2;
pub(super) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
pub(super) const MESSAGE_TOO_LARGE: i16 = 10;
pub(super) const INVALID_TOPIC: i16 = 17;
pub(super) const INVALID_REQUIRED_ACKS: i16 = 21;
pub(super) const INVALID_TIMESTAMP: i16 = 32;
pub(super) const UNSUPPORTED_VERSION: i16 = 35;
pub(super) const TOPIC_ALREADY_EXISTS: i16 = 36;
pub(super) const INVALID_PARTITIONS: i16 = 37;
pub(super) const INVALID_REPLICATION_FACTOR: i16 = 38;
pub(super) const INVALID_REPLICA_ASSIGNMENT: i16 = 39;
pub(super) const INVALID_CONFIG: i16 = 40;
pub(super) const INVALID_REQUEST: i16 = 42;
pub(super) const OUT_OF_ORDER_SEQUENCE: i16 = 45;
pub(super) const INVALID_PRODUCER_EPOCH: i16 = 47;
pub(super) const INVALID_TXN_STATE: i16 = 48;
pub(super) const KAFKA_STORAGE_ERROR: i16 = 56;
pub(super) const FETCH_SESSION_ID_NOT_FOUND: i16 = 70;
pub(super) const INVALID_RECORD: i16 = 87;

pub(super) fn of_append(error: &AppendError) -> i16 {
    match error {
        AppendError::Batch(_) => CORRUPT_MESSAGE,
        AppendError::TooLarge { .. } => MESSAGE_TOO_LARGE,
        AppendError::Records(_) | AppendError::Invalid(_) | AppendError::KeyMissing { .. } => {
            INVALID_RECORD
        }
        AppendError::Timestamp { .. } => INVALID_TIMESTAMP,
        AppendError::Transactional => INVALID_TXN_STATE,
        AppendError::Sequence(error) => error.code(OUT_OF_ORDER_SEQUENCE, INVALID_PRODUCER_EPOCH),
        AppendError::Storage(_) | AppendError::Broken(_) => KAFKA_STORAGE_ERROR,
        AppendError::Deleted => UNKNOWN_TOPIC_OR_PARTITION,
    }
}

pub(super) fn of_topic(error: &TopicError) -> i16 {
    match error {
        TopicError::Exists(_) => TOPIC_ALREADY_EXISTS,
        TopicError::Unknown(_) => UNKNOWN_TOPIC_OR_PARTITION,
        TopicError::Name(_) => INVALID_TOPIC,
        TopicError::Partitions { .. } => INVALID_PARTITIONS,
        TopicError::Config(_) => INVALID_CONFIG,
        TopicError::Storage(_) => KAFKA_STORAGE_ERROR,
    }
}
