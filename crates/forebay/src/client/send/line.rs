//! Cuts input into lines, and lines into messages.

use std::sync::Arc;

use forebay_api::limits::{MAX_DECODED_BYTES, MAX_RAW_BODY_BYTES};

/// What a request has besides its messages, generously.
pub(super) const REQUEST_FRAME_BYTES: usize = 1024;
/// JSON around a message's key and body.
const MESSAGE_FRAME_BYTES: usize = r#"{"Key":"","Body":""},"#.len();

/// One line, as the message that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Position in the input, from 1.
    pub(super) number: u64,
    /// The message's key.
    pub(super) key: Option<Arc<str>>,
    /// The message's body.
    pub(super) body: String,
    /// Bytes of the message as JSON, with a comma.
    pub(super) json_bytes: usize,
}

/// Why a line cannot be sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    /// Messages are text.
    #[error("line {number}, byte {position}: not UTF-8; encode binary data, as base64 for example")]
    NotUtf8 {
        /// Line, from 1.
        number: u64,
        /// Byte of the line, from 1.
        position: usize,
    },
    /// No request has room for it.
    #[error(
        "line {number}: longer than the {MAX_DECODED_BYTES} bytes of key and body that one request may have"
    )]
    TooLong {
        /// Line, from 1.
        number: u64,
    },
    /// No request has room for it once its characters are escaped.
    #[error(
        "line {number}: takes {json_bytes} bytes as JSON, more than the {MAX_RAW_BODY_BYTES} that one request may have"
    )]
    TooLongAsJson {
        /// Line, from 1.
        number: u64,
        /// Its size.
        json_bytes: usize,
    },
    /// There is no key to be found.
    #[error("line {number}: expected a key that ends with {separator:?}")]
    NoSeparator {
        /// Line, from 1.
        number: u64,
        /// What was looked for.
        separator: String,
    },
}

/// Where a message's key comes from.
#[derive(Clone, Debug)]
pub(super) enum KeySource {
    /// There is none.
    None,
    /// The same for all.
    Fixed(Arc<str>),
    /// What each line begins with, up to this text.
    EndsWith(String),
}

/// Turns bytes into lines, however they are cut.
#[derive(Debug)]
pub(super) struct LineCutter {
    keys: KeySource,
    /// The beginning of the next line.
    partial: Vec<u8>,
    cut: u64,
}

impl LineCutter {
    /// At the beginning of an input.
    pub(super) fn new(keys: KeySource) -> Self {
        Self {
            keys,
            partial: Vec::new(),
            cut: 0,
        }
    }

    /// Appends the lines that end in `chunk` to `lines`.
    ///
    /// # Errors
    /// The first line that cannot be sent; those before it are in `lines`.
    pub(super) fn cut(&mut self, chunk: &[u8], lines: &mut Vec<Line>) -> Result<(), LineError> {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.partial);
            lines.push(self.line(line)?);
        }
        self.partial.extend_from_slice(rest);
        // Key, separator and CR are not counted by that limit; what is far
        // above it is refused before it fills the memory.
        if self.partial.len() > 2 * MAX_DECODED_BYTES {
            return Err(LineError::TooLong {
                number: self.cut + 1,
            });
        }
        Ok(())
    }

    /// The last line, if it did not end with LF.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub(super) fn finish(&mut self, lines: &mut Vec<Line>) -> Result<(), LineError> {
        if !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            lines.push(self.line(line)?);
        }
        Ok(())
    }

    fn line(&mut self, mut bytes: Vec<u8>) -> Result<Line, LineError> {
        self.cut += 1;
        let number = self.cut;
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        let text = String::from_utf8(bytes).map_err(|error| LineError::NotUtf8 {
            number,
            position: error.utf8_error().valid_up_to() + 1,
        })?;
        let (key, body) = self.keys.split(text, number)?;
        let key_text = key.as_deref().unwrap_or_default();
        if key_text.len() + body.len() > MAX_DECODED_BYTES {
            return Err(LineError::TooLong { number });
        }
        let json_bytes = MESSAGE_FRAME_BYTES + escaped_len(key_text) + escaped_len(&body);
        if json_bytes > MAX_RAW_BODY_BYTES - REQUEST_FRAME_BYTES {
            return Err(LineError::TooLongAsJson { number, json_bytes });
        }
        Ok(Line {
            number,
            key,
            body,
            json_bytes,
        })
    }
}

impl KeySource {
    fn split(&self, text: String, number: u64) -> Result<(Option<Arc<str>>, String), LineError> {
        match self {
            Self::None => Ok((None, text)),
            Self::Fixed(key) => Ok((Some(Arc::clone(key)), text)),
            Self::EndsWith(separator) => match text.split_once(separator.as_str()) {
                Some((key, body)) => Ok((Some(key.into()), body.to_owned())),
                None => Err(LineError::NoSeparator {
                    number,
                    separator: separator.clone(),
                }),
            },
        }
    }
}

impl Line {
    /// What the limit on key and body counts.
    pub(super) fn decoded_bytes(&self) -> usize {
        self.body.len() + self.key.as_deref().map_or(0, str::len)
    }
}

/// Bytes of `text` inside a JSON string, as serde_json escapes it.
fn escaped_len(text: &str) -> usize {
    let byte_len = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(byte_len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(chunks: &[&[u8]]) -> Result<Vec<String>, LineError> {
        let mut cutter = LineCutter::new(KeySource::None);
        let mut lines = Vec::new();
        for chunk in chunks {
            cutter.cut(chunk, &mut lines)?;
        }
        cutter.finish(&mut lines)?;
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(line.number, index as u64 + 1);
        }
        Ok(lines.into_iter().map(|line| line.body).collect())
    }

    #[test]
    fn lines_end_with_lf_or_crlf_wherever_chunks_end() {
        let text = "one\r\ntwo\n\nfour\r\rfive é\nlast".as_bytes();
        let expected = ["one", "two", "", "four\r\rfive é", "last"];
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            assert_eq!(bodies(&[head, tail]).unwrap(), expected, "cut at {cut}");
        }
        assert_eq!(bodies(&[b"a\n"]).unwrap(), ["a"]);
        assert!(bodies(&[b""]).unwrap().is_empty());
    }

    #[test]
    fn lines_that_cannot_be_sent_are_named() {
        let error = bodies(&[b"fine\nab\xff\n"]).unwrap_err();
        let expected = LineError::NotUtf8 {
            number: 2,
            position: 3,
        };
        assert_eq!(error, expected);
        let long = vec![b'a'; MAX_DECODED_BYTES + 1];
        assert_eq!(
            bodies(&[&long[1..], b"\r\n"]).unwrap()[0].len(),
            MAX_DECODED_BYTES
        );
        let too_long = LineError::TooLong { number: 1 };
        assert_eq!(bodies(&[&long]).unwrap_err(), too_long);
        let endless = vec![b'a'; 1 << 20];
        assert_eq!(bodies(&[endless.as_slice(); 11]).unwrap_err(), too_long);
        let quotes = vec![b'"'; MAX_DECODED_BYTES];
        let error = bodies(&[&quotes]).unwrap_err();
        assert!(matches!(error, LineError::TooLongAsJson { number: 1, .. }));
    }

    #[test]
    fn keys_are_split_off_at_the_first_separator() {
        let mut cutter = LineCutter::new(KeySource::EndsWith("=>".to_owned()));
        let mut lines = Vec::new();
        let error = cutter.cut(b"k=>v=>w\n=>empty key\nnone\n", &mut lines);
        let pairs: Vec<_> = lines
            .iter()
            .map(|line| (line.key.as_deref(), line.body.as_str()))
            .collect();
        assert_eq!(pairs, [(Some("k"), "v=>w"), (Some(""), "empty key")]);
        assert!(error.unwrap_err().to_string().starts_with("line 3: "));
    }

    #[test]
    fn escaped_length_is_that_of_serde_json() {
        let all: String = (0..0x300).filter_map(char::from_u32).collect();
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(escaped_len(&all), json.len() - 2);
    }
}
