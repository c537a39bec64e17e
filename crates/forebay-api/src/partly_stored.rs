//! The error of a SendMessage whose messages met different fates.

use crate::answer::message_id_head;
use crate::error_code::{ApiError, ErrorCode};
use crate::message_id::write_place;

/// Builds `partly stored: {"stored":{"<index>":"<MessageId>"},"not_stored":[…],"unknown":[…]}`.
///
/// The API has no status per message, so the message of one error says what became of each.
/// Indexes are those of the request's Message list, from 0.
#[derive(Debug)]
pub struct PartlyStored {
    head: Vec<u8>,
    received_ms: i64,
    stored: Vec<u8>,
    not_stored: Vec<u8>,
    unknown: Vec<u8>,
}

impl PartlyStored {
    /// Starts the report on one request.
    pub fn new(datahub_id: &str, topic: &str, received_ms: i64) -> Self {
        Self {
            head: message_id_head(datahub_id, topic),
            received_ms,
            stored: Vec::new(),
            not_stored: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// Message `index` is acknowledged and has this id.
    pub fn stored(&mut self, index: usize, partition: i32, offset: i64, sent_ms: i64) {
        let out = &mut self.stored;
        if !out.is_empty() {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
        out.extend_from_slice(b"\":");
        out.extend_from_slice(&self.head);
        write_place(out, partition, offset, self.received_ms, sent_ms);
        out.push(b'"');
    }

    /// Message `index` is certainly not stored.
    pub fn not_stored(&mut self, index: usize) {
        push_index(&mut self.not_stored, index);
    }

    /// Message `index` may or may not be stored.
    pub fn unknown(&mut self, index: usize) {
        push_index(&mut self.unknown, index);
    }

    /// The finished error, `FailedOperation`.
    pub fn into_error(self) -> ApiError {
        let mut text = b"partly stored: {\"stored\":{".to_vec();
        text.extend_from_slice(&self.stored);
        text.extend_from_slice(b"},\"not_stored\":[");
        text.extend_from_slice(&self.not_stored);
        text.extend_from_slice(b"],\"unknown\":[");
        text.extend_from_slice(&self.unknown);
        text.extend_from_slice(b"]}");
        let text = String::from_utf8(text).expect("made of str and digits only");
        ApiError::new(ErrorCode::FailedOperation, text)
    }
}

fn push_index(list: &mut Vec<u8>, index: usize) {
    if !list.is_empty() {
        list.push(b',');
    }
    list.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::answer;

    #[test]
    fn survives_the_envelope_as_json_in_json() {
        let mut report = PartlyStored::new("datahub-lab00001", "t", 1000);
        report.stored(0, 3, 14, 1001);
        report.not_stored(1);
        report.unknown(2);
        report.stored(3, 3, 15, 1001);
        report.not_stored(4);
        let answer: Value =
            serde_json::from_slice(&answer::error(&report.into_error(), "r")).unwrap();
        let error = &answer["Response"]["Error"];
        assert_eq!(error["Code"], "FailedOperation");
        let message = error["Message"].as_str().unwrap();
        let json_part = message.strip_prefix("partly stored: ").unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(json_part).unwrap(),
            json!({
                "stored": {
                    "0": "datahub-lab00001:t:3:14:1000:1001",
                    "3": "datahub-lab00001:t:3:15:1000:1001",
                },
                "not_stored": [1, 4],
                "unknown": [2],
            })
        );
    }

    #[test]
    fn empty_parts_are_still_there() {
        let mut report = PartlyStored::new("datahub-lab00001", "t", 1000);
        report.unknown(0);
        assert_eq!(
            report.into_error().message,
            r#"partly stored: {"stored":{},"not_stored":[],"unknown":[0]}"#
        );
    }
}
