//! A record, as FetchMessageByOffset answers it (`ConsumerRecord`).

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use forebay_api::format_utc;
use serde_json::Value;

use super::terminal_text::shown;

/// One record of a topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    topic: String,
    partition: i64,
    offset: i64,
    /// Unix milliseconds.
    timestamp_ms: i64,
    /// `None` is null.
    key: Option<Vec<u8>>,
    /// `None` is null, what compaction takes for a deletion.
    pub(super) value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

#[derive(Debug, PartialEq, Eq)]
struct Header {
    name: Vec<u8>,
    /// `None` is null.
    value: Option<Vec<u8>>,
}

impl Record {
    /// Reads `ConsumerRecord`. Text is its UTF-8; beside `KeyEncoding` or
    /// `ValueEncoding` = `base64` it is base64.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub(super) fn read(json: &Value) -> Result<Self, String> {
        let number = |name: &str| {
            let found = json[name].as_i64();
            found.ok_or_else(|| format!("a record without {name}"))
        };
        Ok(Self {
            topic: json["Topic"].as_str().unwrap_or_default().to_owned(),
            partition: number("Partition")?,
            offset: number("Offset")?,
            timestamp_ms: number("Timestamp")?,
            key: bytes(json, "Key")?,
            value: bytes(json, "Value")?,
            headers: headers(&json["Headers"])?,
        })
    }
}

fn bytes(json: &Value, name: &str) -> Result<Option<Vec<u8>>, String> {
    let Some(text) = json[name].as_str() else {
        return Ok(None);
    };
    match json[format!("{name}Encoding")].as_str() {
        None | Some("") => Ok(Some(text.as_bytes().to_vec())),
        Some("base64") => match BASE64_STANDARD.decode(text) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => Err(format!("{name} is not base64: {error}")),
        },
        Some(other) => Err(format!("{name} is encoded as [{}]", shown(other))),
    }
}

/// A JSON array of `{"Key","Value"}` as a string.
fn headers(json: &Value) -> Result<Vec<Header>, String> {
    let text = json.as_str().unwrap_or_default();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<Value> =
        serde_json::from_str(text).map_err(|error| format!("Headers are not JSON: {error}"))?;
    list.iter()
        .map(|header| {
            Ok(Header {
                name: bytes(header, "Key")?.unwrap_or_default(),
                value: bytes(header, "Value")?,
            })
        })
        .collect()
}

/// Bytes for people: harmless text, or their base64 if they are not UTF-8.
struct Readable<'b>(&'b Option<Vec<u8>>);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self
            .0
            .as_deref()
            .map(|bytes| (bytes, str::from_utf8(bytes)))
        {
            None => f.write_str("(null)"),
            Some((_, Ok(text))) => shown(text).fmt(f),
            Some((bytes, Err(_))) => {
                write!(f, "(not UTF-8, base64) {}", BASE64_STANDARD.encode(bytes))
            }
        }
    }
}

/// Longest value in a row of a table, in characters.
const ROW_VALUE_CHARS: usize = 80;

impl Record {
    /// Partition, offset, time, key and the beginning of the value.
    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.partition.to_string(),
            self.offset.to_string(),
            self.time(),
            clipped(&self.key),
            clipped(&self.value),
        ]
    }

    fn time(&self) -> String {
        let seconds = self.timestamp_ms.div_euclid(1000);
        let ms = self.timestamp_ms.rem_euclid(1000);
        format!("{}.{ms:03}", format_utc(seconds))
    }
}

fn clipped(bytes: &Option<Vec<u8>>) -> String {
    let text = Readable(bytes).to_string();
    match text.char_indices().nth(ROW_VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "topic      {}", shown(&self.topic))?;
        writeln!(f, "partition  {}", self.partition)?;
        writeln!(f, "offset     {}", self.offset)?;
        writeln!(f, "time       {} UTC", self.time())?;
        writeln!(f, "key        {}", Readable(&self.key))?;
        for Header { name, value } in &self.headers {
            let name = String::from_utf8_lossy(name);
            writeln!(f, "header     {}: {}", shown(&name), Readable(value))?;
        }
        let size = self.value.as_ref().map_or(0, Vec::len);
        writeln!(f, "bytes      {size}")?;
        writeln!(f, "value      {}", Readable(&self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn binary_null_and_hostile_parts_are_shown_harmlessly() {
        let json = json!({
            "Topic": "t", "Partition": 1, "Offset": 2, "Timestamp": 1_648_185_961_342_i64,
            "Key": null, "Value": "/wA=", "ValueEncoding": "base64",
            "Headers": r#"[{"Key":"a","Value":null},{"Key":"\u001b","Value":"/w==","ValueEncoding":"base64"}]"#,
        });
        let record = Record::read(&json).unwrap();
        assert_eq!(record.value.as_deref(), Some(&[0xff, 0][..]));
        assert_eq!(
            record.to_string(),
            "topic      t\npartition  1\noffset     2\n\
             time       2022-03-25 05:26:01.342 UTC\nkey        (null)\n\
             header     a: (null)\nheader     \\u{1b}: (not UTF-8, base64) /w==\n\
             bytes      2\nvalue      (not UTF-8, base64) /wA=\n"
        );
    }

    #[test]
    fn a_row_shows_where_a_long_value_was_cut() {
        let json = json!({"Topic": "t", "Partition": 1, "Offset": 2, "Timestamp": 1_500,
            "Key": "k", "Value": "é".repeat(100)});
        let row = Record::read(&json).unwrap().row();
        let value = format!("{}…", "é".repeat(80));
        assert_eq!(row, ["1", "2", "1970-01-01 00:00:01.500", "k", &value]);
    }

    #[test]
    fn what_is_not_a_record_is_named() {
        let good = json!({"Topic": "t", "Partition": 1, "Offset": 2, "Timestamp": 3, "Value": "v"});
        assert!(Record::read(&good).is_ok());
        for (field, wrong, reason) in [
            ("Offset", json!("2"), "without Offset"),
            ("ValueEncoding", json!("base64"), "not base64"),
            ("ValueEncoding", json!("rot13"), "rot13"),
            ("Headers", json!("{"), "not JSON"),
        ] {
            let mut json = good.clone();
            json[field] = wrong;
            let error = Record::read(&json).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert!(Record::read(&Value::Null).is_err());
    }
}
