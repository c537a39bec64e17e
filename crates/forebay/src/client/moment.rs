//! A moment in the past, as people write it.

use crate::config::parse_duration;

const SECONDS_PER_DAY: i64 = 86_400;

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Milliseconds before now.
    Ago(i64),
    /// Unix milliseconds.
    At(i64),
}

impl Moment {
    /// Unix milliseconds.
    pub(super) fn unix_ms(self, now_ms: i64) -> i64 {
        match self {
            Self::Ago(ms) => now_ms.saturating_sub(ms),
            Self::At(ms) => ms,
        }
    }

    /// Parses `10m`, `2026-11-23`, `2026-11-23 12:41`, `2026-11-23T12:41:21Z`
    /// (UTC) or Unix milliseconds of 13 digits.
    ///
    /// # Errors
    /// What is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(age) = parse_duration(text) {
            let ms = i64::try_from(age.as_millis());
            return ms.map(Self::Ago).map_err(|_| expected());
        }
        if text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::At).map_err(|_| expected());
        }
        let seconds = unix_seconds(text).ok_or_else(expected)?;
        Ok(Self::At(seconds * 1000))
    }
}

fn expected() -> String {
    "expected an age like 10m or 2h, a time in UTC like \"2026-11-23 12:41\", or Unix \
     milliseconds"
        .to_owned()
}

fn unix_seconds(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, time),
        None => (text, "00:00"),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = match time.len() {
        5 => {
            let [hour, minute] = numbers(time, ':', [2, 2])?;
            [hour, minute, 0]
        }
        _ => numbers(time, ':', [2, 2, 2])?,
    };
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(month, year)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let day_seconds = hour * 3600 + minute * 60 + second;
    in_range.then(|| days_since_1970(year, month, day) * SECONDS_PER_DAY + day_seconds)
}

/// Numbers of exactly so many digits.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for (number, len) in found.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == len)?;
        let all_digits = part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| all_digits)?;
    }
    parts.next().is_none().then_some(found)
}

fn days_in(month: i64, year: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `days_from_civil`: the inverse of what the API's times are written with.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use forebay_api::format_utc;

    use super::*;

    #[test]
    fn every_form_is_read() {
        assert_eq!(Moment::parse("10m"), Ok(Moment::Ago(600_000)));
        assert_eq!(Moment::parse("0"), Ok(Moment::Ago(0)));
        let at = Moment::At(1_795_437_681_000);
        for text in [
            "2026-11-23 12:41:21",
            "2026-11-23T12:41:21Z",
            "1795437681000",
        ] {
            assert_eq!(Moment::parse(text), Ok(at), "{text}");
        }
        assert_eq!(
            Moment::parse("2026-11-23 12:41"),
            Ok(Moment::At(1_795_437_660_000))
        );
        assert_eq!(Moment::parse("1970-01-01"), Ok(Moment::At(0)));
        assert_eq!(Moment::Ago(5).unix_ms(7), 2);
    }

    #[test]
    fn times_round_trip() {
        for seconds in (0..253_402_300_799_i64).step_by(98_765_432) {
            let text = format_utc(seconds);
            assert_eq!(
                Moment::parse(&text),
                Ok(Moment::At(seconds * 1000)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "10",
            "2026-13-01",
            "2026-02-29",
            "2026-11-23 24:00",
            "2026-11-23 12:4",
            "2026-11-23 12:41:60",
            "2026-11-23 12:41:21.5",
            "26-11-23",
            "2026-11-23 12:41:21+01:00",
            "+026-11-23",
            "17954376810000",
        ] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }
}
