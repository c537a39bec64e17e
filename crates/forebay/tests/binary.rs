//! The program itself: its words, its exit codes, its signals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

fn forebay(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    command
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(folder: &tempfile::TempDir, args: &[&str]) -> (Option<i32>, String, String) {
    let output = forebay(folder).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("still running after {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// Kills what a failed test leaves.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|status| status.is_none()) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
}

fn serve(folder: &tempfile::TempDir, args: &[&str]) -> (Serving, String) {
    let mut child = forebay(folder)
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--brokers", "127.0.0.1:1"])
        .args(args)
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let mut welcome = String::new();
    for line in BufReader::new(out).lines() {
        let line = line.unwrap();
        welcome += &line;
        welcome += "\n";
        if line.starts_with("Try it") {
            break;
        }
    }
    (Serving(child), welcome)
}

#[test]
fn exit_codes_and_words_of_commands() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, _) = run(&folder, &["config", "check"]);
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "the configuration is fine\n")
    );
    let (code, out, _) = run(&folder, &["config", "show", "--brokers", "a:1"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("keep_alive = \"370s\""), "{out}");
    assert!(out.contains("brokers = [\"a:1\"]"), "{out}");
    let (code, _, err) = run(&folder, &["config", "check", "--listen", "x"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("http.listen"), "{err}");
    assert_eq!(run(&folder, &["--nonsense"]).0, Some(2));
    assert_eq!(run(&folder, &["--config", "missing.toml"]).0, Some(2));
    assert_eq!(run(&folder, &["--help"]).0, Some(0));
    let both = ["config", "check", "--brokers", "a:1"];
    let both = [&both[..], &["--broker-listen", "127.0.0.1:9"]].concat();
    let (code, _, err) = run(&folder, &both);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("broker.listen"), "{err}");
}

#[test]
fn serves_and_stops_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("f.toml"),
        "[shutdown]\ndrain_delay = \"0s\"\ngrace = \"20s\"",
    )
    .unwrap();
    let (mut child, welcome) = serve(&folder, &["--config", "f.toml", "--log-format", "json"]);
    assert!(
        welcome.contains("API          http://127.0.0.1:"),
        "{welcome}"
    );
    assert!(!welcome.contains(":0\n"), "the real port: {welcome}");
    assert!(
        welcome.contains("127.0.0.1:1 "),
        "Kafka's address: {welcome}"
    );
    assert!(
        welcome.contains("forebay-data/credentials.toml (made just now)"),
        "{welcome}"
    );
    let link = welcome.split_once("/login#once=");
    let (before, token) = link.unwrap_or_else(|| panic!("no link in {welcome}"));
    assert!(
        before.contains("Sign in      http://127.0.0.1:"),
        "{welcome}"
    );
    let token = token.split_whitespace().next().unwrap();
    assert_eq!(token.len(), 43, "{welcome}");
    let made = std::fs::read_to_string(folder.path().join("forebay-data/credentials.toml"));
    let made = made.unwrap();
    signal(&child.0, "-TERM");
    assert_eq!(wait(&mut child.0).code(), Some(0));
    let mut log = String::new();
    child
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    for line in log.lines() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(json["level"].is_string(), "{line}");
    }
    assert!(log.contains("draining"), "{log}");
    assert!(
        !log.contains(token),
        "the link is for the person at the terminal"
    );
    let key = made
        .lines()
        .find(|line| line.starts_with("secret_key"))
        .unwrap();
    let key = key.split('"').nth(1).unwrap();
    assert!(
        !log.contains(key) && !welcome.contains(key),
        "a secret was shown"
    );

    // Whoever starts it again has the credentials already.
    let (mut again, welcome) = serve(&folder, &["--config", "f.toml"]);
    assert!(!welcome.contains("once="), "{welcome}");
    signal(&again.0, "-TERM");
    assert_eq!(wait(&mut again.0).code(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("f.toml"),
        "[shutdown]\ndrain_delay = \"10m\"\ngrace = \"1h\"",
    )
    .unwrap();
    let (mut child, _) = serve(&folder, &["--config", "f.toml"]);
    signal(&child.0, "-INT");
    let mut log = BufReader::new(child.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("draining") {
        line.clear();
        assert_ne!(
            log.read_line(&mut line).unwrap(),
            0,
            "ended without draining"
        );
    }
    signal(&child.0, "-TERM");
    let drained = std::thread::spawn(move || {
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        rest
    });
    assert_eq!(wait(&mut child.0).code(), Some(1));
    assert!(drained.join().unwrap().contains("at once"));
}
