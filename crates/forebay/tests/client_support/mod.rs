//! The program as a client, and what it is a client of.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test file uses its own part of the support"
)]

mod fake_api;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub use fake_api::FakeApi;
use tempfile::TempDir;

/// Generous: a limit for what hangs, not a measure of what is fast.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A client command in `folder`, with an empty environment.
pub fn forebay(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    command
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// stdout, after a success.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// stdout as JSON, after a success.
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).expect("stdout is JSON")
    }

    /// stderr, after that exit code.
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.err
    }
}

/// Runs a command to its end on `input`.
pub fn run(mut command: Command, input: &[u8]) -> Ended {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that does not read all of it closes the pipe.
    let writer = std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ended::of(output)
}

/// A process that is stopped by its id when the test is over, however it ends.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|status| status.is_none()) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
}

impl Process {
    pub fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for the end; what it wrote besides what was taken away.
    pub fn end(mut self) -> Ended {
        await_that("the process ends", || !self.is_running());
        let read = |pipe: Option<&mut dyn std::io::Read>| {
            let mut text = String::new();
            if let Some(pipe) = pipe {
                pipe.read_to_string(&mut text).unwrap();
            }
            text
        };
        Ended {
            code: self.0.wait().unwrap().code(),
            out: read(self.0.stdout.as_mut().map(|pipe| pipe as _)),
            err: read(self.0.stderr.as_mut().map(|pipe| pipe as _)),
        }
    }
}

/// Looks until it is so.
pub fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// `forebay serve` with its embedded broker, in a folder of its own.
pub struct Service {
    pub folder: TempDir,
    pub endpoint: String,
    _process: Process,
}

impl Service {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = forebay(&folder);
        command
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(["--log-level", "warn"])
            .stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let process = Process(child);
        let mut endpoint = None;
        for line in BufReader::new(out).lines() {
            let line = line.unwrap();
            if let Some(url) = line.strip_prefix("API ") {
                endpoint = Some(url.trim().to_owned());
            }
            if line.starts_with("Try it") {
                break;
            }
        }
        Self {
            folder,
            endpoint: endpoint.expect("the service says where it is"),
            _process: process,
        }
    }

    /// A client command for this service, with its data directory's
    /// credentials.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = forebay(&self.folder);
        command.args(args).args(["--endpoint", &self.endpoint]);
        command
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        run(self.command(args), b"")
    }

    pub fn run_on(&self, input: &[u8], args: &[&str]) -> Ended {
        run(self.command(args), input)
    }
}
