//! Chromium's driver as a process, and the few words of WebDriver.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::gate;

/// Of one request; ten times what a busy machine needs.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs the driver in a process group of its own, and ends the whole group,
/// browsers and all, when the pipe on stdin closes: also when the test process
/// is killed.
const WATCHER: &str = r#"
home=$1; shift
set -m
"$@" </dev/null &
driver=$!
cat >/dev/null
kill -KILL -- "-$driver" 2>/dev/null
wait "$driver" 2>/dev/null
rm -rf "$home"
"#;

/// A browser's driver; each [`Browser`] it opens is a person of their own.
#[derive(Debug)]
pub struct BrowserDriver {
    watcher: Child,
    address: String,
}

/// Chromium for a test, or `None` where it is missing and may be. With
/// `CI=true` or `TESTKIT_KAFKA_TESTS=1` it has to be there; Debian's packages
/// are `chromium` and `chromium-driver`.
///
/// # Errors
/// When the driver does not start.
///
/// # Panics
/// When it is required and missing.
pub fn browser_or_skip() -> Result<Option<Arc<BrowserDriver>>> {
    if gate::runs("chromium", "--version") && gate::runs("chromedriver", "--version") {
        return BrowserDriver::start().map(|driver| Some(Arc::new(driver)));
    }
    assert!(
        !gate::required(),
        "chromium and chromedriver are required here and not on PATH: \
         apt-get install chromium chromium-driver"
    );
    skip_note();
    Ok(None)
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skip_note() {
    eprintln!(
        "skipped: chromium or chromedriver is not on PATH; \
         install the packages chromium and chromium-driver"
    );
}

impl BrowserDriver {
    fn start() -> Result<Self> {
        let home = tempfile::Builder::new()
            .prefix("forebay-browser")
            .tempdir()?;
        let home = home.keep();
        let mut watcher = Command::new("/bin/bash")
            .args(["-c", WATCHER, "watcher"])
            .arg(&home)
            .args(["chromedriver", "--port=0"])
            // Profiles and caches, away from a person's own; the watcher
            // removes it.
            .env("HOME", &home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run chromedriver")?;
        let output = watcher.stdout.take().context("no stdout")?;
        let mut lines = BufReader::new(output).lines();
        let port = loop {
            let line = lines.next().context("chromedriver has ended")??;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // It goes on writing; nobody may make it wait.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self {
            watcher,
            address: format!("http://127.0.0.1:{port}"),
        })
    }

    /// Opens a browser with an empty profile, in a window of that size.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn open(self: &Arc<Self>, width: u32, height: u32) -> Result<Browser> {
        let arguments = [
            "--headless=new",
            // Tests may run as root, and with little shared memory.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-proxy-server",
            "--force-color-profile=srgb",
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            // Tests make certificates of their own.
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = self
            .call("POST", "/session".to_owned(), capabilities)
            .await?;
        let id = session["sessionId"].as_str().context("no session")?;
        let browser = Browser::new(Arc::clone(self), format!("/session/{id}"));
        browser.resize(width, height).await?;
        Ok(browser)
    }

    pub(crate) async fn call(
        &self,
        method: &'static str,
        path: String,
        body: Value,
    ) -> Result<Value> {
        let url = format!("{}{path}", self.address);
        let called = tokio::task::spawn_blocking(move || call(method, &url, &body));
        called.await?
    }
}

impl Drop for BrowserDriver {
    fn drop(&mut self) {
        // Closing the pipe is what ends the group.
        drop(self.watcher.stdin.take());
        drop(self.watcher.wait());
    }
}

fn call(method: &str, url: &str, body: &Value) -> Result<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let mut answer = match method {
        "GET" => agent.get(url).call()?,
        "DELETE" => agent.delete(url).call()?,
        _ => agent
            .post(url)
            .header("Content-Type", "application/json")
            .send(serde_json::to_vec(body)?)?,
    };
    let limit = 64 << 20;
    let text = answer.body_mut().with_config().limit(limit).read_to_vec()?;
    let mut answer: Value = serde_json::from_slice(&text)?;
    let value = answer["value"].take();
    match value.get("error").and_then(Value::as_str) {
        Some(error) => {
            let message = value["message"].as_str().unwrap_or_default();
            Err(anyhow!("{method} {url}: {error}: {message}"))
        }
        None => Ok(value),
    }
}
