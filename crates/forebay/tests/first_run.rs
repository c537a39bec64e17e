//! The first minutes of a newcomer, with a Rust toolchain and nothing else:
//! the embedded broker, the task that comes with it, and what a crash leaves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use forebay_testkit::await_condition;
use harness::process::Forebay;
use harness::{LIMIT, Replica, SECRET_ID, SECRET_KEY, credential, one_message};
use serde_json::{Value, json};

const QUICKSTART: &str = "datahub-forebay0";

fn ids(response: &Value) -> Vec<String> {
    let list = response["MessageId"].as_array();
    list.unwrap_or_else(|| panic!("not acknowledged: {response}"))
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect()
}

/// The message that a MessageId names, as the API's query gives it.
async fn message(replica: &Replica, id: &str) -> Value {
    let fields: Vec<&str> = id.split(':').collect();
    let number = |index: usize| fields[index].parse::<i64>().unwrap();
    let query = json!({
        "InstanceId": "ckafka-forebay0", "Topic": fields[1],
        "Partition": number(2), "Offset": number(3),
    });
    let answer = replica
        .call("FetchMessageByOffset", &query.to_string())
        .await;
    answer.response()["Result"].clone()
}

#[actix::test]
async fn a_message_goes_in_and_comes_out() {
    let replica = Replica::start_embedded().await;
    let answer = replica.admin("/readyz").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let task = replica.call("DescribeDatahubTask", r#"{"TaskId":"task-forebay0"}"#);
    let task = task.await.response();
    assert_eq!(task["Result"]["TaskName"], "quickstart", "{task}");
    assert_eq!(task["Result"]["DatahubId"], QUICKSTART);
    let sent = replica.call("SendMessage", &one_message(QUICKSTART)).await;
    let id = ids(&sent.response()).remove(0);
    assert!(id.starts_with("datahub-forebay0:quickstart:"), "{id}");
    let message = message(&replica, &id).await;
    assert_eq!(message["Value"], "hello", "{message}");
    assert_eq!(message["Key"], "k");
    // Set by the upkeep, which begins with the start.
    await_condition(LIMIT, "the disk's free space is shown", async || {
        let free = replica.metric("forebay_embedded_broker_disk_free_bytes");
        free.await.is_some_and(|bytes| bytes > 0.0)
    })
    .await
    .unwrap();
    replica.stop().await;
}

#[actix::test]
async fn a_deleted_quickstart_task_stays_deleted_and_the_rest_stays() {
    let replica = Replica::start_embedded().await;
    let (_, kept) = replica.create_task("kept", "quickstart").await;
    let sent = replica.call("SendMessage", &one_message(&kept)).await;
    let id = ids(&sent.response()).remove(0);
    let gone = replica.call("DeleteDatahubTask", r#"{"TaskId":"task-forebay0"}"#);
    assert!(gone.await.response().get("Error").is_none());
    let folder = replica.folder;
    replica.running.stop().await;

    let replica = Replica::start_embedded_in(folder, |_| {}).await;
    let refused = replica.call("SendMessage", &one_message(QUICKSTART)).await;
    assert_eq!(refused.error().0, "ResourceNotFound");
    let sent = replica.call("SendMessage", &one_message(&kept)).await;
    assert_eq!(ids(&sent.response()).len(), 1);
    assert_eq!(message(&replica, &id).await["Value"], "hello");
    replica.stop().await;
}

#[actix::test]
async fn a_first_start_that_was_cut_off_is_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    // As a kill between the broker's first files and the task would leave it.
    std::fs::create_dir(folder.path().join("broker")).unwrap();
    std::fs::write(folder.path().join("quickstart.pending"), "").unwrap();
    let replica = Replica::start_embedded_in(folder, |_| {}).await;
    let sent = replica.call("SendMessage", &one_message(QUICKSTART)).await;
    assert_eq!(ids(&sent.response()).len(), 1);
    assert!(!replica.folder.path().join("quickstart.pending").exists());
    replica.stop().await;
}

#[actix::test]
async fn two_processes_do_not_share_a_data_directory() {
    let replica = Replica::start_embedded().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = harness::config(&folder, &[]);
    config.instances.clear();
    config.data_dir = replica.folder.path().to_owned();
    let refused = forebay::start(config).await.err().unwrap().to_string();
    assert!(refused.contains("in use"), "{refused}");
    replica.stop().await;
}

/// What was acknowledged before `kill -9`, by MessageId.
fn acknowledged(forebay: &Forebay, rounds: usize) -> BTreeMap<String, String> {
    let mut stored = BTreeMap::new();
    for round in 0..rounds {
        let body = format!("message {round}");
        let request = json!({
            "DataHubId": QUICKSTART,
            "Message": [{"Body": body, "Key": round.to_string()}, {"Body": body}],
        });
        let response = forebay.call("SendMessage", &request.to_string());
        for id in ids(&response) {
            stored.insert(id, body.clone());
        }
    }
    stored
}

#[test]
fn messages_are_there_after_kill_9_and_a_new_start() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("mine.toml");
    std::fs::write(&credentials, credential(SECRET_ID, SECRET_KEY, "")).unwrap();
    let args = ["--credentials", "mine.toml"];
    let forebay = Forebay::start(folder.path(), &args);
    let stored = acknowledged(&forebay, 50);
    forebay.signal("-KILL");
    assert_eq!(forebay.await_end(), None);

    let forebay = Forebay::start(folder.path(), &args);
    assert_eq!(stored.len(), 100);
    for (id, body) in &stored {
        let fields: Vec<&str> = id.split(':').collect();
        let query = json!({
            "InstanceId": "ckafka-forebay0", "Topic": fields[1],
            "Partition": fields[2].parse::<i64>().unwrap(),
            "Offset": fields[3].parse::<i64>().unwrap(),
        });
        let response = forebay.call("FetchMessageByOffset", &query.to_string());
        assert_eq!(response["Result"]["Value"], **body, "{id}: {response}");
    }
    let more = acknowledged(&forebay, 1);
    assert!(more.keys().all(|id| !stored.contains_key(id)));
    forebay.stop();
}

#[test]
fn a_start_that_cannot_go_on_is_stopped_by_one_signal() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("mine.toml");
    std::fs::write(&credentials, credential(SECRET_ID, SECRET_KEY, "")).unwrap();
    let forebay = Forebay::start(folder.path(), &["--credentials", "mine.toml"]);
    forebay.call("DeleteDatahubTask", r#"{"TaskId": "task-forebay0"}"#);
    forebay.signal("-KILL");
    forebay.await_end();
    std::fs::write(folder.path().join("forebay-data/quickstart.pending"), "").unwrap();

    // No file may grow: to the broker that is a full disk, and the first task
    // cannot be made again.
    let command = format!(
        "trap '' XFSZ; ulimit -f 0; exec '{}' --credentials mine.toml \
         --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_forebay")
    );
    let mut child = Command::new("sh")
        .args(["-c", &command])
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = Arc::new(Mutex::new(String::new()));
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let writing = Arc::clone(&log);
    let reader = std::thread::spawn(move || {
        lines.for_each(|line| *writing.lock().unwrap() += &line.unwrap());
    });
    let is_stuck = || log.lock().unwrap().contains("cannot write to the data");
    let was_stuck = within_limit(|| is_stuck().then_some(())).is_some();
    let signalled = Command::new("kill").arg(child.id().to_string()).status();
    let ended = within_limit(|| child.try_wait().unwrap());
    child.kill().unwrap();
    reader.join().unwrap();
    let log = log.lock().unwrap();
    assert!(was_stuck && signalled.unwrap().success(), "{log}");
    assert!(log.contains("before the start was done"), "{log}");
    assert_eq!(ended.expect("it ends").code(), Some(0));
}

/// What `look` finds, or nothing within the limit.
fn within_limit<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + LIMIT;
    while Instant::now() < until {
        if let Some(found) = look() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}
