//! Pieces of a caller's input inside our messages, clipped: a message must not become as large as
//! the request that caused it.

use std::fmt;

/// Longest piece of input that a message repeats, in bytes. Longer than any id of the API.
const MAX_ECHO_BYTES: usize = 128;

/// Shows at most [`MAX_ECHO_BYTES`] of the text, and says when there was more.
pub(crate) fn clipped(text: &str) -> Clipped<'_> {
    Clipped(text)
}

pub(crate) struct Clipped<'a>(&'a str);

impl fmt::Display for Clipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= MAX_ECHO_BYTES {
            return f.write_str(self.0);
        }
        // `str::floor_char_boundary` is newer than the workspace's `rust-version`.
        let end = (0..=MAX_ECHO_BYTES)
            .rev()
            .find(|&at| self.0.is_char_boundary(at))
            .unwrap_or(0);
        write!(f, "{}… ({} bytes)", &self.0[..end], self.0.len())
    }
}
