//! serde_json's errors in the words of the API: which field, what was expected, what came, where.

use std::fmt;

use serde_json::error::Category;

use super::walk::Place;
use crate::error_code::{ApiError, ErrorCode};

pub(super) fn explain(place: Place, error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let reason = text.strip_suffix(&position).unwrap_or(&text);
    let message = match error.classify() {
        Category::Data => format!(
            "{place}: {}{}",
            Reason(reason),
            Position(error.line(), error.column())
        ),
        Category::Io | Category::Syntax | Category::Eof => format!(
            "{place}: malformed JSON: {reason}{}",
            Position(error.line(), error.column())
        ),
    };
    ApiError::new(ErrorCode::InvalidParameter, message)
}

/// Turns serde's `invalid type: X, expected Y` into `expected Y, got X`. The visitors see to it
/// that X never holds a string of the caller's.
struct Reason<'a>(&'a str);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self
            .0
            .strip_prefix("invalid type: ")
            .and_then(|rest| rest.split_once(", expected "));
        match parts {
            Some((got, expected)) => {
                let got = match got {
                    "sequence" => "an array",
                    "map" => "an object",
                    other => other,
                };
                write!(f, "expected {expected}, got {got}")
            }
            None => f.write_str(self.0),
        }
    }
}

struct Position(usize, usize);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Line 0 is serde_json's way to say that it does not know.
        if self.0 == 0 {
            return Ok(());
        }
        write!(f, " (line {} column {})", self.0, self.1)
    }
}
