//! CPU time of this process, from `/proc` (proc(5)), as for the gateways.

use std::fs;
use std::time::Duration;

/// `USER_HZ`, 100 on all of Linux' common architectures.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time of all threads so far.
///
/// # Errors
/// Where there is no `/proc`.
pub fn of_this_process() -> Result<Duration, String> {
    let path = "/proc/self/stat";
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    parse(&text).ok_or_else(|| format!("{path} is not as expected"))
}

fn parse(text: &str) -> Option<Duration> {
    // The name, in parentheses, may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(
        (user + system) * 1000 / TICKS_PER_SECOND,
    ))
}
