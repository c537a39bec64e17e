//! The console in a real browser, visited as nobody meant it: by mistyped
//! addresses, with messages made to break the page, from two tabs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::sync::Arc;

use forebay_testkit::{Browser, BrowserDriver, browser_or_skip};
use harness::console_visitor::{open, page_of_sent, sign_in, visit};
use harness::{Replica, SECRET_ID, SECRET_KEY};
use serde_json::{Value, json};

async fn signed_in(driver: &Arc<BrowserDriver>, replica: &Replica) -> Browser {
    let browser = open(driver, replica, "/login").await;
    sign_in(&browser, SECRET_KEY).await;
    browser.wait_text("tbody", "quickstart").await.unwrap();
    browser
}

#[actix::test]
async fn the_one_time_link_works_where_the_page_is_open_already() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded().await;
    let browser = open(&driver, &replica, "/login").await;
    browser.wait_text("h1", "Sign in").await.unwrap();
    let link = replica.running.one_time_link().unwrap();
    // Only what is behind the `#` changes: the browser loads nothing.
    browser.visit(&link).await.unwrap();
    browser.wait_text("tbody", "quickstart").await.unwrap();
    assert!(!browser.address().await.unwrap().contains("once"));
    browser.close().await.unwrap();
    replica.stop().await;
}

#[actix::test]
async fn addresses_that_make_no_sense_show_a_page() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded().await;
    let browser = signed_in(&driver, &replica).await;
    for (path, css, text) in [
        ("/tasks/%zz", "main", "There is no such page"),
        ("/tasks/%3Cscript%3E", "main", "There is no such page"),
        ("/nowhere", "main", "There is no such page"),
        ("/tasks/a/b", "main", "There is no such page"),
        ("/tasks/task-nowhere0", "main", "ResourceNotFound"),
        ("/tasks?sort=evil&status=odd&page=-3", "tbody", "quickstart"),
        ("/tasks?page=9999999999999999999999", "main", "empty now"),
        ("/messages?mode=odd&partition=abc", "h1", "Querying Message"),
        (
            "/messages?mode=time&topic=quickstart&since=x",
            "main",
            "There is no message",
        ),
        (
            "/messages?mode=latest&topic=%3Cscript%3E",
            "main",
            "InvalidParameter",
        ),
    ] {
        visit(&browser, &replica, path).await;
        let shown = browser.wait_text(css, text).await;
        assert!(shown.is_ok(), "{path}: {shown:?}");
    }
    browser.close().await.unwrap();
    replica.stop().await;
}

#[actix::test]
async fn the_search_field_keeps_what_is_typed_quickly() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded().await;
    let browser = signed_in(&driver, &replica).await;
    let long = "a search that is typed without a pause, as programs and quick people do";
    browser.fill("input[type=search]", long).await.unwrap();
    browser.wait_text("main", "No task fits").await.unwrap();
    let typed = "return document.querySelector('input[type=search]').value";
    assert_eq!(browser.run(typed, json!([])).await.unwrap(), long);
    let address = browser.address().await.unwrap();
    assert!(
        address.ends_with(&long.replace(' ', "+").replace(',', "%2C")),
        "{address}"
    );
    browser.close().await.unwrap();
    replica.stop().await;
}

/// As short as a few kilobytes, indented they would be longer than a browser's
/// longest text.
#[actix::test]
async fn a_message_of_brackets_does_not_break_the_page() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded().await;
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    let page = page_of_sent(&replica, json!({"Body": deep})).await;
    let browser = signed_in(&driver, &replica).await;
    visit(&browser, &replica, &page).await;
    browser.wait_text("#value-panel", "[[[[").await.unwrap();
    browser
        .wait_text("article.message", "60,000 bytes")
        .await
        .unwrap();
    browser.close().await.unwrap();
    replica.stop().await;
}

#[actix::test]
async fn a_sign_in_in_another_tab_does_not_stop_this_one() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded().await;
    let browser = signed_in(&driver, &replica).await;
    let again = "const [secret_id, secret_key] = args; \
        return fetch('/console/api/login', { method: 'POST', \
          headers: { 'Content-Type': 'application/json' }, \
          body: JSON.stringify({ secret_id, secret_key }) }).then((answer) => answer.status)";
    let secrets = json!([SECRET_ID, SECRET_KEY]);
    let status = browser.run_async(again, secrets).await.unwrap();
    assert_eq!(status, Value::from(204));
    browser
        .click("button[aria-label='Pause quickstart']")
        .await
        .unwrap();
    browser
        .wait_text(".toasts [role=status]", "Task paused")
        .await
        .unwrap();
    browser.close().await.unwrap();
    replica.stop().await;
}
