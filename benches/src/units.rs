//! Times and rates as people write them.

use std::time::Duration;

/// Reads `10s`, `1.5m`, `250ms`, `2h`.
///
/// # Errors
/// What was expected.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a duration such as 500ms, 10s, 2m or 1h, got {text:?}");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number = plain_number(digits).ok_or_else(wrong)?;
    Duration::try_from_secs_f64(number * factor).map_err(|_| wrong())
}

/// Reads `500`, `20k`, `1.5M`, each with or without `/s`.
///
/// # Errors
/// What was expected.
pub(crate) fn parse_rate(text: &str) -> Result<f64, String> {
    let wrong = || format!("expected a rate such as 500, 20k or 1.5M/s above 0, got {text:?}");
    let bare = text.strip_suffix("/s").unwrap_or(text);
    let (digits, factor) = match bare.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1e3),
        None => match bare.strip_suffix('M') {
            Some(digits) => (digits, 1e6),
            None => (bare, 1.0),
        },
    };
    let rate = plain_number(digits).ok_or_else(wrong)? * factor;
    if rate > 0.0 && rate <= 1e9 {
        Ok(rate)
    } else {
        Err(wrong())
    }
}

/// Digits with at most one point: no sign, no exponent, no `inf`.
fn plain_number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("10s", 10_000),
            ("250ms", 250),
            ("1.5m", 90_000),
            ("2h", 7_200_000),
            ("0s", 0),
            ("2000us", 2),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)));
        }
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1d",
            "1e3s",
            "infs",
            "1 s",
            "9999999999999999999h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates() {
        for (text, rate) in [
            ("500", 500.0),
            ("20k", 2e4),
            ("1.5M/s", 1.5e6),
            ("0.5/s", 0.5),
        ] {
            assert_eq!(parse_rate(text), Ok(rate));
        }
        for text in ["", "0", "-1", "k", "5/m", "1e3", "inf", "10000M"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
