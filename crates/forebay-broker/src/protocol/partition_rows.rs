//! Small conversions that several answers share.

use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;

/// The only broker there is.
pub(super) const BROKER_ID: BrokerId = BrokerId(0);

pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(super) fn text(text: impl ToString) -> StrBytes {
    StrBytes::from_string(text.to_string())
}
