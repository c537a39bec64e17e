//! The envelope of every answer: `{"Response":{…,"RequestId":"…"}}`.
//!
//! HTTP 200 and exactly [`CONTENT_TYPE`] go with it, whatever the outcome: Python's SDK takes an
//! error under `application/json; charset=utf-8` for a success, and loses the code under any other
//! status. `RequestId` is always there, `Error` only on errors, because Python takes the key alone
//! for an error.

use std::io;

use serde::Serialize;

use crate::error_code::{ApiError, ErrorCode};
use crate::message_id::{write_position, write_times};

pub use crate::partly_stored::PartlyStored;

/// The only content type of the API's answers, with nothing after it.
pub const CONTENT_TYPE: &str = "application/json";

const START: &[u8] = b"{\"Response\":{";
const RESULT: &[u8] = b"\"Result\":";
const REQUEST_ID: &[u8] = b",\"RequestId\":";
const END: &[u8] = b"}}";

/// Room for the envelope, a RequestId and a short message.
const SMALL_ANSWER: usize = 256;

/// Digits of partition, offset, two times, the separators, quotes and comma.
const PLACE_ROOM: usize = 5 + 12 + 13 + 13 + 3 + 3;

/// The answer to a request that failed.
pub fn error(error: &ApiError, request_id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(SMALL_ANSWER + error.message.len());
    out.extend_from_slice(START);
    out.extend_from_slice(b"\"Error\":{\"Code\":\"");
    out.extend_from_slice(error.code.as_str().as_bytes());
    out.extend_from_slice(b"\",\"Message\":");
    write_json_string(&mut out, &error.message);
    out.push(b'}');
    finish(out, request_id)
}

/// The answer `{"Response":{"Result":…,"RequestId":…}}` of every action but SendMessage.
///
/// A value that serde cannot write becomes an `InternalError` answer; the shapes in this crate
/// always can be written.
pub fn result<T: Serialize + ?Sized>(result: &T, request_id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 * SMALL_ANSWER);
    out.extend_from_slice(START);
    out.extend_from_slice(RESULT);
    match serde_json::to_writer(&mut out, result) {
        Ok(()) => finish(out, request_id),
        Err(fault) => error(
            &ApiError::new(
                ErrorCode::InternalError,
                format!("the result cannot be written as JSON: {fault}"),
            ),
            request_id,
        ),
    }
}

/// The same for a result that may be large: `reserve` is told the answer's length, to the byte,
/// before anything is allocated for it.
///
/// # Errors
/// That of `reserve`.
pub fn large_result<T: Serialize + ?Sized, E>(
    value: &T,
    request_id: &str,
    reserve: impl FnOnce(usize) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let mut counted = Counted(0);
    if serde_json::to_writer(&mut counted, value).is_err() {
        return Ok(result(value, request_id));
    }
    // An id of hexadecimal digits needs no escapes; any other only costs a reallocation.
    let envelope = START.len() + RESULT.len() + REQUEST_ID.len() + request_id.len() + 2 + END.len();
    let len = counted.0 + envelope;
    reserve(len)?;
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(START);
    out.extend_from_slice(RESULT);
    serde_json::to_writer(&mut out, value).expect("it could be written a moment ago");
    Ok(finish(out, request_id))
}

/// Counts bytes instead of keeping them.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn finish(mut out: Vec<u8>, request_id: &str) -> Vec<u8> {
    out.extend_from_slice(REQUEST_ID);
    write_json_string(&mut out, request_id);
    out.extend_from_slice(END);
    out
}

/// Appends the text as a JSON string with its quotes.
pub(crate) fn write_json_string(out: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.as_bytes().iter().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    serde_json::to_writer(out, text).expect("a string into a Vec cannot fail");
}

/// Builds the answer of a SendMessage whose messages are all acknowledged, in request order and
/// without an allocation per message.
#[derive(Debug)]
pub struct MessageIds {
    out: Vec<u8>,
    /// `"<datahub id>:<topic>:`, with the opening quote and escaped once for all.
    head: Vec<u8>,
    /// `:<received>:<sent>`, which all messages of a batch share.
    times: Vec<u8>,
    received_ms: i64,
    /// What `times` is for.
    sent_ms: Option<i64>,
    empty: bool,
}

impl MessageIds {
    /// An answer for `count` messages of one request; `count` only sizes the buffer.
    pub fn new(datahub_id: &str, topic: &str, received_ms: i64, count: usize) -> Self {
        let head = message_id_head(datahub_id, topic);
        let mut out = Vec::with_capacity(SMALL_ANSWER + count * (head.len() + PLACE_ROOM));
        out.extend_from_slice(START);
        out.extend_from_slice(b"\"MessageId\":[");
        Self {
            out,
            head,
            times: Vec::new(),
            received_ms,
            sent_ms: None,
            empty: true,
        }
    }

    /// Adds the id of the next message.
    pub fn push(&mut self, partition: i32, offset: i64, sent_ms: i64) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        if self.sent_ms != Some(sent_ms) {
            self.sent_ms = Some(sent_ms);
            self.times.clear();
            write_times(&mut self.times, self.received_ms, sent_ms);
        }
        self.out.extend_from_slice(&self.head);
        write_position(&mut self.out, partition, offset);
        self.out.extend_from_slice(&self.times);
        self.out.push(b'"');
    }

    /// The complete answer.
    pub fn finish(mut self, request_id: &str) -> Vec<u8> {
        self.out.push(b']');
        finish(self.out, request_id)
    }
}

/// The part of a MessageId that all messages of a request share, as the start of a JSON string.
pub(crate) fn message_id_head(datahub_id: &str, topic: &str) -> Vec<u8> {
    let mut head = Vec::with_capacity(datahub_id.len() + topic.len() + 4);
    write_json_string(&mut head, datahub_id);
    head.pop();
    head.push(b':');
    let at = head.len();
    write_json_string(&mut head, topic);
    head.remove(at);
    head.pop();
    head.push(b':');
    head
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn message_ids_to_the_letter() {
        let mut ids = MessageIds::new("datahub-lab00001", "topicDev", 1000, 2);
        ids.push(4, 2, 1001);
        ids.push(0, 77, 1002);
        assert_eq!(
            text(ids.finish("r-1")),
            r#"{"Response":{"MessageId":["datahub-lab00001:topicDev:4:2:1000:1001","datahub-lab00001:topicDev:0:77:1000:1002"],"RequestId":"r-1"}}"#
        );
    }

    #[test]
    fn the_buffer_is_sized_once() {
        let mut ids = MessageIds::new("datahub-lab00001", &"t".repeat(249), 1_795_412_115_123, 500);
        let capacity = ids.out.capacity();
        for offset in 0..500 {
            ids.push(99, 10_000_000_000 + offset, 1_795_412_115_199);
        }
        let answer = ids.finish("0d8e2a4e-7f31-4c53-9a08-1c4f0e3c9b52");
        assert_eq!(answer.capacity(), capacity);
        let parsed: Value = serde_json::from_slice(&answer).unwrap();
        let list = parsed["Response"]["MessageId"].as_array().unwrap();
        assert_eq!(list.len(), 500);
    }

    #[test]
    fn error_is_escaped_and_complete() {
        let answer = text(error(
            &ApiError::new(
                ErrorCode::InvalidParameter,
                "quote \" slash \\ line\n nul \u{0} é",
            ),
            "r\"2",
        ));
        let parsed: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            parsed,
            json!({"Response": {"Error": {"Code": "InvalidParameter",
                "Message": "quote \" slash \\ line\n nul \u{0} é"}, "RequestId": "r\"2"}})
        );
    }

    #[test]
    fn result_has_no_error_key() {
        let answer = text(result(&json!({"TaskId": "task-aaaaaaaa"}), "r"));
        assert_eq!(
            answer,
            r#"{"Response":{"Result":{"TaskId":"task-aaaaaaaa"},"RequestId":"r"}}"#
        );
        assert!(!answer.contains("Error"));
    }

    #[test]
    fn a_large_result_is_announced_to_the_byte() {
        let value = json!({"Text": "é\n\"".repeat(1000)});
        let mut announced = 0;
        let answer = large_result(&value, "r-1", |len| {
            announced = len;
            Ok::<_, ()>(())
        });
        let answer = answer.unwrap();
        assert_eq!((answer.len(), answer.capacity()), (announced, announced));
        assert_eq!(answer, result(&value, "r-1"));
        assert_eq!(large_result(&value, "r-1", |_| Err("no")), Err("no"));
    }

    #[test]
    fn an_unwritable_result_is_an_honest_error() {
        let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
        let parsed: Value = serde_json::from_slice(&result(&unwritable, "r")).unwrap();
        assert_eq!(parsed["Response"]["Error"]["Code"], "InternalError");
    }
}
