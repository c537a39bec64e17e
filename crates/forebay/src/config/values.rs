//! Value types of settings, written the way people write them: `25s`,
//! `256 MiB`, `16 KiB/s`.

use std::fmt;
use std::time::Duration;

/// A number of bytes; written `1048576`, `64 KiB`, `10MB`, `1 GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Bytes per second; written `16 KiB/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteRate(pub u64);

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

const TIME_UNITS_MS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Splits `25s` or `256 MiB` into number and unit.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim()))
}

/// Parses `500ms`, `25s`, `5m`, `1h`, `1d`. A bare `0` is zero; any other
/// number needs its unit.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    if unit.is_empty() {
        return (number == 0).then_some(Duration::ZERO);
    }
    let (_, ms) = TIME_UNITS_MS.iter().find(|(name, _)| *name == unit)?;
    Some(Duration::from_millis(number.checked_mul(*ms)?))
}

/// The shortest form that [`parse_duration`] reads back.
pub(crate) fn duration_text(value: Duration) -> String {
    let ms = value.as_millis();
    let (unit, size) = TIME_UNITS_MS
        .iter()
        .rev()
        .find(|(unit, size)| {
            // Days and hours only for whole, non-trivial values: `370s`
            // stays seconds, as it was written in the documentation.
            ms.is_multiple_of(u128::from(*size)) && (ms > 0 || *unit == "s")
        })
        .unwrap_or(&("ms", 1));
    format!("{}{unit}", ms / u128::from(*size))
}

impl ByteSize {
    /// Parses a size; a bare number is bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let factor = match unit {
            "" => 1,
            _ => {
                SIZE_UNITS
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(unit))?
                    .1
            }
        };
        number.checked_mul(factor).map(Self)
    }
}

impl ByteRate {
    /// Parses a size followed by `/s`.
    pub fn parse(text: &str) -> Option<Self> {
        let size = text.trim().strip_suffix("/s")?;
        ByteSize::parse(size).map(|bytes| Self(bytes.0))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Binary units only: they are what the defaults are written in.
        let (unit, size) = SIZE_UNITS[..3]
            .iter()
            .find(|(_, size)| self.0 != 0 && self.0.is_multiple_of(*size))
            .unwrap_or(&("B", 1));
        write!(f, "{} {unit}", self.0 / size)
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", ByteSize(self.0))
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(parse_duration("25s"), Some(Duration::from_secs(25)));
        assert_eq!(parse_duration(" 500 ms "), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(parse_duration("0"), Some(Duration::ZERO));
        for wrong in [
            "",
            "25",
            "s",
            "-1s",
            "1.5s",
            "25 parsecs",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_duration(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn sizes_and_rates_are_read_with_their_unit() {
        assert_eq!(ByteSize::parse("256 MiB"), Some(ByteSize(256 << 20)));
        assert_eq!(ByteSize::parse("10mb"), Some(ByteSize(10_000_000)));
        assert_eq!(ByteSize::parse("1048576"), Some(ByteSize(1 << 20)));
        assert_eq!(ByteRate::parse("16 KiB/s"), Some(ByteRate(16 << 10)));
        assert_eq!(ByteRate::parse("16 KiB"), None);
        assert_eq!(ByteSize::parse("18446744073709551615 GiB"), None);
    }

    #[test]
    fn shown_values_read_back() {
        for ms in [0, 1, 999, 1_000, 25_000, 370_000, 60_000, 86_400_000] {
            let value = Duration::from_millis(ms);
            assert_eq!(parse_duration(&duration_text(value)), Some(value), "{ms}");
        }
        for bytes in [0, 1, 1023, 1024, 16 << 10, 256 << 20, 3 << 30] {
            let text = ByteSize(bytes).to_string();
            assert_eq!(ByteSize::parse(&text), Some(ByteSize(bytes)), "{text}");
        }
    }
}
