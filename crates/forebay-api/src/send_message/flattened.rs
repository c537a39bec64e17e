//! SendMessage by query or form: `DataHubId`, `Message.<index>.Body`, `Message.<index>.Key`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Reading, SendMessageRequest};
use crate::echo::clipped;
use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::{Flattened, index};

/// Reads a SendMessage from flattened parameters; names it does not know are ignored.
///
/// # Errors
///
/// As [`parse`](super::parse): `InvalidParameter` for a name given twice, a text that is not UTF-8,
/// a malformed index, a value that stands where an object or list is expected or the other way
/// round, and a list with gaps; `MissingParameter` and `InvalidParameterValue` as there.
pub fn from_flattened<'f>(
    parameters: &'f Flattened<'_>,
) -> Result<SendMessageRequest<'f>, ApiError> {
    let mut reading = Reading::default();
    // By index: names are in byte order, which puts 10 before 2.
    let mut items: BTreeMap<u64, Item<'f>> = BTreeMap::new();
    for (name, value) in parameters.texts()? {
        match name.split_once('.') {
            None if name == "DataHubId" => reading.datahub_id = Some(Cow::Borrowed(value)),
            None if name == "Message" => return Err(wrong(name, "expected a list, got a text")),
            Some(("DataHubId", _)) => return Err(wrong("DataHubId", "expected a string")),
            Some(("Message", rest)) => {
                let (number, member) = match rest.split_once('.') {
                    Some((number, member)) => (number, Some(member)),
                    None => (rest, None),
                };
                let Some(index) = index(number) else {
                    return Err(wrong(name, "expected Message.<index>, counted from 0"));
                };
                let Some(member) = member else {
                    return Err(wrong(name, "expected an object, got a text"));
                };
                items.entry(index).or_default().set(name, member, value)?;
            }
            _ => {}
        }
    }
    reading.message_given = !items.is_empty();
    for (expected, (index, item)) in (0..).zip(items) {
        if index != expected {
            return Err(wrong(
                &format!("Message.{index}"),
                &format!("there is no Message.{expected}: items are counted from 0 without gaps"),
            ));
        }
        let text = |text: &'f str| Cow::Borrowed(text);
        reading.add_message(item.key.map(text), item.body.map(text));
    }
    reading.finish()
}

#[derive(Default)]
struct Item<'f> {
    key: Option<&'f str>,
    body: Option<&'f str>,
}

impl<'f> Item<'f> {
    fn set(&mut self, name: &str, member: &str, value: &'f str) -> Result<(), ApiError> {
        match member.split_once('.').map_or(member, |(first, _)| first) {
            "Body" if member == "Body" => self.body = Some(value),
            "Key" if member == "Key" => self.key = Some(value),
            "Body" | "Key" => return Err(wrong(name, "expected a string")),
            _ => {}
        }
        Ok(())
    }
}

fn wrong(name: &str, problem: &str) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidParameter,
        format!("{}: {problem}", clipped(name)),
    )
}
