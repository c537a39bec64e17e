//! CPU time and memory of a process, from `/proc` (proc(5)).

use std::fs;
use std::time::Duration;

/// Ticks in which the kernel tells CPU times: `USER_HZ`, which has been 100 on
/// all of Linux' common architectures for twenty years.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time so far, user and system.
///
/// # Errors
/// If there is no such process, or no `/proc`.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration, String> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    parse_stat(&text).ok_or_else(|| format!("{path} is not as expected"))
}

/// Memory that is resident, in bytes.
///
/// # Errors
/// If there is no such process, or no `/proc`.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    parse_status(&text).ok_or_else(|| format!("{path} is not as expected"))
}

fn parse_stat(text: &str) -> Option<Duration> {
    // The name, in parentheses, may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(
        (user + system) * 1000 / TICKS_PER_SECOND,
    ))
}

fn parse_status(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 9 9 20 0 1 0 5";
        assert_eq!(parse_stat(stat), Some(Duration::from_secs(3)));
        assert_eq!(
            parse_status("Name:\tx\nVmRSS:\t    2048 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(parse_stat("7 (a"), None);
        assert_eq!(parse_status("Name: x"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process() {
        let pid = std::process::id();
        cpu_time(pid).unwrap();
        assert!(resident_bytes(pid).unwrap() > 100_000);
        assert!(cpu_time(u32::MAX).unwrap_err().contains("4294967295"));
    }
}
