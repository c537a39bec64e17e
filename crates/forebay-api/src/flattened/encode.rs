//! Writing `application/x-www-form-urlencoded`, and flattening a JSON object.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Joins names and values, percent-encoded; RFC 3986's unreserved bytes stay, a blank is `%20`.
pub fn encode<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut encoded = String::new();
    for (name, value) in pairs {
        if !encoded.is_empty() {
            encoded.push('&');
        }
        escape(&mut encoded, name);
        encoded.push('=');
        escape(&mut encoded, value);
    }
    encoded
}

fn escape(encoded: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
    }
}

/// Flattens an object as the SDKs do: `null` and what is empty is left out.
pub fn flatten(object: &Map<String, Value>) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (name, value) in object {
        add(&mut pairs, name, value);
    }
    pairs
}

fn add(pairs: &mut Vec<(String, String)>, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => pairs.push((name.to_owned(), flag.to_string())),
        Value::Number(number) => pairs.push((name.to_owned(), number.to_string())),
        Value::String(text) => pairs.push((name.to_owned(), text.clone())),
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                add(pairs, &format!("{name}.{index}"), item);
            }
        }
        Value::Object(members) => {
            for (member, value) in members {
                add(pairs, &format!("{name}.{member}"), value);
            }
        }
    }
}
