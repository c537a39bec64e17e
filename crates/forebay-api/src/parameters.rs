//! Parameters of the management actions, read by name from JSON or from flattened names.
//!
//! These actions are rare, so their bodies become a tree of values first. That gives what a
//! derived `Deserialize` does not: errors that name the field with its path, `null` as absent, and
//! no positional arrays in place of objects.
//!
//! Where names came flattened every value is text: there, and only there, a number or a boolean
//! may be text.

use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::echo::clipped;
use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::RequestParameters;
use crate::limits::MAX_MANAGEMENT_BODY_BYTES;
use crate::unique_keys::UniqueKeys;

/// A request's parameters as a tree.
#[derive(Debug)]
pub(crate) struct Object {
    members: Map<String, Value>,
    all_text: bool,
}

/// Parses the parameters of a management action: one object.
pub(crate) fn parse_object<'a>(
    parameters: impl Into<RequestParameters<'a>>,
) -> Result<Object, ApiError> {
    let (members, all_text) = match parameters.into() {
        RequestParameters::Json(body) => (parse_json(body)?, false),
        RequestParameters::Flattened(flattened) => (flattened.object()?, true),
    };
    Ok(Object { members, all_text })
}

fn parse_json(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.len() > MAX_MANAGEMENT_BODY_BYTES {
        let actual = u64::try_from(body.len()).ok();
        return Err(ApiError::request_too_large(
            MAX_MANAGEMENT_BODY_BYTES,
            actual,
        ));
    }
    match serde_json::from_slice(body) {
        Ok(UniqueKeys(Value::Object(map))) => Ok(map),
        Ok(UniqueKeys(other)) => Err(ApiError::new(
            ErrorCode::InvalidParameter,
            format!("request: expected an object, got {}", kind(&other)),
        )),
        // The only thing that is wrong with JSON in good form is a key given twice.
        Err(error) if error.is_data() => Err(ApiError::new(
            ErrorCode::InvalidParameter,
            format!("request: {error}"),
        )),
        Err(error) => Err(ApiError::new(
            ErrorCode::InvalidParameter,
            format!("request: malformed JSON: {error}"),
        )),
    }
}

/// The members of one object of the request.
#[derive(Clone, Copy)]
pub(crate) struct Parameters<'v> {
    map: &'v Map<String, Value>,
    path: Path,
    all_text: bool,
}

/// Where an object stands in the request; at most two levels deep in this API.
#[derive(Clone, Copy)]
enum Path {
    Root,
    In(&'static str),
    InIn(&'static str, &'static str),
    Item(&'static str, usize),
}

impl<'v> Parameters<'v> {
    pub(crate) fn new(object: &'v Object) -> Self {
        Self {
            map: &object.members,
            path: Path::Root,
            all_text: object.all_text,
        }
    }

    /// The text of a value that may be another type's, which is so where names came flattened.
    fn flattened<'t>(&self, value: &'t Value) -> Option<&'t str> {
        value.as_str().filter(|_| self.all_text)
    }

    /// The field's full name, for messages.
    pub(crate) fn field(&self, name: &'static str) -> Field {
        Field(self.path, name)
    }

    fn get(&self, name: &str) -> Option<&'v Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Whether the field is there and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn typed<T>(
        &self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(match self.flattened(value) {
                Some(text) => wrong_text(self.field(name), expected, text),
                None => wrong_type(self.field(name), expected, value),
            }),
        }
    }

    pub(crate) fn string(&self, name: &'static str) -> Result<Option<&'v str>, ApiError> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A string that must be there and not be empty.
    pub(crate) fn required_string(&self, name: &'static str) -> Result<&'v str, ApiError> {
        self.string(name)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| ApiError::missing(self.field(name)))
    }

    pub(crate) fn bool(&self, name: &'static str) -> Result<Option<bool>, ApiError> {
        self.typed(name, "true or false", |value| {
            match self.flattened(value) {
                // The latter ones are Python's.
                Some("true" | "True") => Some(true),
                Some("false" | "False") => Some(false),
                _ => value.as_bool(),
            }
        })
    }

    pub(crate) fn i64(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        self.typed(name, "an integer of 64 bits", |value| {
            let text = self.flattened(value);
            text.map_or(value.as_i64(), |text| text.parse().ok())
        })
    }

    pub(crate) fn u64(&self, name: &'static str) -> Result<Option<u64>, ApiError> {
        self.typed(name, "an unsigned integer of 64 bits", |value| {
            let text = self.flattened(value);
            text.map_or(value.as_u64(), |text| text.parse().ok())
        })
    }

    /// An integer within a range.
    pub(crate) fn i64_in(
        &self,
        name: &'static str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, ApiError> {
        let Some(number) = self.i64(name)? else {
            return Ok(None);
        };
        if range.contains(&number) {
            return Ok(Some(number));
        }
        let (least, most) = range.into_inner();
        let expected = match most {
            i64::MAX => format!("{least} or more"),
            most => format!("{least} to {most}"),
        };
        Err(ApiError::new(
            ErrorCode::InvalidParameterValue,
            format!("{}: expected {expected}, got {number}", self.field(name)),
        ))
    }

    pub(crate) fn object(&self, name: &'static str) -> Result<Option<Self>, ApiError> {
        let path = match self.path {
            Path::Root => Path::In(name),
            Path::In(outer) | Path::InIn(_, outer) | Path::Item(outer, _) => {
                Path::InIn(outer, name)
            }
        };
        let map = self.typed(name, "an object", Value::as_object)?;
        Ok(map.map(|map| Self { map, path, ..*self }))
    }

    pub(crate) fn required_object(&self, name: &'static str) -> Result<Self, ApiError> {
        self.object(name)?
            .ok_or_else(|| ApiError::missing(self.field(name)))
    }

    /// A list of objects at the top of the request; absent means empty.
    pub(crate) fn objects(&self, name: &'static str) -> Result<Vec<Self>, ApiError> {
        let list = self.typed(name, "an array", Value::as_array)?;
        list.into_iter()
            .flatten()
            .enumerate()
            .map(|(index, value)| match value.as_object() {
                Some(map) => Ok(Self {
                    map,
                    path: Path::Item(name, index),
                    ..*self
                }),
                None => {
                    let field = format_args!("{name}[{index}]");
                    Err(wrong_type(field, "an object", value))
                }
            })
            .collect()
    }

    /// A list of texts; absent means empty.
    pub(crate) fn strings(&self, name: &'static str) -> Result<Vec<&'v str>, ApiError> {
        let list = self.typed(name, "an array", Value::as_array)?;
        let text = |value: &'v Value| {
            let text = value.as_str();
            text.ok_or_else(|| wrong_type(self.field(name), "an array of strings", value))
        };
        list.into_iter().flatten().map(text).collect()
    }

    /// Refuses a parameter of a feature that Forebay does not have, unless its value asks for
    /// nothing: `null`, `false`, 0, "", or a list or object of such.
    pub(crate) fn refuse(&self, name: &'static str) -> Result<(), ApiError> {
        let value = self.map.get(name);
        if value.is_some_and(|value| asks_for_something(value, self.all_text)) {
            return Err(ApiError::new(
                ErrorCode::UnsupportedOperation,
                format!("{} is not supported: leave it out", self.field(name)),
            ));
        }
        Ok(())
    }
}

fn asks_for_something(value: &Value, all_text: bool) -> bool {
    let asks = |value| asks_for_something(value, all_text);
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) if all_text => !matches!(&**text, "" | "0" | "false" | "False"),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => list.iter().any(asks),
        Value::Object(map) => map.values().any(asks),
    }
}

fn wrong_text(field: impl fmt::Display, expected: &str, text: &str) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidParameter,
        format!("{field}: expected {expected}, got [{}]", clipped(text)),
    )
}

fn wrong_type(field: impl fmt::Display, expected: &str, value: &Value) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidParameter,
        format!("{field}: expected {expected}, got {}", kind(value)),
    )
}

/// What a value is, without repeating it: it may be as large as the request.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A field's full name.
pub(crate) struct Field(Path, &'static str);

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Path::Root => f.write_str(self.1),
            Path::In(outer) => write!(f, "{outer}.{}", self.1),
            Path::InIn(outermost, outer) => write!(f, "{outermost}.{outer}.{}", self.1),
            Path::Item(list, index) => write!(f, "{list}[{index}].{}", self.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_and_types() {
        let map = parse_object(
            br#"{"A":{"B":{"C":"5"}},"L":[{"K":1},[]],"N":null,"F":1.5,"Z":{"a":[0,"",false,null,{}]}}"#,
        )
        .unwrap();
        let root = Parameters::new(&map);
        let inner = root.object("A").unwrap().unwrap();
        let innermost = inner.object("B").unwrap().unwrap();
        for (error, expected) in [
            (
                innermost.u64("C").unwrap_err(),
                "A.B.C: expected an unsigned integer of 64 bits, got a string",
            ),
            (
                root.objects("L").err().unwrap(),
                "L[1]: expected an object, got an array",
            ),
            (
                root.i64("F").unwrap_err(),
                "F: expected an integer of 64 bits, got 1.5",
            ),
            (
                root.string("A").unwrap_err(),
                "A: expected a string, got an object",
            ),
        ] {
            assert_eq!(error.code, ErrorCode::InvalidParameter);
            assert_eq!(error.message, expected);
        }
        assert_eq!(root.string("N").unwrap(), None);
        assert!(root.object("N").unwrap().is_none());
        assert_eq!(
            root.required_string("N").unwrap_err().code,
            ErrorCode::MissingParameter
        );
        assert!(root.refuse("Z").is_ok() && root.refuse("absent").is_ok());
        assert_eq!(
            root.refuse("A").unwrap_err().code,
            ErrorCode::UnsupportedOperation
        );
    }

    #[test]
    fn bodies_that_are_no_object() {
        for body in [&b""[..], b"[]", b"null", b"{", b"{} x", b"\"s\""] {
            let error = parse_object(body).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidParameter, "{body:?}");
        }
        let deep = "[".repeat(MAX_MANAGEMENT_BODY_BYTES);
        assert_eq!(
            parse_object(deep.as_bytes()).unwrap_err().code,
            ErrorCode::InvalidParameter
        );
        let large = vec![b' '; MAX_MANAGEMENT_BODY_BYTES + 1];
        assert_eq!(
            parse_object(&large[..]).unwrap_err().code,
            ErrorCode::RequestSizeLimitExceeded
        );
    }
}
