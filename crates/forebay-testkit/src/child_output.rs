//! Running another program to its end, within a limit.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

const POLL: Duration = Duration::from_millis(10);

/// Runs `command` with `input` on stdin and gives its stdout. Blocks.
///
/// # Errors
/// When it cannot be started, fails, or takes longer than `limit`: then it is
/// killed. What it wrote is part of the message.
pub(crate) fn run_within(
    mut command: Command,
    name: &str,
    input: &str,
    limit: Duration,
) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    // On threads of their own: no pipe may fill up while another is waited for.
    let mut stdin = child.stdin.take().context("no stdin")?;
    let input = input.to_owned();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let stdout = read_all(child.stdout.take().context("no stdout")?);
    let stderr = read_all(child.stderr.take().context("no stderr")?);
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(POLL);
    };
    // A program that needs no input may have ended before it was written.
    drop(writer.join());
    let [stdout, stderr] = [stdout, stderr].map(|reader| reader.join().unwrap_or_default());
    match status {
        None => bail!("{name} has not ended within {limit:?}:\n{stdout}{stderr}"),
        Some(status) => ensure!(
            status.success(),
            "{name} failed with {status}:\n{stdout}{stderr}"
        ),
    }
    Ok(stdout)
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could not be read is missed where it is looked at.
        drop(pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, input: &str, limit: Duration) -> Result<String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run_within(command, "a script", input, limit)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn gives_what_was_written_of_more_than_a_pipe_holds() {
        let input = "line\n".repeat(100_000);
        assert_eq!(sh("cat", &input, LONG).unwrap(), input);
    }

    #[test]
    fn a_failure_says_what_the_program_said() {
        let error = sh("echo out; echo err >&2; exit 3", "", LONG).unwrap_err();
        let message = error.to_string();
        for part in ["a script", "3", "out", "err"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn whoever_takes_too_long_is_killed() {
        let began = Instant::now();
        let error = sh("echo begun; exec sleep 600", "", Duration::from_millis(300)).unwrap_err();
        assert!(error.to_string().contains("begun"), "{error}");
        assert!(began.elapsed() < LONG);
    }
}
