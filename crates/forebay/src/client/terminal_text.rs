//! Text of others on a terminal.
//!
//! Names, messages and errors come from whoever may send them. Written as they
//! are, their control characters would move the cursor, retitle the window or
//! hide what stands elsewhere.

use std::fmt;

/// Displays text with all that could control a terminal, or turn the order of
/// characters around, as escapes like `\n` and `\u{1b}`.
pub(super) fn shown(text: &str) -> Shown<'_> {
    Shown(text)
}

/// See [`shown`].
pub(super) struct Shown<'t>(&'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_dangerous(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                fmt::Write::write_char(f, character)?;
            }
        }
        Ok(())
    }
}

/// C0, C1 and DEL; marks and overrides of direction, separators, invisible
/// characters (Unicode 16, general categories Cc, Zl, Zp and the Cf that are
/// not parts of visible characters).
fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The same JSON with the dangerous characters of its strings escaped.
/// `json` has to be JSON with its C0 characters escaped, as serde_json's is.
pub(super) fn harmless_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        // The line feeds are pretty-printing; others cannot be there.
        if character == '\n' || !is_dangerous(character) {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            out += &format!("\\u{unit:04x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\r\n\u{9b}31m\u{202e}\u{7f}\u{e0041}é😀\\\"\0";

    #[test]
    fn nothing_dangerous_is_left() {
        let text = shown(HOSTILE).to_string();
        assert!(!text.chars().any(is_dangerous), "{text:?}");
        assert!(
            text.starts_with(r"a\u{1b}[2J\r\n\u{9b}31m\u{202e}"),
            "{text}"
        );
        assert!(text.contains("é😀\\\""), "{text}");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({ HOSTILE: [HOSTILE, 1] });
        let json = harmless_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(
            !json.chars().any(|c| c != '\n' && is_dangerous(c)),
            "{json:?}"
        );
        let back: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back, value);
    }
}
