//! The programs that Task Details offers, copied from the page and run as they
//! are, with the genuine SDKs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::process::{Command, Stdio};

use forebay_testkit::{Browser, Sdk, browser_or_skip, programs_or_skip, sdk_or_skip};
use harness::console_visitor::{open, sign_in};
use harness::{Replica, SECRET_ID, SECRET_KEY};

const PROGRAMS: [(&str, &str, Option<Sdk>); 5] = [
    ("python", "send.py", Some(Sdk::Python)),
    ("node", "send.js", Some(Sdk::Node)),
    ("java", "Send.java", Some(Sdk::Java)),
    ("go", "main.go", Some(Sdk::Go)),
    ("curl", "send.sh", None),
];

async fn copied(browser: &Browser, tab: &str) -> String {
    browser.click(&format!("#sdk-tab-{tab}")).await.unwrap();
    let chosen = format!("document.querySelector('#sdk-tab-{tab}[aria-selected=true]')");
    browser.wait_for(&chosen).await.unwrap();
    browser.text(".snippet").await.unwrap()
}

/// How the program is run; `None` where what it needs is missing and may be.
fn command(sdk: Option<Sdk>, file: &std::path::Path) -> Option<Command> {
    if let Some(sdk) = sdk {
        return sdk_or_skip(sdk).map(|home| home.program(file).unwrap());
    }
    let needed = [
        ("bash", "--version"),
        ("curl", "--version"),
        ("openssl", "version"),
    ];
    let mut command = Command::new("bash");
    command.arg(file).env("no_proxy", "*");
    programs_or_skip(&needed).then_some(command)
}

#[actix::test]
async fn every_program_of_the_page_sends() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded().await;
    let browser = open(&driver, &replica, "/tasks/task-forebay0").await;
    sign_in(&browser, SECRET_KEY).await;
    for (tab, name, sdk) in PROGRAMS {
        let text = copied(&browser, tab).await;
        assert!(
            !text.contains(SECRET_KEY) && !text.contains(SECRET_ID),
            "{text}"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, &text).unwrap();
        let Some(mut command) = command(sdk, &file) else {
            continue;
        };
        command
            .env("TENCENTCLOUD_SECRET_ID", SECRET_ID)
            .env("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)
            .stdin(Stdio::null());
        let run = tokio::task::spawn_blocking(move || command.output());
        let output = run.await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{tab}: {said}{complained}");
        assert!(
            said.contains("datahub-forebay0:quickstart:"),
            "{tab}: {said}{complained}"
        );
    }
    browser.close().await.unwrap();
    replica.stop().await;
}
