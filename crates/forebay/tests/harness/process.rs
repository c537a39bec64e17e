//! The real binary as a child process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::Value;

use super::{LIMIT, SECRET_ID, SECRET_KEY, now, signed_head, with_body};

/// `forebay serve`, stopped at the latest when dropped.
pub struct Forebay {
    child: Mutex<Child>,
    pub api: SocketAddr,
    pub admin: SocketAddr,
    /// What it printed for a person.
    pub welcome: String,
}

impl Forebay {
    /// Runs in `folder`, on ports of the system's choice, without a drain delay.
    pub fn start(folder: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(args)
            .current_dir(folder)
            .env_clear()
            .env("FOREBAY_SHUTDOWN__DRAIN_DELAY", "0s")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // Shown with a test that fails.
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut welcome = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            welcome += &line;
            welcome += "\n";
            if line.starts_with("Try it") {
                break;
            }
        }
        let address = |name: &str| {
            let line = welcome.lines().find(|line| line.starts_with(name));
            let url = line.and_then(|line| line.split_whitespace().nth(1));
            let url = url.unwrap_or_else(|| panic!("no {name} in {welcome:?}"));
            let (_, address) = url.split_once("://").unwrap();
            address.parse().unwrap()
        };
        Self {
            api: address("API"),
            admin: address("Admin"),
            child: Mutex::new(child),
            welcome,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.lock().id()
    }

    /// The answer's `Response` to a signed request.
    pub fn call(&self, action: &str, body: &str) -> Value {
        let head = signed_head(action, body.as_bytes(), now(), SECRET_ID, SECRET_KEY);
        let head = head + "Connection: close\r\n";
        let mut stream = TcpStream::connect(self.api).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(&with_body(head, body.as_bytes())).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, json) = answer.split_once("\r\n\r\n").unwrap();
        let mut envelope: Value = serde_json::from_str(json).unwrap();
        envelope["Response"].take()
    }

    /// Sends it a signal by its PID.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args([name, &self.pid().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Waits for its end; its exit code, `None` if a signal ended it.
    pub fn await_end(&self) -> Option<i32> {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.lock().try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "still running after {LIMIT:?}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Stops it as a supervisor would.
    pub fn stop(self) {
        self.signal("-TERM");
        assert_eq!(self.await_end(), Some(0));
    }
}

impl Drop for Forebay {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        if child.try_wait().is_ok_and(|status| status.is_none()) {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
