//! Parameters by query (GET) and by form (signature v1): `Message.0.Body=plain+body&…`.
//!
//! The SDKs join nested names with `.`, number a list's items from 0, and send every value as text:
//! integers in decimal, booleans as `true` or (Python) `True`. What is `null`, an empty list, and
//! with Go an empty string they leave out. From here on such a request means the same as its JSON:
//! the same types, limits and errors; only numbers and booleans may be text.
//!
//! Memory is bounded by the request: at most [`MAX_FLATTENED_PARAMETERS`] are kept, an index is
//! never more than a number, and names go at most [`MAX_FLATTENED_DEPTH`] deep.
//!
//! [`MAX_FLATTENED_PARAMETERS`]: crate::limits::MAX_FLATTENED_PARAMETERS
//! [`MAX_FLATTENED_DEPTH`]: crate::limits::MAX_FLATTENED_DEPTH

mod decode;
mod encode;
mod tree;

use std::borrow::Cow;
use std::fmt;

pub use encode::{encode, flatten};

use crate::echo::clipped;
use crate::error_code::{ApiError, ErrorCode};
use crate::limits::MAX_MANAGEMENT_BODY_BYTES;
use serde_json::{Map, Value};

/// A name or a value, percent-decoded; borrowed where nothing was encoded.
type Bytes<'a> = Cow<'a, [u8]>;

/// The decoded parameters of a query or a form, in the byte order of their names.
#[derive(Clone, Default)]
pub struct Flattened<'a> {
    pairs: Vec<(Bytes<'a>, Bytes<'a>)>,
    raw_bytes: usize,
}

/// Shows no values: with signature v1 a token is among them.
impl fmt::Debug for Flattened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flattened")
            .field("parameters", &self.pairs.len())
            .field("raw_bytes", &self.raw_bytes)
            .finish_non_exhaustive()
    }
}

impl<'a> Flattened<'a> {
    /// Decodes a query without its `?`, or a form's body. Nothing is checked but the encoding:
    /// names may be repeated, and neither names nor values need be text.
    ///
    /// # Errors
    ///
    /// `InvalidParameter` for a malformed percent-encoding, `InvalidParameterValue` for more than
    /// 4,096 parameters.
    pub fn decode(encoded: &'a [u8]) -> Result<Self, ApiError> {
        let mut pairs = decode::pairs(encoded)?;
        // Stable, so that what is given twice keeps its order.
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Self {
            pairs,
            raw_bytes: encoded.len(),
        })
    }

    /// Names and values in the byte order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The values of one name, usually one or none.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let start = self
            .pairs
            .partition_point(|(other, _)| **other < *name.as_bytes());
        let rest = self.pairs[start..].iter();
        rest.take_while(move |(other, _)| **other == *name.as_bytes())
            .map(|(_, value)| &**value)
    }

    /// The text of the parameter with this whole name.
    ///
    /// # Errors
    ///
    /// `InvalidParameter` if it is there more than once or is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => text(name, value).map(Some),
            (Some(_), Some(_)) => Err(given_twice(name)),
        }
    }

    /// Names and values as text, each name once.
    ///
    /// # Errors
    ///
    /// `InvalidParameter` for a name that is repeated or not UTF-8, and for a value that is not
    /// UTF-8.
    pub(crate) fn texts(&self) -> Result<Vec<(&str, &str)>, ApiError> {
        let mut texts = Vec::with_capacity(self.pairs.len());
        let mut before: Option<&str> = None;
        for (name, value) in self.iter() {
            let name = std::str::from_utf8(name).map_err(|_| {
                let shown = String::from_utf8_lossy(name);
                invalid(format!("{}: the name is not UTF-8", clipped(&shown)))
            })?;
            if before.replace(name) == Some(name) {
                return Err(given_twice(name));
            }
            texts.push((name, text(name, value)?));
        }
        Ok(texts)
    }

    /// The parameters as a tree, as JSON's would be, with text for every leaf.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, ApiError> {
        if self.raw_bytes > MAX_MANAGEMENT_BODY_BYTES {
            let actual = u64::try_from(self.raw_bytes).ok();
            return Err(ApiError::request_too_large(
                MAX_MANAGEMENT_BODY_BYTES,
                actual,
            ));
        }
        tree::object(&self.texts()?)
    }
}

/// A request's parameters, in whichever encoding they came.
#[derive(Clone, Copy, Debug)]
pub enum RequestParameters<'a> {
    /// A JSON object.
    Json(&'a [u8]),
    /// A query or a form.
    Flattened(&'a Flattened<'a>),
}

impl<'a> From<&'a [u8]> for RequestParameters<'a> {
    fn from(json: &'a [u8]) -> Self {
        Self::Json(json)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for RequestParameters<'a> {
    fn from(json: &'a [u8; N]) -> Self {
        Self::Json(json)
    }
}

impl<'a> From<&'a Flattened<'a>> for RequestParameters<'a> {
    fn from(flattened: &'a Flattened<'a>) -> Self {
        Self::Flattened(flattened)
    }
}

/// A list's index: decimal, without leading zeros, so that each has one name.
pub(crate) fn index(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_canonical = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain && is_canonical)
}

fn text<'v>(name: &str, value: &'v [u8]) -> Result<&'v str, ApiError> {
    std::str::from_utf8(value).map_err(|error| {
        let at = error.valid_up_to();
        let name = clipped(name);
        invalid(format!(
            "{name}: expected UTF-8, which byte {at} of it is not"
        ))
    })
}

fn given_twice(name: &str) -> ApiError {
    invalid(format!("{}: the parameter is given twice", clipped(name)))
}

fn invalid(message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidParameter, message)
}

#[cfg(test)]
mod tests;
