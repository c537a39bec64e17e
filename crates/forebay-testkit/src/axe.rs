//! axe-core, which finds what keeps people from using a page
//! (<https://github.com/dequelabs/axe-core>).

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::gate;

const SCRIPT: &str = "tests/console/setup.sh";

/// The check, ready to be run in pages.
#[derive(Debug)]
pub struct Axe {
    source: String,
}

/// axe-core for a test, or `None` where it is missing and may be. With
/// `CI=true` or `TESTKIT_KAFKA_TESTS=1` it is fetched by `tests/console/setup.sh`.
///
/// # Errors
/// When it cannot be fetched or read.
pub fn axe_or_skip() -> Result<Option<Axe>> {
    let home = gate::fetched_dir("TESTKIT_AXE_HOME", "axe");
    let lock = gate::workspace_root().join("tests/console/package-lock.json");
    let expected = std::fs::read(lock)?;
    let is_complete = || std::fs::read(home.join(".complete")).is_ok_and(|stamp| stamp == expected);
    if gate::required() {
        // It returns at once when all is there.
        gate::run_script(SCRIPT)?;
        ensure!(is_complete(), "{SCRIPT} left nothing in {}", home.display());
    } else if !is_complete() {
        skip_note();
        return Ok(None);
    }
    let source = std::fs::read_to_string(home.join("node_modules/axe-core/axe.min.js"))?;
    Ok(Some(Axe { source }))
}

#[expect(clippy::print_stderr, reason = "a skipped check has to say so")]
fn skip_note() {
    eprintln!(
        "skipped: accessibility is not checked; run {SCRIPT}, or set \
         TESTKIT_KAFKA_TESTS=1 to have it run and to fail instead of skipping"
    );
}

impl Axe {
    /// What is wrong with the page as it is now, one line each: its weight, the
    /// rule, and where. Rules of WCAG 2.2 A and AA, and axe's best practices.
    ///
    /// # Errors
    /// When the check cannot be run.
    pub async fn findings(&self, page: &Browser) -> Result<Vec<String>> {
        page.run(&self.source, json!([])).await?;
        let script = "const { violations } = await axe.run(document, { resultTypes: ['violations'] }); \
            return violations.map(({ impact, id, nodes }) => [impact, id, \
              nodes.slice(0, 3).map(({ target, any }) => target.join(' ') + ' ' + \
                any.map(({ message }) => message).join('; ')).join(' | ')]);";
        let found = page.run_async(script, json!([])).await?;
        let found = found.as_array().context("no findings")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let line = |one: &Value| format!("{}: {}: {}", text(&one[0]), text(&one[1]), text(&one[2]));
        Ok(found.iter().map(line).collect())
    }
}
