//! Somebody who opens the console in a browser, and signs in.

use std::sync::Arc;

use forebay_testkit::{Browser, BrowserDriver};
use serde_json::{Value, json};

use super::{Replica, SECRET_ID};

/// The width and height of a laptop's window.
const WINDOW: (u32, u32) = (1280, 900);

fn address(replica: &Replica, path: &str) -> String {
    format!("http://{}{path}", replica.running.admin)
}

pub async fn visit(browser: &Browser, replica: &Replica, path: &str) {
    browser.visit(&address(replica, path)).await.unwrap();
}

/// A new browser that shows this page.
pub async fn open(driver: &Arc<BrowserDriver>, replica: &Replica, path: &str) -> Browser {
    open_address(driver, &address(replica, path)).await
}

/// The same for an address as it was printed or copied.
pub async fn open_address(driver: &Arc<BrowserDriver>, address: &str) -> Browser {
    let browser = driver.open(WINDOW.0, WINDOW.1).await.unwrap();
    browser.visit(address).await.unwrap();
    browser
}

/// Fills in the form that the browser shows, and sends it.
pub async fn sign_in(browser: &Browser, secret_key: &str) {
    browser.fill("#secret-id", SECRET_ID).await.unwrap();
    browser.fill("#secret-key", secret_key).await.unwrap();
    browser.click("button[type=submit]").await.unwrap();
}

/// Sends one message to the quickstart task, for the console to show. Gives the path
/// of the page that shows it.
pub async fn page_of_sent(replica: &Replica, message: Value) -> String {
    let body = json!({"DataHubId": "datahub-forebay0", "Message": [message]});
    let sent = replica.call("SendMessage", &body.to_string()).await;
    let sent = sent.response();
    let id = sent["MessageId"][0].as_str().unwrap();
    format!("/messages?mode=id&id={id}")
}
