//! Keys, values and bodies; the same ones in every run.

use std::fmt;

use forebay_engine::OutgoingMessage;

/// Bytes of a value, decoded.
pub(crate) const VALUE_BYTES: usize = 200;
/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 16;

pub(crate) const DATAHUB_ID: &str = "datahub-forebay0";
pub(crate) const TOPIC: &str = "orders";
/// 2026-11-23 09:46:40 UTC.
pub(crate) const NOW_SECONDS: i64 = 1_795_427_200;
pub(crate) const NOW_MS: i64 = NOW_SECONDS * 1_000;

/// What values consist of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Text {
    /// ASCII that JSON leaves as it is.
    Plain,
    /// A JSON document, whose quotes have to be escaped in a body.
    Document,
    /// Chinese characters as UTF-8.
    Cjk,
    /// Chinese characters as `\uXXXX`, which is what Python's SDK makes of them.
    CjkEscaped,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Document => "document",
            Self::Cjk => "CJK",
            Self::CjkEscaped => "CJK escaped",
        })
    }
}

/// A message as an HTTP request brings it.
pub(crate) struct Sample {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// `count` messages with different keys and values.
pub(crate) fn samples(count: usize, text: Text) -> Vec<Sample> {
    let mut random = Random(7);
    let mut sample = || Sample {
        key: format!("{:0KEY_BYTES$}", random.below(100_000_000)),
        value: value(&mut random, text),
    };
    let samples: Vec<_> = (0..count).map(|_| sample()).collect();
    for Sample { key, value } in &samples {
        assert_eq!((key.len(), value.len()), (KEY_BYTES, VALUE_BYTES));
    }
    samples
}

/// The same as the engine takes them.
pub(crate) fn outgoing(samples: &[Sample]) -> Vec<OutgoingMessage<'_>> {
    samples
        .iter()
        .map(|sample| OutgoingMessage {
            key: Some(sample.key.as_bytes()),
            value: sample.value.as_bytes(),
        })
        .collect()
}

/// The body of a SendMessage with `count` messages.
pub(crate) fn body(count: usize, text: Text) -> Vec<u8> {
    let mut out = format!("{{\"DataHubId\": \"{DATAHUB_ID}\", \"Message\": [");
    for (index, Sample { key, value }) in samples(count, text).iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let value = match text {
            Text::CjkEscaped => format!("\"{}\"", ascii(value)),
            _ => serde_json::to_string(value).expect("a string can always be JSON"),
        };
        out.push_str(&format!("{comma}{{\"Key\": \"{key}\", \"Body\": {value}}}"));
    }
    out.push_str("]}");
    out.into_bytes()
}

fn value(random: &mut Random, text: Text) -> String {
    match text {
        Text::Plain => random.letters(VALUE_BYTES),
        Text::Document => document(random),
        Text::Cjk | Text::CjkEscaped => {
            let pad = VALUE_BYTES % 3;
            let han = |_| char::from_u32(0x4e00 + random.below(0x5000) as u32);
            let text: Option<String> = (0..VALUE_BYTES / 3).map(han).collect();
            text.expect("all of U+4E00 to U+9DFF are characters") + &"..."[..pad]
        }
    }
}

/// Half of it the same in all documents, as it is in real ones.
fn document(random: &mut Random) -> String {
    let (user, page) = (random.below(1_000_000), random.below(50));
    let mut out = format!(
        "{{\"user\": {user}, \"event\": \"page_view\", \"path\": \"/shop/{page}\", \
         \"client\": \"web\", \"country\": \"CN\", \"consent\": true, \"trace\": \""
    );
    let rest = VALUE_BYTES - out.len() - "\"}".len();
    out.push_str(&random.letters(rest));
    out.push_str("\"}");
    out
}

/// The text as JSON of nothing but ASCII.
fn ascii(text: &str) -> String {
    let escape = |unit: u16| match u8::try_from(unit) {
        Ok(byte) => char::from(byte).to_string(),
        Err(_) => format!("\\u{unit:04x}"),
    };
    text.encode_utf16().map(escape).collect()
}

/// A linear congruential generator (Knuth's MMIX): good enough for texts.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn letters(&mut self, count: usize) -> String {
        let letter = |_| char::from(b'a' + self.below(26) as u8);
        (0..count).map(letter).collect()
    }
}
