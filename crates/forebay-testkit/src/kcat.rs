//! kcat, the command-line client on librdkafka.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::child_output::run_within;
use crate::gate;

/// Ten times what a busy machine needs for the small jobs of tests.
const LIMIT: Duration = Duration::from_secs(120);

/// A `kcat` that can be run.
#[derive(Debug, Clone)]
pub struct Kcat(());

/// kcat for a test, or `None` where it is missing and may be. With `CI=true` or
/// `TESTKIT_KAFKA_TESTS=1` it has to be there; Debian's package is `kcat`.
///
/// # Panics
/// When it is required and missing.
#[must_use]
pub fn kcat_or_skip() -> Option<Kcat> {
    if gate::runs("kcat", "-V") {
        return Some(Kcat(()));
    }
    assert!(
        !gate::required(),
        "kcat is required here and not on PATH: apt-get install kcat"
    );
    skip_note();
    None
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skip_note() {
    eprintln!("skipped: kcat is not on PATH; install the package kcat");
}

impl Kcat {
    /// Runs it against `bootstrap` with `input` on stdin and gives its stdout.
    /// Blocks, for at most 120 s.
    ///
    /// # Errors
    /// When it fails or takes too long.
    pub fn run(&self, bootstrap: &str, args: &[&str], input: &str) -> Result<String> {
        let mut command = Command::new("kcat");
        // Without -F a user's own configuration file would count.
        command
            .args(["-F", "/dev/null", "-b", bootstrap])
            .args(args);
        run_within(command, &format!("kcat {}", args.join(" ")), input, LIMIT)
    }
}
