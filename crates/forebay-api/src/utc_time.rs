//! Dates in UTC, from Unix time.
//!
//! A signature's date is needed once per request, and the API writes times only as
//! `YYYY-MM-DD hh:mm:ss`; twenty lines of calendar are lighter than a date crate. The arithmetic
//! is the well-known conversion of days to the proleptic Gregorian calendar with years that begin
//! in March (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).

/// 9999-12-31 23:59:59, the last second that has a year of four digits.
const LAST_SECOND: i64 = 253_402_300_799;

const SECONDS_PER_DAY: i64 = 86_400;

/// A date as ASCII, `YYYY-MM-DD`.
pub(crate) type DateText = [u8; 10];

/// The UTC date of a Unix time in seconds. Times outside the years 1970 to 9999 are clamped.
pub(crate) fn utc_date(unix_seconds: i64) -> DateText {
    let days = unix_seconds.clamp(0, LAST_SECOND) / SECONDS_PER_DAY;
    // Days since 0000-03-01, in eras of 400 years.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let [y1, y2] = two_digits(year / 100);
    let [y3, y4] = two_digits(year % 100);
    let [m1, m2] = two_digits(month);
    let [d1, d2] = two_digits(day);
    [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]
}

/// `value` is below 100 wherever this is called.
fn two_digits(value: i64) -> [u8; 2] {
    let digit = |value: i64| b'0' + u8::try_from(value % 10).unwrap_or(0);
    [digit(value / 10), digit(value)]
}

/// A time as the API writes it: `YYYY-MM-DD hh:mm:ss`, in UTC, from Unix seconds. Times outside
/// the years 1970 to 9999 are clamped.
pub fn format_utc(unix_seconds: i64) -> String {
    let date = utc_date(unix_seconds);
    let second = unix_seconds.clamp(0, LAST_SECOND) % SECONDS_PER_DAY;
    let mut text = String::with_capacity(19);
    text.extend(date.map(char::from));
    for (separator, part) in [
        (' ', second / 3_600),
        (':', second / 60 % 60),
        (':', second % 60),
    ] {
        text.push(separator);
        text.extend(two_digits(part).map(char::from));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        // From `date -u -d @N '+%F %T'`.
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_733_300_543, "2024-12-04 08:22:23"),
            (1_795_412_115, "2026-11-23 05:35:15"),
            (4_107_542_400, "2100-03-01 00:00:00"),
            (253_402_300_799, "9999-12-31 23:59:59"),
        ] {
            assert_eq!(format_utc(seconds), expected);
        }
    }

    #[test]
    fn out_of_range_is_clamped() {
        assert_eq!(format_utc(i64::MIN), "1970-01-01 00:00:00");
        assert_eq!(format_utc(i64::MAX), "9999-12-31 23:59:59");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut expected = (1970, 1, 1);
        for day in 0..200_000_i64 {
            let (year, month, date) = expected;
            assert_eq!(
                utc_date(day * SECONDS_PER_DAY),
                *format!("{year:04}-{month:02}-{date:02}").as_bytes()
            );
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (month, date) {
                (12, 31) => (year + 1, 1, 1),
                (_, last) if last == length => (year, month + 1, 1),
                _ => (year, month, date + 1),
            };
        }
    }
}
