//! A process that makes calls through a genuine SDK, whatever its language.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};

/// What leads an SDK's requests elsewhere on a machine that has it set: Node's
/// asks `http_proxy` also for loopback addresses.
const PROXY_VARIABLES: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
];

/// A process with one client of a genuine SDK, which carries out calls one after
/// another. Killed when dropped.
#[derive(Debug)]
pub struct SdkSession {
    child: Child,
    pipes: Arc<Mutex<Pipes>>,
}

#[derive(Debug)]
struct Pipes {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl SdkSession {
    /// Starts `command`, one of the clients in `tests/sdk`, with the options that
    /// they share: its one SDK client is for `endpoint` (`host:port`, plain HTTP).
    pub(crate) fn start(
        mut command: Command,
        endpoint: &str,
        secret_id: &str,
        secret_key: &str,
        more: &[&str],
    ) -> Result<Self> {
        let mut child = without_proxies(&mut command)
            .args(["--endpoint", endpoint, "--secret-id", secret_id])
            .args(["--secret-key", secret_key])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", command.get_program().display()))?;
        let pipes = Pipes {
            input: child.stdin.take().context("no stdin")?,
            output: BufReader::new(child.stdout.take().context("no stdout")?),
        };
        Ok(Self {
            child,
            pipes: Arc::new(Mutex::new(pipes)),
        })
    }

    /// Makes one call: `action` as the API names it, `params` the request's JSON.
    ///
    /// The answer is one JSON object: `{"ok": <response>}`, or `{"error":
    /// {"code", "message", "requestId"}}` as the SDK's exception has them. Does
    /// not block the runtime; the SDK's own limit of time applies, which is 60 s
    /// except with Java, where there is none.
    ///
    /// # Errors
    /// When the process has ended.
    pub async fn call(&self, action: &str, params: &str) -> Result<String> {
        let line = format!("{action} {}\n", params.replace('\n', " "));
        let pipes = Arc::clone(&self.pipes);
        tokio::task::spawn_blocking(move || {
            let mut pipes = pipes.lock().expect("no panic while it is held");
            pipes.input.write_all(line.as_bytes())?;
            pipes.input.flush()?;
            let mut answer = String::new();
            let length = pipes.output.read_line(&mut answer)?;
            ensure!(length > 0, "the SDK's process has ended");
            Ok(answer)
        })
        .await?
    }
}

impl Drop for SdkSession {
    fn drop(&mut self) {
        // It fails only where the process is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Takes the proxies of the machine from a command's environment.
pub(crate) fn without_proxies(command: &mut Command) -> &mut Command {
    for variable in PROXY_VARIABLES {
        command.env_remove(variable);
    }
    command
}
