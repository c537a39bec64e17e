//! Keys and values, and the bodies made of them.

use std::fmt::Write as _;

use crate::options::{BodyForm, Options, ValueForm};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Shortest value that can be a document.
const SHORTEST_DOCUMENT: usize = 64;

/// Makes bodies; the same seed makes the same ones.
pub(crate) struct MessageSource {
    random: SplitMix64,
    messages: u32,
    value_bytes: usize,
    key_bytes: usize,
    keys: u64,
    values: ValueForm,
}

impl MessageSource {
    /// # Errors
    /// If keys of that length cannot be that many.
    pub(crate) fn new(options: &Options, seed: u64) -> Result<Self, String> {
        let digits = u32::try_from(options.key_bytes).unwrap_or(u32::MAX);
        let room = 10_u64.checked_pow(digits).unwrap_or(u64::MAX);
        if options.key_bytes > 0 && options.keys > room {
            return Err(format!(
                "--keys {} does not fit into --key-bytes {}, which has room for {room}",
                options.keys, options.key_bytes
            ));
        }
        Ok(Self {
            random: SplitMix64(seed),
            messages: options.messages,
            value_bytes: options.value_bytes,
            key_bytes: options.key_bytes,
            keys: options.keys,
            values: options.values,
        })
    }

    /// The next body. `datahub` is only in [`BodyForm::Json`].
    pub(crate) fn body(&mut self, form: BodyForm, datahub: &str) -> Vec<u8> {
        let mut out = String::new();
        if form == BodyForm::Json {
            out.push_str("{\"DataHubId\": ");
            push_json_string(&mut out, datahub);
            out.push_str(", \"Message\": [");
        }
        for index in 0..self.messages {
            let key = self.key();
            let value = self.value();
            match form {
                BodyForm::Json => {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    push_json_message(&mut out, &key, &value);
                }
                BodyForm::Ndjson => {
                    push_json_message(&mut out, &key, &value);
                    out.push('\n');
                }
                BodyForm::Lines => {
                    if !key.is_empty() {
                        out.push_str(&key);
                        out.push('\t');
                    }
                    out.push_str(&value);
                    out.push('\n');
                }
            }
        }
        if form == BodyForm::Json {
            out.push_str("]}");
        }
        out.into_bytes()
    }

    fn key(&mut self) -> String {
        if self.key_bytes == 0 {
            return String::new();
        }
        let number = self.random.next() % self.keys;
        format!("{number:0width$}", width = self.key_bytes)
    }

    fn value(&mut self) -> String {
        if self.values == ValueForm::Json && self.value_bytes >= SHORTEST_DOCUMENT {
            return self.document();
        }
        self.letters(self.value_bytes)
    }

    /// Not as short as it could be, as documents are not.
    fn document(&mut self) -> String {
        let mut out = String::with_capacity(self.value_bytes);
        let (user, event) = (
            100_000 + self.random.next() % 900_000,
            self.random.next() % 8,
        );
        let written = write!(
            out,
            "{{\"user\": {user}, \"event\": \"page_{event}\", \"note\": \""
        );
        written.expect("writing to a String cannot fail");
        let room = self.value_bytes - out.len() - "\"}".len();
        while out.len() + "a common phrase ".len() <= self.value_bytes - 2 - room / 2 {
            out.push_str("a common phrase ");
        }
        let rest = self.value_bytes - out.len() - "\"}".len();
        out.push_str(&self.letters(rest));
        out.push_str("\"}");
        out
    }

    fn letters(&mut self, count: usize) -> String {
        let mut out = String::with_capacity(count + 10);
        while out.len() < count {
            let bits = self.random.next();
            for at in 0..10 {
                let letter = ALPHABET[usize::try_from((bits >> (6 * at)) & 63).unwrap_or(0)];
                out.push(char::from(letter));
            }
        }
        out.truncate(count);
        out
    }
}

fn push_json_message(out: &mut String, key: &str, value: &str) {
    out.push('{');
    if !key.is_empty() {
        out.push_str("\"Key\": ");
        push_json_string(out, key);
        out.push_str(", ");
    }
    out.push_str("\"Body\": ");
    push_json_string(out, value);
    out.push('}');
}

fn push_json_string(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).expect("a string can always be JSON"));
}

/// Sebastiano Vigna's SplitMix64: small, and random enough for load.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use serde_json::Value;

    fn source(arguments: &str) -> Result<MessageSource, String> {
        let all = format!("forebay-load --raw {arguments}");
        let options = Options::try_parse_from(all.split_whitespace()).unwrap();
        MessageSource::new(&options, 7)
    }

    #[test]
    fn sizes_are_as_asked_for() {
        for values in ["plain", "json"] {
            for bytes in [0, 1, 63, 64, 65, 80, 200, 1000] {
                let arguments = format!("--value-bytes {bytes} --values {values} --messages 3");
                let body = source(&arguments)
                    .unwrap()
                    .body(BodyForm::Json, "datahub-a");
                let body: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(body["DataHubId"], "datahub-a");
                let list = body["Message"].as_array().unwrap();
                assert_eq!(list.len(), 3);
                for message in list {
                    assert_eq!(message["Body"].as_str().unwrap().len(), bytes, "{values}");
                    assert_eq!(message["Key"].as_str().unwrap().len(), 16);
                }
            }
        }
    }

    #[test]
    fn documents_are_documents() {
        let mut source = source("--values json --value-bytes 90").unwrap();
        let value: Value = serde_json::from_str(&source.value()).unwrap();
        assert!(value["note"].is_string());
    }

    #[test]
    fn lines_and_keyless() {
        let body = source("--messages 2 --value-bytes 5 --key-bytes 2 --keys 100").unwrap();
        let body = { body }.body(BodyForm::Lines, "");
        let text = String::from_utf8(body).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(
            text.lines()
                .all(|line| line.len() == 8 && line.as_bytes()[2] == b'\t')
        );
        let mut keyless = source("--key-bytes 0 --value-bytes 5").unwrap();
        assert_eq!(keyless.body(BodyForm::Lines, "").len(), 6);
        let line: Value = serde_json::from_slice(&keyless.body(BodyForm::Ndjson, "")).unwrap();
        assert!(line.get("Key").is_none());
    }

    #[test]
    fn too_many_keys_for_their_length() {
        let error = source("--key-bytes 2 --keys 101").err().unwrap();
        assert!(error.contains("room for 100"), "{error}");
    }
}
