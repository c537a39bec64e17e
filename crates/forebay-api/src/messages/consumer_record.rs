//! One message as the Fetch actions show it: the API's `ConsumerRecord`.

use std::fmt;
use std::io;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

/// What stands beside a text that is not the bytes themselves.
const BASE64: &str = "base64";

/// `ConsumerRecord`, borrowed from the record that was read.
///
/// - Key and Value are text where their bytes are UTF-8. Otherwise they are base64 (RFC 4648 §4,
///   padded), and `KeyEncoding` or `ValueEncoding` says `base64`; those fields are there only then.
/// - Null stays null: no key, or a tombstone's value. An empty one is `""`. All four SDKs' models
///   have both fields as strings that may be null.
/// - Timestamp is Unix milliseconds.
/// - Headers is text too, as the API's model wants it: a JSON array of `{"Key","Value"}` in the
///   record's order, by the same rules; `[]` where there are none.
#[derive(Clone, Debug)]
pub struct ConsumerRecord<'r, H> {
    /// The topic's name.
    pub topic: &'r str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// CreateTime, or LogAppendTime where the topic says so; Unix milliseconds.
    pub timestamp_ms: i64,
    /// The key; `None` is Kafka's null.
    pub key: Option<&'r [u8]>,
    /// The value; `None` is Kafka's null.
    pub value: Option<&'r [u8]>,
    /// Names and values, walked each time the record is written.
    pub headers: H,
}

impl<H, K, V> Serialize for ConsumerRecord<'_, H>
where
    H: Clone + IntoIterator<Item = (K, Option<V>)>,
    K: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("Topic", self.topic)?;
        map.serialize_entry("Partition", &self.partition)?;
        map.serialize_entry("Offset", &self.offset)?;
        key_and_value::<S>(&mut map, self.key, self.value)?;
        map.serialize_entry("Timestamp", &self.timestamp_ms)?;
        let headers = HeadersText(self.headers.clone());
        map.serialize_entry("Headers", &headers)?;
        map.end()
    }
}

fn key_and_value<S: Serializer>(
    map: &mut S::SerializeMap,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<(), S::Error> {
    let fields = [
        ("Key", "KeyEncoding", key),
        ("Value", "ValueEncoding", value),
    ];
    for (name, encoding, bytes) in fields {
        let text = bytes.map(Text::of);
        map.serialize_entry(name, &text)?;
        if let Some(Text::Bytes(_)) = text {
            map.serialize_entry(encoding, BASE64)?;
        }
    }
    Ok(())
}

enum Text<'b> {
    Utf8(&'b str),
    Bytes(&'b [u8]),
}

impl<'b> Text<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Utf8(text),
            Err(_) => Self::Bytes(bytes),
        }
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Utf8(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.collect_str(&Base64Display::new(bytes, &STANDARD)),
        }
    }
}

/// JSON inside a JSON string, written straight through: headers may be as long
/// as a record, so no copy of theirs is made on the way.
struct HeadersText<H>(H);

impl<H, K, V> Serialize for HeadersText<H>
where
    H: Clone + IntoIterator<Item = (K, Option<V>)>,
    K: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Displayed(HeaderList(self.0.clone())))
    }
}

struct HeaderList<H>(H);

impl<H, K, V> Serialize for HeaderList<H>
where
    H: Clone + IntoIterator<Item = (K, Option<V>)>,
    K: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for (name, value) in self.0.clone() {
            list.serialize_element(&Header {
                name: name.as_ref(),
                value: value.as_ref().map(AsRef::as_ref),
            })?;
        }
        list.end()
    }
}

struct Header<'h> {
    name: &'h [u8],
    value: Option<&'h [u8]>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        key_and_value::<S>(&mut map, Some(self.name), self.value)?;
        map.end()
    }
}

/// Shows a value as its JSON.
struct Displayed<T>(T);

impl<T: Serialize> fmt::Display for Displayed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        serde_json::to_writer(IntoFormatter(f), &self.0).map_err(|_| fmt::Error)
    }
}

/// serde_json writes pieces of text, each of them whole characters.
struct IntoFormatter<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl io::Write for IntoFormatter<'_, '_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(piece).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
