//! The request of SendMessage, parsed without copying what JSON has not escaped.
//!
//! This is the hot path, so the shape is read by hand-written visitors: they borrow from the body,
//! allocate one list, and know at any moment which field they are in, so that a refusal can name
//! it. Memory is bounded by the body: of more than [`MAX_MESSAGES`] messages or more than
//! [`MAX_DECODED_BYTES`] nothing more is kept, and the rest is only checked and counted. The stack
//! is bounded too: unknown parameters may be 64 deep.

mod fault;
mod flattened;
mod walk;

use std::borrow::Cow;

use serde::de::DeserializeSeed;

use crate::error_code::{ApiError, ErrorCode};
use crate::limits::{MAX_DECODED_BYTES, MAX_MESSAGES};
use walk::{Place, Request};

pub use flattened::from_flattened;

/// A SendMessage request within its limits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SendMessageRequest<'a> {
    /// The access point as the caller wrote it. It may be malformed and of any length: look it up
    /// and answer [`ApiError::datahub_not_found`].
    pub datahub_id: Cow<'a, str>,
    /// 1 to 500 messages, in request order.
    pub messages: Vec<Message<'a>>,
    /// Bytes of all keys and bodies after decoding, at most 5 MiB.
    pub decoded_bytes: usize,
}

/// One `BatchContent`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message<'a> {
    /// The record's key. An empty, `null` or absent Key is no key.
    pub key: Option<Cow<'a, str>>,
    /// The record's value; may be empty.
    pub body: Cow<'a, str>,
}

/// Parses the raw body of a SendMessage.
///
/// # Errors
///
/// In this order: `InvalidParameter` for malformed JSON, bytes after it, a value of the wrong
/// type, a lone surrogate or a key given twice; `MissingParameter` for DataHubId, Message, an empty
/// Message list, or a Body; `InvalidParameterValue` for more than 500 messages or 5 MiB. Each names
/// the field, the first also line and column of the body.
pub fn parse(body: &[u8]) -> Result<SendMessageRequest<'_>, ApiError> {
    match parse_quickly(body) {
        Some(reading) => reading.finish(),
        None => parse_and_explain(body),
    }
}

/// With SIMD (sonic-rs). `None` if the body is refused, without a reason: its errors cannot say
/// what serde_json's can, and refusals need not be quick.
fn parse_quickly(body: &[u8]) -> Option<Reading<'_>> {
    let mut reading = Reading::default();
    let mut json = sonic_rs::Deserializer::from_slice(body);
    Request(&mut reading).deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(reading)
}

/// With positions in the errors.
fn parse_and_explain(body: &[u8]) -> Result<SendMessageRequest<'_>, ApiError> {
    let mut reading = Reading::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let outcome = Request(&mut reading).deserialize(&mut json).and_then(|()| {
        reading.place = Place::AfterRequest;
        json.end()
    });
    match outcome {
        Ok(()) => reading.finish(),
        Err(error) => Err(fault::explain(reading.place, &error)),
    }
}

/// What has been read of a request so far, and where the reader is.
#[derive(Default)]
struct Reading<'a> {
    place: Place,
    datahub_id: Option<Cow<'a, str>>,
    message_given: bool,
    messages: Vec<Message<'a>>,
    /// Messages seen, kept or not.
    count: usize,
    decoded_bytes: usize,
    first_without_body: Option<usize>,
}

impl<'a> Reading<'a> {
    fn add_message(&mut self, key: Option<Cow<'a, str>>, body: Option<Cow<'a, str>>) {
        let index = self.count;
        self.count += 1;
        let Some(body) = body else {
            self.first_without_body.get_or_insert(index);
            return;
        };
        let key = key.filter(|key| !key.is_empty());
        self.decoded_bytes += key.as_ref().map_or(0, |key| key.len()) + body.len();
        if self.count <= MAX_MESSAGES && self.decoded_bytes <= MAX_DECODED_BYTES {
            self.messages.push(Message { key, body });
        }
    }

    fn finish(self) -> Result<SendMessageRequest<'a>, ApiError> {
        let datahub_id = self
            .datahub_id
            .ok_or_else(|| ApiError::missing("DataHubId"))?;
        if !self.message_given {
            return Err(ApiError::missing("Message"));
        }
        if self.count == 0 {
            return Err(ApiError::new(
                ErrorCode::MissingParameter,
                "Message: expected 1 to 500 messages, got an empty list",
            ));
        }
        if let Some(index) = self.first_without_body {
            return Err(ApiError::missing(format_args!("Message[{index}].Body")));
        }
        if self.count > MAX_MESSAGES {
            return Err(ApiError::new(
                ErrorCode::InvalidParameterValue,
                format!(
                    "Message: got {} messages, the limit is {MAX_MESSAGES}",
                    self.count
                ),
            ));
        }
        if self.decoded_bytes > MAX_DECODED_BYTES {
            return Err(ApiError::new(
                ErrorCode::InvalidParameterValue,
                format!(
                    "Message: keys and bodies have {} bytes together, the limit is {MAX_DECODED_BYTES}",
                    self.decoded_bytes
                ),
            ));
        }
        Ok(SendMessageRequest {
            datahub_id,
            messages: self.messages,
            decoded_bytes: self.decoded_bytes,
        })
    }
}

#[cfg(test)]
mod tests;
