//! The console as a person uses it, in real Chromium.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::sync::Arc;
use std::time::Duration;

use forebay::config::Config;
use forebay_testkit::{
    Browser, BrowserDriver, KafkaCluster, Options, browser_or_skip, kafka_or_skip,
};
use harness::console_visitor::{open, open_address, page_of_sent, sign_in};
use harness::https::{Ca, files};
use harness::{Replica, SECRET_KEY, credential, one_message};
use serde_json::json;

/// Key and body of a message that tries everything a page could fall for.
const HOSTILE: &str = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>\
    \u{1b}[31mred\u{1b}[0m\u{7}\u{202e}desrever &amp; {{7*7}} </pre></td>";

async fn signed_in(driver: &Arc<BrowserDriver>, replica: &Replica, path: &str) -> Browser {
    let browser = open(driver, replica, path).await;
    sign_in(&browser, SECRET_KEY).await;
    browser
        .wait_for("document.querySelector('header.top')")
        .await
        .unwrap();
    browser
}

/// Ends the test of a browser: nothing may have gone wrong unseen.
async fn close(browser: Browser) {
    let log = browser.log().await.unwrap();
    // Refusals by HTTP status are part of some stories.
    let bad: Vec<_> = log
        .iter()
        .filter(|line| !line.contains("Failed to load resource"))
        .collect();
    assert!(bad.is_empty(), "the page's console says {bad:#?}");
    browser.close().await.unwrap();
}

async fn send(replica: &Replica, datahub: &str) -> harness::Answer {
    replica.call("SendMessage", &one_message(datahub)).await
}

/// The seed's story: a task is made, its access point is copied, a message is
/// sent and found again, the task is paused, a prompt says so, and a program
/// gets the answer that the vendor's guide shows.
async fn story(driver: &Arc<BrowserDriver>, replica: &Replica) {
    let browser = signed_in(driver, replica, "/tasks").await;
    browser.click("a[href='/new-task']").await.unwrap();
    browser.fill("#name", "orders").await.unwrap();
    browser.fill("#description", "of the shop").await.unwrap();
    browser
        .click(".segments button:nth-child(2)")
        .await
        .unwrap();
    browser.fill("#topic", "topicDev").await.unwrap();
    browser.fill("#partitions", "3").await.unwrap();
    browser.fill("#qpsLimit", "2000").await.unwrap();
    browser.click("form button[type=submit]").await.unwrap();
    browser.wait_text("h1", "orders").await.unwrap();
    browser.wait_text(".toast", "Task created").await.unwrap();
    browser.wait_text(".facts-copy", "datahub-").await.unwrap();
    let facts = browser.text(".facts-copy").await.unwrap();
    let api = replica.running.api.to_string();
    assert!(facts.contains(&api), "{facts}");
    let datahub = facts.lines().find(|line| line.starts_with("datahub-"));
    let datahub = datahub.unwrap().trim().to_owned();
    for tab in ["python", "java", "node", "go", "curl"] {
        browser.click(&format!("#sdk-tab-{tab}")).await.unwrap();
        let program = browser.text(".snippet").await.unwrap();
        assert!(
            program.contains(&datahub) && program.contains(&api),
            "{program}"
        );
        assert!(!program.contains(SECRET_KEY), "{program}");
    }
    browser
        .wait_text("[aria-labelledby=partitions-title]", "2")
        .await
        .unwrap();

    let topic = replica
        .call("DescribeDatahubTopic", r#"{"Name":"topicDev"}"#)
        .await;
    let topic = topic.response()["Result"].clone();
    assert_eq!(topic["PartitionNum"], 3, "{topic}");
    assert_eq!(topic["RetentionMs"], 7 * 24 * 3_600_000, "{topic}");

    // What comes in while somebody looks shows by itself.
    assert!(send(replica, &datahub).await.response()["MessageId"].is_array());
    browser
        .wait_for("[...document.querySelectorAll('.big')].some((e) => parseFloat(e.innerText) > 0)")
        .await
        .unwrap();

    browser.fill("#send-key", "customer-1").await.unwrap();
    browser
        .fill("#send-body", r#"{"n": 12345678901234567890}"#)
        .await
        .unwrap();
    browser
        .click("[aria-labelledby=send-title] button[type=submit]")
        .await
        .unwrap();
    browser
        .wait_text(".ids", &format!("{datahub}:topicDev:"))
        .await
        .unwrap();
    let id = browser.text(".ids a").await.unwrap();
    browser.click(".ids a").await.unwrap();
    browser
        .wait_text(".message", "12345678901234567890")
        .await
        .unwrap();
    browser.wait_text(".message", "customer-1").await.unwrap();

    // The same by pasting, as somebody would who got the id from a log.
    browser.click("nav a[href='/messages']").await.unwrap();
    browser
        .fill("#message-id", &format!(" {id} "))
        .await
        .unwrap();
    browser.click("form button[type=submit]").await.unwrap();
    browser.wait_text(".message", "customer-1").await.unwrap();
    assert!(browser.address().await.unwrap().contains("id=datahub"));

    // A name that is taken is said at its field.
    browser.click("nav a[href='/tasks']").await.unwrap();
    browser.click("a[href='/new-task']").await.unwrap();
    browser.fill("#name", "orders").await.unwrap();
    browser.fill("#topic", "topicDev").await.unwrap();
    browser.click("form button[type=submit]").await.unwrap();
    browser
        .wait_text("#name-error", "RepetitionValue")
        .await
        .unwrap();

    browser.click("nav a[href='/tasks']").await.unwrap();
    browser.wait_text("tbody", "orders").await.unwrap();
    browser
        .click("button[aria-label='Pause orders']")
        .await
        .unwrap();
    browser
        .wait_text(".toasts [role=status]", "Task paused")
        .await
        .unwrap();
    let corner = "(() => { const at = document.querySelector('.toast').getBoundingClientRect(); \
                  return at.right > innerWidth - 40 && at.top < 150 && at.width > 0; })()";
    browser.wait_for(corner).await.unwrap();
    browser.wait_text("tbody", "Paused").await.unwrap();
    let (code, message) = send(replica, &datahub).await.error();
    assert_eq!(code, "FailedOperation");
    assert_eq!(message, format!("task status suspended [{datahub}]"));

    browser
        .click("button[aria-label='Resume orders']")
        .await
        .unwrap();
    browser
        .wait_text(".toasts [role=status]", "Task resumed")
        .await
        .unwrap();
    assert!(send(replica, &datahub).await.response()["MessageId"].is_array());

    // Deleting wants the name; something else is not enough.
    browser
        .click("button[aria-label='Delete orders']")
        .await
        .unwrap();
    browser.fill("#typed-name", "order").await.unwrap();
    browser
        .wait_for("document.querySelector('.button-danger').disabled")
        .await
        .unwrap();
    browser.fill("#typed-name", "orders").await.unwrap();
    browser.click(".button-danger").await.unwrap();
    browser
        .wait_text(".toasts [role=status]", "Task deleted")
        .await
        .unwrap();
    browser
        .wait_for("!document.querySelector('main').innerText.includes('orders')")
        .await
        .unwrap();
    assert_eq!(send(replica, &datahub).await.error().0, "ResourceNotFound");
    close(browser).await;
}

#[actix::test]
async fn the_whole_story_with_the_embedded_broker() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded().await;
    story(&driver, &replica).await;
    replica.stop().await;
}

#[actix::test]
async fn the_whole_story_with_real_kafka() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let Some(home) = kafka_or_skip() else {
        return;
    };
    let cluster = KafkaCluster::start(&home, Options::one_node())
        .await
        .unwrap();
    let replica = Replica::start_on(&cluster.bootstrap(), |_: &mut Config| {}).await;
    replica.await_ready().await;
    story(&driver, &replica).await;

    // Another replica comes, and goes.
    let other = Replica::start_on(&cluster.bootstrap(), |_: &mut Config| {}).await;
    let browser = signed_in(&driver, &replica, "/system").await;
    let rows = "document.querySelectorAll('[aria-labelledby=replicas-title] tbody tr').length";
    browser.wait_for(&format!("{rows} === 2")).await.unwrap();
    let both = browser
        .text("[aria-labelledby=replicas-title]")
        .await
        .unwrap();
    for one in [&replica, &other] {
        assert!(both.contains(&one.running.api.to_string()), "{both}");
    }
    assert!(
        both.contains("this one") && !both.contains("Silent"),
        "{both}"
    );
    other.stop().await;
    browser.wait_for(&format!("{rows} === 1")).await.unwrap();
    close(browser).await;
    replica.stop().await;
}

#[actix::test]
async fn wrong_secrets_the_one_time_link_and_the_end_of_a_session() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded_in(tempfile::tempdir().unwrap(), |config| {
        config.admin.session_idle = Duration::from_secs(3);
    })
    .await;
    let browser = open(&driver, &replica, "/tasks?search=quick").await;
    sign_in(&browser, "wrong").await;
    browser
        .wait_text("[role=alert]", "SecretId or SecretKey is wrong")
        .await
        .unwrap();
    browser.fill("#secret-key", SECRET_KEY).await.unwrap();
    browser.click("button[type=submit]").await.unwrap();
    browser.wait_text("tbody", "quickstart").await.unwrap();
    let address = browser.address().await.unwrap();
    assert!(
        address.ends_with("/tasks?search=quick"),
        "where one wanted to go: {address}"
    );
    let cookies = browser
        .run("return document.cookie", json!([]))
        .await
        .unwrap();
    assert_eq!(cookies, "", "no script sees the session");

    // Nobody does anything: refreshing by itself does not keep it alive. The
    // page counts a minute as presence; it cannot be waited for here.
    browser
        .run(
            "const real = window.fetch; window.fetch = (path, options = {}) => { \
               delete options.headers?.['X-Console-Active']; return real(path, options); };",
            json!([]),
        )
        .await
        .unwrap();
    browser
        .wait_text(".login-box", "Your session has ended")
        .await
        .unwrap();
    sign_in(&browser, SECRET_KEY).await;
    browser.wait_text("tbody", "quickstart").await.unwrap();
    close(browser).await;

    let link = replica.running.one_time_link().unwrap();
    let newcomer = open_address(&driver, &link).await;
    newcomer.wait_text("tbody", "quickstart").await.unwrap();
    assert!(!newcomer.address().await.unwrap().contains("once"));
    let late = open_address(&driver, &link).await;
    late.wait_text("[role=alert]", "has been used")
        .await
        .unwrap();
    close(late).await;

    // Whose credential goes is out.
    let path = replica.folder.path().join("credentials.toml");
    std::fs::write(&path, credential("AKIDother", "other", "")).unwrap();
    newcomer
        .wait_text(".login-box", "Your session has ended")
        .await
        .unwrap();
    close(newcomer).await;
    replica.stop().await;
}

#[actix::test]
async fn a_hostile_message_is_shown_as_text() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded().await;
    let page = page_of_sent(&replica, json!({"Body": HOSTILE, "Key": HOSTILE})).await;
    let browser = signed_in(&driver, &replica, &page).await;
    for css in ["#key-panel pre", "#value-panel pre"] {
        browser
            .wait_text(css, "<script>window.hacked=1</script>")
            .await
            .unwrap();
        browser.wait_text(css, "{{7*7}} </pre></td>").await.unwrap();
        let shown = browser.text(css).await.unwrap();
        assert!(shown.contains("\u{241b}[31mred"), "{shown}");
        assert!(shown.contains("U+202E"), "{shown}");
        assert!(
            !shown.contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{shown:?}"
        );
    }
    browser
        .visit(&format!(
            "http://{}/messages?mode=latest&topic=quickstart",
            replica.running.admin
        ))
        .await
        .unwrap();
    browser.wait_text("tbody", "<script>").await.unwrap();
    let hacked = browser
        .run("return window.hacked ?? null", json!([]))
        .await
        .unwrap();
    assert_eq!(hacked, json!(null));
    close(browser).await;
    replica.stop().await;
}

#[actix::test]
async fn two_browsers_see_the_same_within_two_seconds() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded().await;
    let one = signed_in(&driver, &replica, "/tasks").await;
    let other = signed_in(&driver, &replica, "/tasks").await;
    let details = signed_in(&driver, &replica, "/tasks/task-forebay0").await;
    other.wait_text("tbody", "Running").await.unwrap();
    details.wait_text(".page-head", "Running").await.unwrap();
    // The time is taken in the pages, where no driver is in between.
    let note = "window.seen = new Promise((seen) => { const look = () => \
        document.querySelector(arguments[0])?.innerText.includes('Paused') ? seen(Date.now()) : setTimeout(look, 20); look(); });";
    other.run(note, json!(["tbody"])).await.unwrap();
    details.run(note, json!([".page-head"])).await.unwrap();
    one.run(
        "const button = document.querySelector(\"button[aria-label='Pause quickstart']\"); \
         window.clicked = Date.now(); button.click();",
        json!([]),
    )
    .await
    .unwrap();
    let clicked = one.run("return window.clicked", json!([])).await.unwrap();
    one.wait_text(".toast", "Task paused").await.unwrap();
    for browser in [&other, &details] {
        let seen = browser
            .run_async("return await window.seen", json!([]))
            .await
            .unwrap();
        let took = seen.as_i64().unwrap() - clicked.as_i64().unwrap();
        // 2 s are promised on a machine that has the time.
        assert!(took < 20_000, "seen after {took} ms");
    }
    for browser in [one, other, details] {
        close(browser).await;
    }
    replica.stop().await;
}

#[actix::test]
async fn a_server_that_is_away_is_said_and_found_again() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let replica = Replica::start_embedded().await;
    let browser = signed_in(&driver, &replica, "/tasks").await;
    browser.wait_text("tbody", "quickstart").await.unwrap();
    let cut =
        "window.real = window.fetch; window.fetch = () => Promise.reject(new TypeError('gone'))";
    browser.run(cut, json!([])).await.unwrap();
    browser.wait_text(".away", "does not answer").await.unwrap();
    browser.wait_text("tbody", "quickstart").await.unwrap();
    browser
        .run("window.fetch = window.real", json!([]))
        .await
        .unwrap();
    browser
        .wait_for("!document.querySelector('.away')")
        .await
        .unwrap();
    close(browser).await;
    replica.stop().await;
}

#[actix::test]
async fn over_tls_and_http2() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pair = files(folder.path());
    Ca::new().write(&pair, "first", 30);
    let replica = Replica::start_embedded_in(folder, |config| {
        config.http.tls = Some(pair.clone());
        config.admin.tls = Some(pair);
    })
    .await;
    let link = replica.running.one_time_link().unwrap();
    assert!(link.starts_with("https://"), "{link}");
    let browser = open_address(&driver, &link).await;
    browser
        .click("button[aria-label='Pause quickstart']")
        .await
        .unwrap();
    browser
        .wait_text(".toasts [role=status]", "Task paused")
        .await
        .unwrap();
    let protocol = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";
    assert_eq!(browser.run(protocol, json!([])).await.unwrap(), "h2");
    browser.click("nav a[href='/system']").await.unwrap();
    browser.wait_text("main", "expires in").await.unwrap();
    browser
        .visit(&link.replace("/login", "/tasks/task-forebay0"))
        .await
        .unwrap();
    browser.wait_text(".facts-copy", "https://").await.unwrap();
    close(browser).await;
    replica.stop().await;
}
