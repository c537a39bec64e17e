//! A replica in this process, and a client that sends exactly what it is told.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part of the harness"
)]

mod client;
pub mod console_visitor;
pub mod https;
pub mod load;
pub mod process;
pub mod signing;

use std::time::Duration;

use forebay::Running;
use forebay::config::{Config, InstanceConfig};
use forebay_api::tc3::{RequestToSign, Signer};
use forebay_engine::clock::unix_millis;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use client::{Answer, Client};

/// What requests are signed for.
pub const HOST: &str = "forebay.test";

pub const SECRET_ID: &str = "AKIDtest";
pub const SECRET_KEY: &str = "test-key";

/// Generous: a limit for what hangs, not a measure of what is fast.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Nobody listens on port 1: a Kafka that is down.
pub const NO_KAFKA: &str = "127.0.0.1:1";

pub struct Replica {
    pub running: Running,
    pub folder: TempDir,
}

/// A configuration for tests: ports of the system's choice, one credential.
pub fn config(folder: &TempDir, brokers: &[String]) -> Config {
    let mut config = Config {
        data_dir: folder.path().to_owned(),
        ..Config::default()
    };
    config.http.listen.set_port(0);
    config.admin.listen.set_port(0);
    config.shutdown.drain_delay = Duration::ZERO;
    config.instances = vec![InstanceConfig::plain("ckafka-forebay0", brokers.to_vec())];
    let path = folder.path().join("credentials.toml");
    std::fs::write(&path, credential(SECRET_ID, SECRET_KEY, "")).unwrap();
    config.auth.credentials = Some(path);
    config
}

pub fn credential(id: &str, key: &str, more: &str) -> String {
    format!("[[credential]]\nsecret_id = \"{id}\"\nsecret_key = \"{key}\"\n{more}\n")
}

impl Replica {
    /// Against a Kafka that is down.
    pub async fn start(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(&[NO_KAFKA.to_owned()], change).await
    }

    pub async fn start_on(brokers: &[String], change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder, brokers);
        change(&mut config);
        let running = forebay::start(config).await.unwrap();
        Self { running, folder }
    }

    /// With its embedded broker, in a new data directory.
    pub async fn start_embedded() -> Self {
        Self::start_embedded_in(tempfile::tempdir().unwrap(), |_| {}).await
    }

    /// With its embedded broker, in a data directory that may have been used.
    pub async fn start_embedded_in(folder: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(&folder, &[]);
        config.instances.clear();
        change(&mut config);
        let running = forebay::start(config).await.unwrap();
        Self { running, folder }
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.running.api).await
    }

    /// One signed request on a connection of its own.
    pub async fn call(&self, action: &str, body: &str) -> Answer {
        self.send(&signed(action, body.as_bytes())).await
    }

    /// One request, byte by byte as given, on a connection of its own.
    pub async fn send(&self, request: &[u8]) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    pub async fn admin(&self, path: &str) -> Answer {
        let mut client = Client::connect(self.running.admin).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\n\r\n");
        client.send(request.as_bytes()).await;
        client.answer().await
    }

    /// The value of a metric's series, as `/metrics` shows it.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.admin("/metrics").await.text();
        text.lines()
            .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }
}

pub fn now() -> i64 {
    unix_millis() / 1000
}

/// The head of a signed request, without its end, and the length of its body
/// left to the caller.
pub fn signed_head(action: &str, body: &[u8], timestamp: i64, id: &str, key: &str) -> String {
    let headers = signed_headers(HOST, action, body, timestamp, id, key);
    let mut head = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head
}

/// The headers of a signed request, Host among them.
pub fn signed_headers(
    host: &str,
    action: &str,
    body: &[u8],
    timestamp: i64,
    id: &str,
    key: &str,
) -> Vec<(&'static str, String)> {
    Signer::new(id, key).sign(&RequestToSign {
        host,
        action,
        body,
        timestamp,
    })
}

/// A complete signed request.
pub fn signed(action: &str, body: &[u8]) -> Vec<u8> {
    with_body(
        signed_head(action, body, now(), SECRET_ID, SECRET_KEY),
        body,
    )
}

/// `head` with Content-Length and `body`.
pub fn with_body(head: String, body: &[u8]) -> Vec<u8> {
    let mut request = head.into_bytes();
    request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body);
    request
}

/// `head` with the body in chunks of `size`.
pub fn with_chunks(head: String, body: &[u8], size: usize) -> Vec<u8> {
    let mut request = head.into_bytes();
    request.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    for chunk in body.chunks(size) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

/// SendMessage with one message.
pub fn one_message(datahub: &str) -> String {
    format!(r#"{{"DataHubId":"{datahub}","Message":[{{"Body":"hello","Key":"k"}}]}}"#)
}

impl Replica {
    /// Waits until `/readyz` says yes.
    pub async fn await_ready(&self) {
        let until = std::time::Instant::now() + LIMIT * 2;
        loop {
            let answer = self.admin("/readyz").await;
            if answer.status == 200 {
                return;
            }
            assert!(
                std::time::Instant::now() < until,
                "not ready: {}",
                answer.text()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Creates a task that writes to `topic`; its (TaskId, DatahubId).
    pub async fn create_task(&self, name: &str, topic: &str) -> (String, String) {
        self.create_task_with(name, topic, &json!({})).await
    }

    /// The same, with more fields of KafkaParam.
    pub async fn create_task_with(
        &self,
        name: &str,
        topic: &str,
        more: &Value,
    ) -> (String, String) {
        let task = new_task_with(name, topic, more);
        let response = self.call("CreateDatahubTask", &task).await.response();
        let text = |field: &str| {
            let value = response["Result"][field].as_str();
            value
                .unwrap_or_else(|| panic!("no task: {response}"))
                .to_owned()
        };
        (text("TaskId"), text("DatahubId"))
    }
}

/// CreateDatahubTask from HTTP to a topic of the default instance.
pub fn new_task(name: &str, topic: &str) -> String {
    new_task_with(name, topic, &json!({}))
}

/// The same, with more fields of KafkaParam.
pub fn new_task_with(name: &str, topic: &str, more: &Value) -> String {
    let mut kafka = json!({
        "SelfBuilt": false, "Resource": "ckafka-forebay0", "Topic": topic
    });
    let fields = more.as_object().unwrap().clone();
    kafka.as_object_mut().unwrap().extend(fields);
    json!({
        "TaskName": name,
        "TaskType": "SOURCE",
        "SourceResource": {"Type": "HTTP"},
        "TargetResource": {"Type": "KAFKA", "KafkaParam": kafka},
    })
    .to_string()
}
