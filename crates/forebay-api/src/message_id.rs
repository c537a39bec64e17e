//! The MessageId: where a message is, and when it came and went.

use std::fmt;
use std::str::FromStr;

use crate::names::{TopicNameProblem, check_topic_name, is_datahub_id};

/// `<DataHubId>:<topic>:<partition>:<offset>:<received>:<sent>`, in plain text.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct MessageId {
    /// The access point the message came through, `datahub-xxxxxxxx`.
    pub datahub_id: String,
    /// Kafka topic.
    pub topic: String,
    /// Partition of the topic, from 0.
    pub partition: i32,
    /// Offset of the record in the partition, from 0.
    pub offset: i64,
    /// Unix milliseconds when the last byte of the request's body had arrived.
    pub received_ms: i64,
    /// Unix milliseconds when the record was first handed to the broker's connection.
    pub sent_ms: i64,
}

/// Why a text is not a MessageId.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MessageIdError {
    /// Not six fields.
    #[error("a MessageId has 6 fields separated by ':', got {0}")]
    FieldCount(usize),
    /// The first field is not an access point's id.
    #[error("MessageId field 1 (DataHubId): expected datahub- and 8 of [a-z0-9]")]
    DatahubId,
    /// The second field is not the name of a topic.
    #[error("MessageId field 2 (topic): expected the name of a Kafka topic")]
    Topic,
    /// One of the numbers is not a plain decimal number in its range.
    #[error(
        "MessageId field {position} ({name}): expected a decimal number from 0 to {max}, without sign or leading zeros"
    )]
    Number {
        /// Position of the field, from 1.
        position: u8,
        /// Name of the field.
        name: &'static str,
        /// Largest value allowed.
        max: i64,
    },
}

/// Appends a MessageId to `out` without allocating (but for `out`'s own growth).
///
/// The numbers are written as they are; the caller guarantees that none is negative.
pub fn write_message_id(
    out: &mut Vec<u8>,
    datahub_id: &str,
    topic: &str,
    partition: i32,
    offset: i64,
    received_ms: i64,
    sent_ms: i64,
) {
    out.extend_from_slice(datahub_id.as_bytes());
    out.push(b':');
    out.extend_from_slice(topic.as_bytes());
    out.push(b':');
    write_place(out, partition, offset, received_ms, sent_ms);
}

/// Appends the four numbers of a MessageId.
pub(crate) fn write_place(
    out: &mut Vec<u8>,
    partition: i32,
    offset: i64,
    received_ms: i64,
    sent_ms: i64,
) {
    write_position(out, partition, offset);
    write_times(out, received_ms, sent_ms);
}

/// Appends `<partition>:<offset>`.
pub(crate) fn write_position(out: &mut Vec<u8>, partition: i32, offset: i64) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(partition).as_bytes());
    out.push(b':');
    out.extend_from_slice(digits.format(offset).as_bytes());
}

/// Appends `:<received>:<sent>`.
pub(crate) fn write_times(out: &mut Vec<u8>, received_ms: i64, sent_ms: i64) {
    let mut digits = itoa::Buffer::new();
    for number in [received_ms, sent_ms] {
        out.push(b':');
        out.extend_from_slice(digits.format(number).as_bytes());
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}:{}:{}:{}",
            self.datahub_id,
            self.topic,
            self.partition,
            self.offset,
            self.received_ms,
            self.sent_ms
        )
    }
}

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fields = [""; 6];
        let mut count = 0;
        for part in text.split(':') {
            if let Some(field) = fields.get_mut(count) {
                *field = part;
            }
            count += 1;
        }
        if count != fields.len() {
            return Err(MessageIdError::FieldCount(count));
        }
        let [datahub_id, topic, partition, offset, received, sent] = fields;
        if !is_datahub_id(datahub_id) {
            return Err(MessageIdError::DatahubId);
        }
        if check_topic_name(topic) == Err(TopicNameProblem::Illegal) {
            return Err(MessageIdError::Topic);
        }
        let partition = number(partition, 3, "partition", i64::from(i32::MAX))?;
        Ok(Self {
            datahub_id: datahub_id.to_owned(),
            topic: topic.to_owned(),
            partition: i32::try_from(partition).unwrap_or(i32::MAX),
            offset: number(offset, 4, "offset", i64::MAX)?,
            received_ms: number(received, 5, "received", i64::MAX)?,
            sent_ms: number(sent, 6, "sent", i64::MAX)?,
        })
    }
}

fn number(text: &str, position: u8, name: &'static str, max: i64) -> Result<i64, MessageIdError> {
    let plain =
        text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse::<i64>()
        .ok()
        .filter(|value| plain && *value <= max)
        .ok_or(MessageIdError::Number {
            position,
            name,
            max,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "datahub-lxxxxxx6:topicDev:4:2:1648185961342:1648185961398";

    #[test]
    fn the_vendors_example() {
        let id: MessageId = SEED.parse().unwrap();
        assert_eq!(id.datahub_id, "datahub-lxxxxxx6");
        assert_eq!(id.topic, "topicDev");
        assert_eq!((id.partition, id.offset), (4, 2));
        assert_eq!(
            (id.received_ms, id.sent_ms),
            (1_648_185_961_342, 1_648_185_961_398)
        );
        assert_eq!(id.to_string(), SEED);
        let mut out = b"x".to_vec();
        write_message_id(
            &mut out,
            &id.datahub_id,
            &id.topic,
            id.partition,
            id.offset,
            id.received_ms,
            id.sent_ms,
        );
        assert_eq!(out, format!("x{SEED}").into_bytes());
    }

    #[test]
    fn each_wrong_field_is_named() {
        for (text, named) in [
            ("", "got 1"),
            ("datahub-lxxxxxx6:t:4:2:1", "got 5"),
            ("datahub-lxxxxxx6:t:4:2:1:1:", "got 7"),
            ("datahub-X:t:4:2:1:1", "DataHubId"),
            ("datahub-lxxxxxx6::4:2:1:1", "topic"),
            ("datahub-lxxxxxx6:a b:4:2:1:1", "topic"),
            ("datahub-lxxxxxx6:t::2:1:1", "partition"),
            ("datahub-lxxxxxx6:t:2147483648:2:1:1", "partition"),
            ("datahub-lxxxxxx6:t:+4:2:1:1", "partition"),
            ("datahub-lxxxxxx6:t:4:-2:1:1", "offset"),
            ("datahub-lxxxxxx6:t:4:02:1:1", "offset"),
            ("datahub-lxxxxxx6:t:4:2:9223372036854775808:1", "received"),
            ("datahub-lxxxxxx6:t:4:2:1: 1", "sent"),
        ] {
            let error = text.parse::<MessageId>().unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
