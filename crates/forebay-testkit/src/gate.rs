//! Where fetched tools lie, and whether a missing one fails a test or skips it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The workspace's root folder.
pub(crate) fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the workspace")
        .to_owned()
}

/// The folder `name` for fetched things: `variable` if set, or else below the
/// build's target folder. The scripts in `tests/` find it the same way.
pub(crate) fn fetched_dir(variable: &str, name: &str) -> PathBuf {
    let set = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty());
    let dir = match (set(variable), set("CARGO_TARGET_DIR")) {
        (Some(dir), _) => PathBuf::from(dir),
        (None, Some(target)) => Path::new(&target).join(name),
        (None, None) => Path::new("target").join(name),
    };
    // Tests run in their package's folder, the scripts anywhere: a relative
    // path means the same to all only when it starts at one place.
    workspace_root().join(dir)
}

/// Whether missing tools must fail the test rather than skip it.
pub(crate) fn required() -> bool {
    let is = |key: &str, values: &[&str]| {
        std::env::var(key).is_ok_and(|value| values.contains(&value.as_str()))
    };
    is("CI", &["true", "1"]) || is("TESTKIT_KAFKA_TESTS", &["1", "true"])
}

/// Runs a script of the workspace to its end.
///
/// # Errors
/// When it cannot be started or fails; its stderr is part of the message.
pub(crate) fn run_script(script: &str) -> Result<()> {
    let path = workspace_root().join(script);
    let output = Command::new(&path)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", path.display()))?;
    ensure!(
        output.status.success(),
        "{script} failed with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Ok(())
}

/// Whether `program` can be run with `argument`.
pub(crate) fn runs(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether all of `programs` are there for a test: each a name, and an argument
/// that makes it end at once and well. Says so where one is missing and may be.
///
/// # Panics
/// When one is missing with `CI=true` or `TESTKIT_KAFKA_TESTS=1`.
#[must_use]
#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
pub fn programs_or_skip(programs: &[(&str, &str)]) -> bool {
    let missing = programs.iter().find(|(name, arg)| !runs(name, arg));
    let Some((name, _)) = missing else {
        return true;
    };
    assert!(!required(), "{name} is required here and not on PATH");
    eprintln!("skipped: this test needs {name}, which is not on PATH");
    false
}
