//! `application/x-www-form-urlencoded`: pairs joined with `&`, percent-decoded, `+` for a blank.

use std::borrow::Cow;

use super::{Bytes, invalid};
use crate::error_code::{ApiError, ErrorCode};
use crate::limits::MAX_FLATTENED_PARAMETERS;

/// The pairs in the order given. A piece without `=` is a name with an empty value, an empty
/// piece is nothing.
pub(super) fn pairs(encoded: &[u8]) -> Result<Vec<(Bytes<'_>, Bytes<'_>)>, ApiError> {
    let mut pairs = Vec::new();
    let mut at = 0;
    for piece in encoded.split(|&byte| byte == b'&') {
        let start = at;
        at += piece.len() + 1;
        if piece.is_empty() {
            continue;
        }
        if pairs.len() == MAX_FLATTENED_PARAMETERS {
            return Err(ApiError::new(
                ErrorCode::InvalidParameterValue,
                format!(
                    "more than {MAX_FLATTENED_PARAMETERS} parameters: \
                     send fewer messages at once, or send JSON"
                ),
            ));
        }
        let equals = piece.iter().position(|&byte| byte == b'=');
        let (name, value) = match equals {
            Some(equals) => (&piece[..equals], &piece[equals + 1..]),
            None => (piece, &piece[piece.len()..]),
        };
        let value_start = start + piece.len() - value.len();
        pairs.push((unescape(name, start)?, unescape(value, value_start)?));
    }
    Ok(pairs)
}

/// `start` is where the text begins, for the error.
fn unescape(text: &[u8], start: usize) -> Result<Bytes<'_>, ApiError> {
    let escaped = |byte: &u8| matches!(byte, b'%' | b'+');
    let Some(first) = text.iter().position(escaped) else {
        return Ok(Cow::Borrowed(text));
    };
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(&text[..first]);
    let mut at = first;
    while let Some(&byte) = text.get(at) {
        at += 1;
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = text.get(at..at + 2).and_then(hex_pair);
                let Some(byte) = digits else {
                    return Err(invalid(format!(
                        "malformed percent-encoding at byte {} of the parameters: \
                         expected two hexadecimal digits after %",
                        start + at - 1
                    )));
                };
                at += 2;
                byte
            }
            other => other,
        });
    }
    Ok(Cow::Owned(decoded))
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let (high, low) = (value(*digits.first()?)?, value(*digits.get(1)?)?);
    u8::try_from(high << 4 | low).ok()
}
