//! The programs in `docs/` run as they are written there: against a service that
//! was just started for the first time, and against one that has bad days.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;
mod scripted_server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use forebay_api::MessageId;
use forebay_testkit::{Sdk, SdkHome, WireClient, free_port, programs_or_skip, sdk_or_skip};
use harness::{Replica, now, signed_head, with_body};
use scripted_server::{Reply, ScriptedServer};
use serde_json::Value;

/// The messages of every page: key and body.
const MESSAGES: [(Option<&str>, &str); 2] =
    [(Some("customer-1"), "one coffee"), (None, "no key: 没有键")];
const QUICKSTART_PARTITIONS: i32 = 4;

macro_rules! each_page {
    ($($name:ident: $sdk:ident)*) => {$(
        mod $name {
            #[actix_web::test]
            async fn works_as_written() {
                if let Some(page) = super::Page::of(super::Sdk::$sdk) {
                    super::works_as_written(&page).await;
                }
            }

            #[tokio::test]
            async fn sends_again_only_what_is_not_stored() {
                if let Some(page) = super::Page::of(super::Sdk::$sdk) {
                    super::sends_again_only_what_is_not_stored(&page).await;
                }
            }
        }
    )*};
}

each_page! {
    python: Python
    node: Node
    java: Java
    java_of_the_guide: JavaOfTheGuide
    go: Go
}

#[actix_web::test]
async fn curl_works_as_written() {
    let programs = [
        ("bash", "--version"),
        ("curl", "--version"),
        ("openssl", "version"),
    ];
    if !programs_or_skip(&programs) {
        return;
    }
    let page = Page::new("curl.md", "bash", "send.sh", None);
    let first = FirstRun::start(&page).await;
    let (success, answer) = first.run(&page).await;
    assert!(success, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let ids = answer["Response"]["MessageId"].as_array().unwrap();
    let ids: Vec<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    first.assert_stored(&ids).await;

    first.pause().await;
    let (_, answer) = first.run(&page).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["Response"]["Error"]["Code"], "FailedOperation");
    first.replica.stop().await;
}

/// A page of `docs/`, its program saved in a folder of its own.
struct Page {
    text: String,
    folder: tempfile::TempDir,
    program: PathBuf,
    sdk: Option<SdkHome>,
}

impl Page {
    fn of(sdk: Sdk) -> Option<Self> {
        let home = sdk_or_skip(sdk)?;
        let (page, language, file, pinned) = match sdk {
            Sdk::Python => (
                "sdk-python.md",
                "python",
                "send.py",
                "python/requirements.txt",
            ),
            Sdk::Node => ("sdk-node.md", "js", "send.js", "node/package.json"),
            Sdk::Java | Sdk::JavaOfTheGuide => ("sdk-java.md", "java", "Send.java", "java/pom.xml"),
            Sdk::Go => ("sdk-go.md", "go", "main.go", "go/go.mod"),
        };
        let page = Self::new(page, language, file, Some(home));
        let pinned = std::fs::read_to_string(root().join("tests/sdk").join(pinned)).unwrap();
        page.assert_names_a_version_of(&pinned);
        if sdk == Sdk::JavaOfTheGuide {
            page.adapt_to_the_guide();
        }
        Some(page)
    }

    fn new(page: &str, language: &str, file: &str, sdk: Option<SdkHome>) -> Self {
        let text = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(file);
        let source = block(&text, language, "").expect("the page has a program");
        std::fs::write(&program, source).unwrap();
        Self {
            text,
            folder,
            program,
            sdk,
        }
    }

    /// The page says what it was tried with, which is what it is tried with here.
    fn assert_names_a_version_of(&self, pinned: &str) {
        let line = self
            .text
            .split("\n\n")
            .find(|text| text.starts_with("Tried with"));
        let word = |c: char| !(c.is_ascii_digit() || c == '.');
        let mut versions = line
            .expect("the page says what it was tried with")
            .split(word)
            .map(|version| version.trim_matches('.'))
            .filter(|version| version.matches('.').count() == 2)
            .peekable();
        assert!(versions.peek().is_some(), "no version in: {line:?}");
        for version in versions {
            assert!(pinned.contains(version), "{version} is not what is tested");
        }
    }

    /// What the page says about 3.1.430: without the HTTP client of one's own.
    fn adapt_to_the_guide(&self) {
        let source = std::fs::read_to_string(&self.program).unwrap();
        let source = source.replace("import okhttp3.OkHttpClient;\n", "");
        let call = source.find("http.setHttpClient(").unwrap();
        let end = call + source[call..].find(';').unwrap() + 1;
        let source = [&source[..call], &source[end..]].concat();
        std::fs::write(&self.program, source).unwrap();
    }

    fn command(&self) -> Command {
        match &self.sdk {
            Some(sdk) => sdk.program(&self.program).unwrap(),
            None => {
                let mut command = Command::new("bash");
                command.arg(&self.program);
                command
            }
        }
    }

    /// Runs the program to its end: whether it went well, and what it printed.
    async fn run(&self, endpoint: SocketAddr, id: &str, key: &str) -> (bool, String) {
        let mut command = self.command();
        command
            .env("DATAHUB_ENDPOINT", endpoint.to_string())
            .env("TENCENTCLOUD_SECRET_ID", id)
            .env("TENCENTCLOUD_SECRET_KEY", key);
        let Output {
            status,
            stdout,
            stderr,
        } = output(command).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        match status.success() {
            true => (true, text(stdout)),
            false => (false, text(stdout) + &text(stderr)),
        }
    }
}

fn root() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate lies two folders below the workspace")
}

/// The first block of code in `language` that has `with` in it.
fn block<'a>(page: &'a str, language: &str, with: &str) -> Option<&'a str> {
    let fence = format!("\n```{language}\n");
    page.match_indices(&fence).find_map(|(start, _)| {
        let code = &page[start + fence.len()..];
        let code = &code[..code.find("\n```")? + 1];
        code.contains(with).then_some(code)
    })
}

async fn output(mut command: Command) -> Output {
    let run = move || command.stdin(std::process::Stdio::null()).output();
    tokio::task::spawn_blocking(run).await.unwrap().unwrap()
}

/// A service in a new data directory, and the credentials that it made, as the
/// page says to take them.
struct FirstRun {
    replica: Replica,
    kafka: SocketAddr,
    id: String,
    key: String,
}

impl FirstRun {
    async fn start(page: &Page) -> Self {
        let kafka = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let folder = page.folder.path();
        let data = tempfile::tempdir_in(folder).unwrap();
        let link = folder.join("forebay-data");
        std::os::unix::fs::symlink(data.path(), link).unwrap();
        let replica = Replica::start_embedded_in(data, |config| {
            config.broker.listen = kafka;
            // The default: made by the service itself.
            let given = config.auth.credentials.take().unwrap();
            std::fs::remove_file(given).unwrap();
        })
        .await;
        replica.await_ready().await;

        let export = block(&page.text, "sh", "TENCENTCLOUD_SECRET_ID").unwrap();
        let mut command = Command::new("sh");
        let print = "printf '%s %s' \"$TENCENTCLOUD_SECRET_ID\" \"$TENCENTCLOUD_SECRET_KEY\"";
        command
            .current_dir(folder)
            .arg("-c")
            .arg(format!("{export}{print}"));
        let printed = String::from_utf8(output(command).await.stdout).unwrap();
        let (id, key) = printed.split_once(' ').unwrap();
        assert!(id.starts_with("AKID") && !key.is_empty(), "{printed}");
        let (id, key) = (id.to_owned(), key.to_owned());
        Self {
            replica,
            kafka,
            id,
            key,
        }
    }

    async fn run(&self, page: &Page) -> (bool, String) {
        page.run(self.replica.running.api, &self.id, &self.key)
            .await
    }

    async fn pause(&self) {
        let body = br#"{"TaskId":"task-forebay0"}"#;
        let head = signed_head("PauseDatahubTask", body, now(), &self.id, &self.key);
        let answer = self.replica.send(&with_body(head, body)).await;
        assert!(answer.response()["Error"].is_null(), "{}", answer.text());
    }

    async fn assert_stored(&self, ids: &[&str]) {
        assert_eq!(ids.len(), MESSAGES.len());
        let mut client = WireClient::connect(self.kafka).await.unwrap();
        let mut stored = Vec::new();
        for partition in 0..QUICKSTART_PARTITIONS {
            stored.extend(
                client
                    .read_partition("quickstart", partition, 0)
                    .await
                    .unwrap(),
            );
        }
        assert_eq!(stored.len(), ids.len());
        for (id, (key, body)) in ids.iter().zip(MESSAGES) {
            let id: MessageId = id.parse().unwrap();
            assert_eq!(id.datahub_id, "datahub-forebay0");
            let record = stored
                .iter()
                .find(|record| (record.partition, record.offset) == (id.partition, id.offset))
                .unwrap_or_else(|| panic!("nothing at {id}"));
            assert_eq!(record.key.as_deref(), key.map(str::as_bytes));
            assert_eq!(record.value.as_deref(), Some(body.as_bytes()));
        }
    }
}

async fn works_as_written(page: &Page) {
    let first = FirstRun::start(page).await;
    let (success, printed) = first.run(page).await;
    assert!(success, "{printed}");
    let ids: Vec<_> = printed.lines().collect();
    first.assert_stored(&ids).await;

    first.pause().await;
    let (success, printed) = first.run(page).await;
    assert!(!success, "{printed}");
    let suspended = "task status suspended [datahub-forebay0]";
    assert!(
        printed.contains("FailedOperation") && printed.contains(suspended),
        "{printed}"
    );
    first.replica.stop().await;
}

const NOT_STORED: Reply = Reply::Error("ResourceUnavailable.KafkaStorageError", "not stored: x");
const BUSY: Reply = Reply::Error("RequestLimitExceeded", "over the task's QpsLimit");
const PARTLY: Reply = Reply::Error(
    "FailedOperation",
    r#"partly stored: {"stored":{"1":"id-1"},"not_stored":[0],"unknown":[]}"#,
);
const PARTLY_UNKNOWN: Reply = Reply::Error(
    "FailedOperation",
    r#"partly stored: {"stored":{"1":"id-1"},"not_stored":[],"unknown":[0]}"#,
);
const UNKNOWN: Reply = Reply::Error("FailedOperation", "delivery unknown: no answer in time");
const SENT: Reply = Reply::Sent(&["id-0", "id-1"]);
const REST_SENT: Reply = Reply::Sent(&["id-0"]);

async fn sends_again_only_what_is_not_stored(page: &Page) {
    let all = MESSAGES.map(|(_, body)| body);
    let first = [MESSAGES[0].1];

    let play = async |replies: &'static [Reply]| {
        let server = ScriptedServer::start(replies).await;
        let (success, printed) = page.run(server.address(), "AKIDany", "any").await;
        (success, printed, server.bodies())
    };

    let (success, printed, sent) = play(&[NOT_STORED, BUSY, SENT]).await;
    assert!(success, "{printed}");
    assert_eq!(printed.trim(), "id-0\nid-1");
    assert_eq!(sent, [&all[..], &all, &all]);

    // What is left is known by another index than at first.
    let (success, printed, sent) = play(&[PARTLY, NOT_STORED, REST_SENT]).await;
    assert!(success, "{printed}");
    assert_eq!(printed.trim(), "id-0\nid-1");
    assert_eq!(sent, [&all[..], &first, &first]);

    let (success, printed, sent) = play(&[PARTLY_UNKNOWN, SENT]).await;
    assert!(!success && printed.contains("id-1"), "{printed}");
    assert_eq!(sent, [&all[..]]);

    let (success, printed, sent) = play(&[NOT_STORED, UNKNOWN, SENT]).await;
    assert!(
        !success && printed.contains("delivery unknown"),
        "{printed}"
    );
    assert_eq!(sent, [&all[..], &all]);

    // The second request goes over the connection of the first, which ends
    // without an answer.
    let (success, printed, sent) = play(&[NOT_STORED, Reply::HangUp, SENT]).await;
    if page.resends_by_itself() {
        assert_eq!(
            sent.len(),
            3,
            "3.1.430 no longer resends: tell so in docs/sdk-java.md"
        );
        return;
    }
    assert!(!success, "{printed}");
    assert_eq!(sent, [&all[..], &all]);
}

impl Page {
    /// `okhttp` of Java's 3.1.430 cannot be told not to.
    fn resends_by_itself(&self) -> bool {
        self.sdk
            .as_ref()
            .is_some_and(|home| home.sdk() == Sdk::JavaOfTheGuide)
    }
}
