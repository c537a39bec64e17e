//! Headless Chromium, driven by its own driver over WebDriver
//! (<https://www.w3.org/TR/webdriver2/>): a person at the console.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::browser_driver::BrowserDriver;

/// Ten times what a busy machine needs for the slowest step.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// How WebDriver names an element's id.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An open browser with one page; closed at the latest with its driver.
#[derive(Debug)]
pub struct Browser {
    driver: Arc<BrowserDriver>,
    session: String,
}

impl Browser {
    pub(crate) fn new(driver: Arc<BrowserDriver>, session: String) -> Self {
        Self { driver, session }
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        let path = format!("{}{path}", self.session);
        self.driver.call("POST", path, body).await
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let path = format!("{}{path}", self.session);
        self.driver.call("GET", path, Value::Null).await
    }

    /// Goes to an address and waits until the page is loaded.
    ///
    /// # Errors
    /// Here and below: when the driver says so, or when it is not there within
    /// 60 s.
    pub async fn visit(&self, address: &str) -> Result<()> {
        self.post("/url", json!({"url": address})).await.map(drop)
    }

    /// The address of the page.
    ///
    /// # Errors
    /// See [`visit`](Self::visit).
    pub async fn address(&self) -> Result<String> {
        let address = self.get("/url").await?;
        address.as_str().map(str::to_owned).context("no address")
    }

    /// Runs the body of a function in the page; what it returns.
    ///
    /// # Errors
    /// See [`visit`](Self::visit); what the script throws.
    pub async fn run(&self, script: &str, arguments: Value) -> Result<Value> {
        let body = json!({"script": script, "args": arguments});
        self.post("/execute/sync", body).await
    }

    /// The same, and waits for what it returns to be resolved.
    ///
    /// # Errors
    /// See [`run`](Self::run).
    pub async fn run_async(&self, script: &str, arguments: Value) -> Result<Value> {
        let script = format!(
            "const done = arguments[arguments.length - 1]; \
             (async (...args) => {{ {script} }})(...arguments).then(done, (e) => done({{thrown: String(e)}}));"
        );
        let body = json!({"script": script, "args": arguments});
        let value = self.post("/execute/async", body).await?;
        match value.get("thrown") {
            Some(thrown) => Err(anyhow!("the script failed: {thrown}")),
            None => Ok(value),
        }
    }

    /// Waits until the expression is true in the page.
    ///
    /// # Errors
    /// After 60 s, with the page's text.
    pub async fn wait_for(&self, expression: &str) -> Result<()> {
        let began = Instant::now();
        let script = format!("return Boolean({expression})");
        loop {
            let value = self.run(&script, json!([])).await;
            // A page on its way to another cannot be asked.
            if value.is_ok_and(|value| value == Value::Bool(true)) {
                return Ok(());
            }
            if began.elapsed() > LIMIT {
                let text = self.text("body").await.unwrap_or_default();
                bail!("not within {LIMIT:?}: {expression}; the page says:\n{text}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until an element that fits `css` shows `text`.
    ///
    /// # Errors
    /// See [`wait_for`](Self::wait_for).
    pub async fn wait_text(&self, css: &str, text: &str) -> Result<()> {
        let (css, text) = (json!(css), json!(text));
        self.wait_for(&format!(
            "[...document.querySelectorAll({css})].some((e) => e.innerText.includes({text}))"
        ))
        .await
    }

    /// The visible text of the first element that fits.
    ///
    /// # Errors
    /// See [`visit`](Self::visit); when there is none.
    pub async fn text(&self, css: &str) -> Result<String> {
        let script = "return document.querySelector(arguments[0])?.innerText ?? null";
        let text = self.run(script, json!([css])).await?;
        let text = text.as_str().map(str::to_owned);
        text.with_context(|| format!("nothing fits {css}"))
    }

    /// The id of the first element that fits, waiting until it is visible and
    /// can be used: a click on a disabled button does nothing, without a word.
    async fn element(&self, css: &str) -> Result<String> {
        let shown = json!(css);
        self.wait_for(&format!(
            "((e) => e?.checkVisibility() && !e.disabled)(document.querySelector({shown}))"
        ))
        .await?;
        let query = json!({"using": "css selector", "value": css});
        let element = self.post("/element", query).await?;
        let id = element[ELEMENT].as_str().map(str::to_owned);
        id.with_context(|| format!("no element {css}"))
    }

    /// Clicks, as a person does: what is hidden or covered cannot be clicked.
    ///
    /// # Errors
    /// See [`visit`](Self::visit).
    pub async fn click(&self, css: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            let id = self.element(css).await?;
            match self.post(&format!("/element/{id}/click"), json!({})).await {
                Ok(_) => return Ok(()),
                // Redrawn in between, or on its way to its place.
                Err(error) if began.elapsed() > LIMIT => return Err(error),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Replaces what is in a field by typing.
    ///
    /// # Errors
    /// See [`visit`](Self::visit).
    pub async fn fill(&self, css: &str, text: &str) -> Result<()> {
        let id = self.element(css).await?;
        // Not WebDriver's clear: pages are not told of that, and may draw the
        // old text again before the new one is typed.
        let (control, release, delete) = ('\u{e009}', '\u{e000}', '\u{e017}');
        let body = json!({"text": format!("{control}a{release}{delete}{text}")});
        self.post(&format!("/element/{id}/value"), body).await?;
        Ok(())
    }

    /// Presses keys wherever the focus is; WebDriver's code points stand for
    /// special ones (`\u{e004}` is Tab, `\u{e00c}` Escape).
    ///
    /// # Errors
    /// See [`visit`](Self::visit).
    pub async fn press(&self, keys: &str) -> Result<()> {
        let actions: Vec<_> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
            })
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.post("/actions", json!({"actions": [keyboard]}))
            .await?;
        Ok(())
    }

    /// Gives the page a width and height, in CSS pixels; narrower than any
    /// window can be, too.
    ///
    /// # Errors
    /// See [`visit`](Self::visit).
    pub async fn resize(&self, width: u32, height: u32) -> Result<()> {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1,
            // Where scrollbars lie over the page.
            "mobile": width < 600,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await
    }

    /// Has the page believe that the system's theme is `light` or `dark`.
    ///
    /// # Errors
    /// See [`visit`](Self::visit).
    pub async fn prefer(&self, scheme: &str) -> Result<()> {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features}))
            .await
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Result<()> {
        let body = json!({"cmd": command, "params": parameters});
        self.post("/goog/cdp/execute", body).await.map(drop)
    }

    /// What the page's console said: errors, warnings, broken rules of the
    /// Content-Security-Policy. Each line is given once.
    ///
    /// # Errors
    /// See [`visit`](Self::visit).
    pub async fn log(&self) -> Result<Vec<String>> {
        let lines = self.post("/se/log", json!({"type": "browser"})).await?;
        let lines = lines.as_array().context("no log")?.iter();
        let line = |line: &Value| format!("{}: {}", line["level"], line["message"]);
        Ok(lines.map(line).collect())
    }

    /// A picture of the page as PNG: of all of it, however long, or of what
    /// is in the window.
    ///
    /// # Errors
    /// See [`visit`](Self::visit).
    pub async fn picture(&self, whole: bool) -> Result<Vec<u8>> {
        let parameters = json!({"format": "png", "captureBeyondViewport": whole});
        let body = json!({"cmd": "Page.captureScreenshot", "params": parameters});
        let answer = self.post("/goog/cdp/execute", body).await?;
        let text = answer["data"].as_str().context("no picture")?;
        from_base64(text)
    }

    /// Closes it.
    ///
    /// # Errors
    /// See [`visit`](Self::visit).
    pub async fn close(self) -> Result<()> {
        let path = self.session.clone();
        self.driver
            .call("DELETE", path, Value::Null)
            .await
            .map(drop)
    }
}

fn from_base64(text: &str) -> Result<Vec<u8>> {
    use base64::Engine as _;
    Ok(base64::engine::general_purpose::STANDARD.decode(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::browser_or_skip;

    #[tokio::test]
    async fn a_page_is_seen_clicked_typed_into_and_pictured() -> Result<()> {
        let Some(driver) = browser_or_skip()? else {
            return Ok(());
        };
        let browser = driver.open(700, 640).await?;
        let page =
            "data:text/html,<input id=i><button onclick=\"document.title=i.value\">Go</button>";
        browser.visit(page).await?;
        browser.fill("#i", "typed").await?;
        browser.click("button").await?;
        browser.wait_for("document.title === 'typed'").await?;
        assert_eq!(browser.run("return innerWidth", json!([])).await?, 700);
        assert!(browser.picture(true).await?.starts_with(b"\x89PNG"));
        browser.close().await
    }
}
