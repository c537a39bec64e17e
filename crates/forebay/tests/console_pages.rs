//! Every page of the console, narrow and wide, light and dark: nothing runs out
//! of the window, nothing keeps anybody from using it, nothing is heavy.
//!
//! With `FOREBAY_SCREENSHOTS=<folder>` it takes the pictures of `docs/console`;
//! see `tests/console/screenshots.sh`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "light findings are shown, not failed")]

mod harness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use forebay_testkit::{Axe, Browser, axe_or_skip, browser_or_skip};
use harness::console_visitor::{sign_in, visit};
use harness::{Client, Replica, SECRET_KEY, one_message, signed};
use serde_json::json;

/// What axe-core calls findings that keep people out.
const GRAVE: [&str; 2] = ["critical", "serious"];

/// Load before the pictures, so that charts have something to show.
const LOAD: Duration = Duration::from_secs(240);

struct Look {
    width: u32,
    height: u32,
    scheme: &'static str,
}

const LOOKS: [Look; 4] = [
    Look {
        width: 1920,
        height: 1080,
        scheme: "light",
    },
    Look {
        width: 1920,
        height: 1080,
        scheme: "dark",
    },
    Look {
        width: 360,
        height: 740,
        scheme: "light",
    },
    Look {
        width: 360,
        height: 740,
        scheme: "dark",
    },
];

struct Inspection {
    browser: Browser,
    axe: Option<Axe>,
    pictures: Option<PathBuf>,
    findings: Vec<String>,
}

impl Inspection {
    /// Looks at what is there now, in all sizes and themes.
    async fn look(&mut self, name: &str) {
        for look in &LOOKS {
            let Look {
                width,
                height,
                scheme,
            } = *look;
            let at = format!("{name}, {width} px, {scheme}");
            self.browser.prefer(scheme).await.unwrap();
            self.browser.resize(width, height).await.unwrap();
            // Prompts come and go by themselves.
            let settled = "await new Promise((done) => setTimeout(done, 400)); return true;";
            self.browser.run_async(settled, json!([])).await.unwrap();
            let wide = "const { scrollWidth } = document.documentElement; return scrollWidth - innerWidth;";
            let wide = self.browser.run(wide, json!([])).await.unwrap();
            if wide.as_f64().unwrap() > 0.0 {
                self.findings.push(format!("{at}: {wide} px too wide"));
            }
            if let Some(axe) = &self.axe {
                let found = axe.findings(&self.browser).await.unwrap();
                let grave = |line: &String| GRAVE.iter().any(|weight| line.starts_with(weight));
                let (grave, light): (Vec<_>, Vec<_>) = found.into_iter().partition(grave);
                self.findings
                    .extend(grave.iter().map(|line| format!("{at}: {line}")));
                for line in light {
                    println!("not grave: {at}: {line}");
                }
            }
            if let Some(folder) = &self.pictures {
                // A dialog's backdrop is as large as the window.
                let whole = "return document.querySelector('dialog[open]') === null";
                let whole = self.browser.run(whole, json!([])).await.unwrap() == json!(true);
                let picture = self.browser.picture(whole).await.unwrap();
                std::fs::write(folder.join(format!("{name}-{width}-{scheme}.png")), picture)
                    .unwrap();
            }
        }
    }

    async fn visit(&mut self, replica: &Replica, path: &str, wait: &str) {
        visit(&self.browser, replica, path).await;
        self.browser.wait_for(wait).await.unwrap();
    }
}

fn shows(text: &str) -> String {
    format!("document.body.innerText.includes({})", json!(text))
}

/// Tasks as a small shop would have them; their (TaskId, DatahubId).
async fn furnish(replica: &Replica) -> Vec<(String, String)> {
    let mut access = Vec::new();
    for (name, topic) in [
        ("orders", "shop.orders"),
        ("page-views", "web.clicks"),
        ("sensor-readings", "plant.telemetry.line-4"),
        ("payments-audit", "shop.payments"),
    ] {
        let more = json!({"UseAutoCreateTopic": true, "PartitionNum": 6});
        access.push(replica.create_task_with(name, topic, &more).await);
    }
    let (task, datahub) = &access[3];
    let pause = json!({"TaskId": task}).to_string();
    replica.call("PauseDatahubTask", &pause).await.response();
    for _ in 0..5 {
        let refused = replica.call("SendMessage", &one_message(datahub)).await;
        assert_eq!(refused.error().0, "FailedOperation");
    }
    access
}

/// Sends in waves until it is aborted.
async fn keep_sending(api: SocketAddr, access: Vec<(String, String)>) {
    let began = Instant::now();
    let mut client = Client::connect(api).await;
    for number in 0_usize.. {
        let (_, datahub) = &access[[0, 0, 1, 1, 1, 2][number % 6]];
        let wave = 1 + (12.0 * (1.0 + (began.elapsed().as_secs_f64() / 19.0).sin())) as usize;
        let customer = |index: usize| format!("customer-{}", (number * 7 + index) % 90);
        let order = |index: usize| {
            let item = json!({"sku": "coffee-beans-1kg", "count": 1 + index % 3});
            json!({"order": 1_000_000_007 + number, "customer": customer(index),
                   "items": [item], "total_cents": 1890 + index})
        };
        let message = |index| json!({"Key": customer(index), "Body": order(index).to_string()});
        let messages: Vec<_> = (0..wave).map(message).collect();
        let body = json!({"DataHubId": datahub, "Message": messages}).to_string();
        client.send(&signed("SendMessage", body.as_bytes())).await;
        client.answer().await.response();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
}

#[actix::test]
async fn every_page_is_fit_to_be_shown() {
    let Some(driver) = browser_or_skip().unwrap() else {
        return;
    };
    let pictures = std::env::var_os("FOREBAY_SCREENSHOTS").map(PathBuf::from);
    let replica = Replica::start_embedded().await;
    let access = furnish(&replica).await;
    let (task, datahub) = access[0].clone();
    let sending = actix_rt::spawn(keep_sending(replica.running.api, access));
    if pictures.is_some() {
        tokio::time::sleep(LOAD).await;
    }
    let sent = replica.call("SendMessage", &one_message(&datahub)).await;
    let id = sent.response()["MessageId"][0].as_str().unwrap().to_owned();
    let partition = id.split(':').nth(2).unwrap().to_owned();
    let browser = driver.open(1920, 1080).await.unwrap();
    let mut page = Inspection {
        browser,
        axe: axe_or_skip().unwrap(),
        pictures,
        findings: Vec::new(),
    };

    page.visit(&replica, "/login", &shows("Sign in to Forebay"))
        .await;
    page.look("sign-in").await;
    sign_in(&page.browser, SECRET_KEY).await;
    page.browser
        .wait_for(&shows("payments-audit"))
        .await
        .unwrap();
    page.look("data-access").await;

    page.browser.resize(1920, 1080).await.unwrap();
    page.browser
        .click("button[aria-label='Pause sensor-readings']")
        .await
        .unwrap();
    page.browser
        .wait_text(".toast", "Task paused")
        .await
        .unwrap();
    page.browser.wait_for("!matchMedia('(max-width: 1px)').matches && !document.querySelector('.toast').getAnimations().length").await.unwrap();
    // Keeps the prompt where it is.
    page.browser
        .run("document.querySelector('.toast button').focus()", json!([]))
        .await
        .unwrap();
    page.look("data-access-paused").await;
    page.browser
        .click("button[aria-label='Delete orders']")
        .await
        .unwrap();
    page.look("delete").await;

    page.visit(
        &replica,
        "/tasks?search=nothing-fits",
        &shows("No task fits"),
    )
    .await;
    page.look("no-task").await;
    page.visit(&replica, "/new-task", &shows("Create task"))
        .await;
    page.browser.resize(1920, 1080).await.unwrap();
    page.browser
        .click("fieldset .segments button:nth-child(2)")
        .await
        .unwrap();
    page.browser.fill("#name", "9 lives").await.unwrap();
    page.browser.fill("#topic", "__internal").await.unwrap();
    page.browser
        .click("form button[type=submit]")
        .await
        .unwrap();
    page.browser.wait_for(&shows("are internal")).await.unwrap();
    page.look("new-task").await;

    page.visit(&replica, &format!("/tasks/{task}"), &shows("Next offset"))
        .await;
    page.browser.resize(1920, 1080).await.unwrap();
    page.browser
        .click("[aria-labelledby=send-title] button[type=submit]")
        .await
        .unwrap();
    page.browser.wait_for(&shows("Acknowledged")).await.unwrap();
    page.look("task-details").await;

    page.visit(
        &replica,
        &format!("/messages?mode=offset&topic=shop.orders&partition={partition}&offset=0"),
        &shows("customer-"),
    )
    .await;
    page.browser.resize(1920, 1080).await.unwrap();
    page.browser
        .click("tbody tr:nth-child(2) button")
        .await
        .unwrap();
    page.browser
        .wait_for("document.querySelector('.message')")
        .await
        .unwrap();
    page.look("querying-message").await;
    page.visit(
        &replica,
        &format!("/messages?mode=id&id={id}"),
        &shows("Received to sent"),
    )
    .await;
    page.look("message-by-id").await;
    page.visit(
        &replica,
        "/messages?mode=offset&topic=quickstart&partition=0&offset=99",
        &shows("No message to show"),
    )
    .await;
    page.look("no-message").await;
    page.visit(&replica, "/system", &shows("Reachable")).await;
    page.look("system").await;

    sending.abort();
    let findings = page.findings;
    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings.join("\n")
    );
    let log = page.browser.log().await.unwrap();
    assert!(
        log.iter()
            .all(|line| line.contains("Failed to load resource")),
        "{log:#?}"
    );
    replica.stop().await;
}
