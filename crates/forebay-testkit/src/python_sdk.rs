//! The genuine Tencent Cloud SDK, and librdkafka, through Python.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use bytes::{Buf, Bytes};

use crate::gate;
use crate::sdk_home::{Sdk, SdkHome};
use crate::sdk_session::SdkSession;
use crate::wire_log::StoredRecord;

/// A Python with the packages of `tests/sdk/python/requirements.txt`.
#[derive(Debug, Clone)]
pub struct PythonSdk {
    dir: PathBuf,
}

/// The Python SDK for a test, or `None` where it is missing and may be.
///
/// Looks in `$TESTKIT_PYTHON_SDK_HOME`, or else in `sdk-python` below the
/// build's target folder. With `CI=true` or `TESTKIT_KAFKA_TESTS=1` it is
/// installed when missing, once per process.
///
/// # Panics
/// When it is required and cannot be had.
#[must_use]
pub fn python_sdk_or_skip() -> Option<PythonSdk> {
    static FOUND: OnceLock<Result<Option<PythonSdk>, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find_or_install().map_err(|error| format!("{error:#}")));
    match found {
        Ok(Some(sdk)) => Some(sdk.clone()),
        Ok(None) => {
            skip_note();
            None
        }
        Err(error) => panic!("the Python SDK is required here and cannot be had: {error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skip_note() {
    eprintln!(
        "skipped: tests with the genuine SDK need Python 3; run tests/sdk/python/setup.sh, \
         or set TESTKIT_KAFKA_TESTS=1 to have it run and to fail instead of skipping"
    );
}

fn find_or_install() -> Result<Option<PythonSdk>> {
    let dir = gate::fetched_dir("TESTKIT_PYTHON_SDK_HOME", "sdk-python");
    if gate::required() {
        gate::run_script("tests/sdk/python/setup.sh")?;
    }
    let complete = dir.join(".complete").is_file();
    ensure!(
        complete || !gate::required(),
        "tests/sdk/python/setup.sh left nothing in {}",
        dir.display()
    );
    Ok(complete.then_some(PythonSdk { dir }))
}

fn script(name: &str) -> PathBuf {
    gate::workspace_root().join("tests/sdk/python").join(name)
}

impl PythonSdk {
    /// A command that runs a script of `tests/sdk/python`; add its arguments.
    #[must_use]
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.dir.join("bin").join("python"));
        command.arg("-u").arg(script(name));
        command
    }

    /// Runs a script to its end with `input` on stdin, and gives its stdout.
    /// Does not block the runtime; goes on to its end if the caller leaves.
    ///
    /// # Errors
    /// When it cannot be started or fails; its stderr is part of the message.
    pub async fn run(&self, name: &str, args: &[&str], input: &str) -> Result<Vec<u8>> {
        let mut command = self.command(name);
        command.args(args);
        let (name, input) = (name.to_owned(), input.to_owned());
        tokio::task::spawn_blocking(move || run_to_end(command, &name, input)).await?
    }

    /// Every record of a topic, read by librdkafka: by partition and offset,
    /// up to the high watermarks at the time it starts, compressed or not.
    ///
    /// # Errors
    /// When the script fails, which it does after 120 s without progress.
    pub async fn dump_topic(&self, bootstrap: &[String], topic: &str) -> Result<Vec<StoredRecord>> {
        let bootstrap = bootstrap.join(",");
        let args = ["--bootstrap", &bootstrap, "--topic", topic];
        let mut records = parse_dump(self.run("dump_topic.py", &args, "").await?.into())?;
        records.sort_unstable();
        Ok(records)
    }

    /// Starts a Python process with one SDK client for `endpoint` (`host:port`,
    /// plain HTTP) that carries out calls one after another.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn session(&self, endpoint: &str, secret_id: &str, secret_key: &str) -> Result<SdkSession> {
        self.home().session(endpoint, secret_id, secret_key)
    }

    /// The same SDK, as one of several languages.
    pub(crate) fn home(&self) -> SdkHome {
        SdkHome::new(Sdk::Python, self.dir.clone())
    }
}

fn run_to_end(mut command: Command, name: &str, input: String) -> Result<Vec<u8>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    // On a thread of its own: the script may write much before it has read all.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    // A script that needs no input may have ended before it was written.
    drop(writer.join());
    ensure!(
        output.status.success(),
        "{name} failed with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
    Ok(output.stdout)
}

/// Reads what `dump_topic.py` writes: per record partition (4 bytes), offset (8),
/// timestamp (8), key and value, each with its length (4; -1 for null) before it;
/// all big-endian.
fn parse_dump(mut dump: Bytes) -> Result<Vec<StoredRecord>> {
    let mut records = Vec::new();
    while dump.has_remaining() {
        records.push(StoredRecord {
            partition: dump.try_get_i32()?,
            offset: dump.try_get_i64()?,
            timestamp: dump.try_get_i64()?,
            key: nullable(&mut dump)?,
            value: nullable(&mut dump)?,
        });
    }
    Ok(records)
}

fn nullable(dump: &mut Bytes) -> Result<Option<Bytes>> {
    let Ok(length) = usize::try_from(dump.try_get_i32()?) else {
        return Ok(None);
    };
    ensure!(
        length <= dump.remaining(),
        "dump ends inside a field of {length} bytes"
    );
    Ok(Some(dump.split_to(length)))
}
