//! What protects a replica: memory, connections, slow bodies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::{Duration, Instant};

use forebay::config::{ByteRate, ByteSize};
use forebay_testkit::{KafkaCluster, Mode, Options, await_condition, kafka_or_skip};
use futures_util::future::join_all;
use harness::process::Forebay;
use harness::{
    Client, LIMIT, Replica, SECRET_ID, SECRET_KEY, credential, new_task_with, now, one_message,
    signed, signed_head, with_chunks,
};
use serde_json::json;

/// A signed head that promises `length` bytes of body.
fn promising(length: usize) -> Vec<u8> {
    let head = signed_head("SendMessage", b"", now(), SECRET_ID, SECRET_KEY);
    (head + &format!("Content-Length: {length}\r\n\r\n")).into_bytes()
}

async fn in_flight_request(replica: &Replica, length: usize) -> Client {
    let mut client = replica.connect().await;
    client.send(&promising(length)).await;
    client.send(b"{").await;
    client
}

#[actix_web::test]
async fn the_memory_limit_refuses_before_a_body_is_read() {
    let replica = Replica::start(|config| {
        config.delivery.memory_limit = ByteSize(16 << 20);
    })
    .await;
    let mut big = in_flight_request(&replica, 10 << 20).await;
    let body = vec![b' '; 8 << 20];
    let small = one_message("x");
    // The first one's reservation is made when its head is read.
    await_condition(LIMIT, "the second large request is refused", async || {
        let answer = replica.send(&signed("SendMessage", &body)).await;
        answer.error().0 == "RequestLimitExceeded"
    })
    .await
    .unwrap();
    let head = signed_head("SendMessage", &body, now(), SECRET_ID, SECRET_KEY);
    let (code, message) = replica
        .send(&with_chunks(head, &body, 65_536))
        .await
        .error();
    assert_eq!(code, "RequestLimitExceeded", "chunked bodies too");
    assert!(message.contains("16777216"), "names the limit: {message}");
    // What is small still fits, and what was reserved is given back.
    assert_eq!(
        replica.call("SendMessage", &small).await.error().0,
        "ResourceNotFound"
    );
    let rest = vec![b' '; (10 << 20) - 1];
    big.send(&rest).await;
    assert_eq!(big.answer().await.error().0, "AuthFailure.SignatureFailure");
    let answer = replica.send(&signed("SendMessage", &body)).await;
    assert_eq!(answer.error().0, "InvalidParameter");
    replica.stop().await;
}

#[actix_web::test]
async fn a_client_that_leaves_gives_its_memory_back() {
    let replica = Replica::start(|config| {
        config.delivery.memory_limit = ByteSize(16 << 20);
    })
    .await;
    let body = vec![b' '; 8 << 20];
    let gone = in_flight_request(&replica, 10 << 20).await;
    drop(gone);
    await_condition(LIMIT, "the memory is free again", async || {
        let answer = replica.send(&signed("SendMessage", &body)).await;
        answer.error().0 == "InvalidParameter"
    })
    .await
    .unwrap();
    replica.stop().await;
}

#[actix_web::test]
async fn lists_count_against_the_memory_limit_and_changes_are_answered() {
    let limit = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::start_embedded_in(folder, |config| {
        config.delivery.memory_limit = ByteSize(limit);
        // The request that takes the memory may take its time.
        config.http.min_body_rate = ByteRate(0);
        config.http.body_timeout = 5 * LIMIT;
    })
    .await;
    replica.await_ready().await;
    for index in 0..20 {
        let task = harness::new_task(&format!("task-{index}"), "quickstart");
        let mut task: serde_json::Value = serde_json::from_str(&task).unwrap();
        task["Description"] = "d".repeat(4096).into();
        let task = task.to_string();
        let created = replica.call("CreateDatahubTask", &task).await.response();
        assert_eq!(created.get("Error"), None);
    }
    // More in all than the limit: what was sent is given back.
    let page = replica.call("DescribeDatahubTasks", "{}").await;
    let len = page.body.len();
    assert!(len > 80_000, "{len}");
    for _ in 0..(2 * limit as usize / len) {
        let page = replica.call("DescribeDatahubTasks", "{}").await.response();
        assert_eq!(page.get("Error"), None);
    }

    let rest = 32 * 1024;
    let mut large = in_flight_request(&replica, limit as usize - rest).await;
    await_condition(LIMIT, "a list has no room", async || {
        // The last page's memory is given back a moment after it was read here:
        // until then there is no room for the large request.
        if !large.silent(Duration::from_millis(20)).await {
            large = in_flight_request(&replica, limit as usize - rest).await;
        }
        let page = replica.call("DescribeDatahubTasks", "{}").await.response();
        page["Error"]["Code"] == "RequestLimitExceeded"
    })
    .await
    .unwrap();
    for (action, body) in [
        ("DescribeDatahubTasks", r#"{"Limit":1}"#),
        ("DescribeDatahubTask", r#"{"TaskId":"task-forebay0"}"#),
        ("PauseDatahubTask", r#"{"TaskId":"task-forebay0"}"#),
    ] {
        let answer = replica.call(action, body).await.response();
        assert_eq!(answer.get("Error"), None, "{action}");
    }
    drop(large);
    replica.stop().await;
}

#[actix_web::test]
async fn connections_over_the_limit_are_closed_at_accept() {
    let replica = Replica::start(|config| config.http.max_connections = 3).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut client = replica.connect().await;
        client.send(&signed("SendMessage", b"{}")).await;
        client.answer().await;
        kept.push(client);
    }
    let mut refused = replica.connect().await;
    assert!(refused.closed().await);
    // Those inside are served on, and a place that is left is taken.
    kept[0].send(&signed("SendMessage", b"{}")).await;
    assert_eq!(kept[0].answer().await.error().0, "MissingParameter");
    kept.pop();
    await_condition(LIMIT, "the free place is taken", async || {
        let mut client = replica.connect().await;
        client.silent(Duration::from_millis(200)).await
    })
    .await
    .unwrap();
    replica.stop().await;
}

#[actix_web::test]
async fn slow_bodies_are_cut() {
    let replica = Replica::start(|config| {
        config.http.body_timeout = Duration::from_secs(1);
        config.http.min_body_rate = ByteRate(0);
    })
    .await;
    let started = Instant::now();
    let mut client = in_flight_request(&replica, 1000).await;
    let answer = client.answer().await;
    let (code, message) = answer.error();
    assert_eq!(code, "InvalidParameter", "{message}");
    assert!(message.contains("was cut: 1 bytes"), "{message}");
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.closed().await);
    replica.stop().await;
}

#[actix_web::test]
async fn heads_that_never_end_are_cut() {
    let replica = Replica::start(|_| {}).await;
    let mut client = replica.connect().await;
    client.send(b"POST / HTTP/1.1\r\nHost: h\r\n").await;
    assert_eq!(client.answer().await.status, 408);
    replica.stop().await;
}

#[actix_web::test]
async fn metrics_count_what_happened() {
    let replica = Replica::start(|_| {}).await;
    let series = "forebay_requests_total{action=\"DescribeDatahubTask\",code=\"MissingParameter\"}";
    let before = replica.metric(series).await.unwrap_or(0.0);
    for _ in 0..3 {
        replica.call("DescribeDatahubTask", "{}").await;
    }
    let after = replica.metric(series).await.unwrap();
    assert_eq!(after - before, 3.0);
    // Of the first upkeep, which runs beside the start.
    let limit = Instant::now() + Duration::from_secs(60);
    while replica.metric("forebay_panics_total").await != Some(0.0) {
        assert!(Instant::now() < limit, "panics are never counted");
    }
    let answer = replica.admin("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4")
    );
    let text = answer.text();
    for line in [
        "# TYPE forebay_request_seconds histogram",
        "# TYPE forebay_connections gauge",
        "forebay_build_info{version=",
        "forebay_stage_seconds_count{stage=\"auth\"}",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    replica.stop().await;
}

/// The most memory that a process has had resident, in bytes.
fn most_resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches("kB").trim();
    kib.parse::<usize>().unwrap() * 1024
}

/// What the permits count is what the process takes: seen from outside, with
/// several times the limit offered while Kafka is silent.
#[actix_web::test]
async fn the_memory_limit_bounds_the_process() {
    const LIMIT_BYTES: usize = 64 << 20;
    const OFFERS: usize = 160;
    let Some(home) = kafka_or_skip() else { return };
    let options = Options::one_node().proxied();
    let cluster = KafkaCluster::start(&home, options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let users = credential(SECRET_ID, SECRET_KEY, "");
    std::fs::write(folder.path().join("users.toml"), users).unwrap();
    let settings = format!("[delivery]\ndeadline = \"5s\"\nmemory_limit = {LIMIT_BYTES}\n");
    std::fs::write(folder.path().join("forebay.toml"), settings).unwrap();
    let bootstrap = cluster.bootstrap().join(",");
    let arguments = ["--config", "forebay.toml", "--credentials", "users.toml"];
    let arguments = [&arguments[..], &["--brokers", &bootstrap]].concat();
    let forebay = Forebay::start(folder.path(), &arguments);
    let make = json!({"UseAutoCreateTopic": true, "PartitionNum": 4});
    let mut datahub = None;
    await_condition(LIMIT, "a task", async || {
        let made = forebay.call("CreateDatahubTask", &new_task_with("m", "m", &make));
        datahub = made["Result"]["DatahubId"].as_str().map(str::to_owned);
        datahub.is_some()
    })
    .await
    .unwrap();
    let value = "x".repeat(900 << 10);
    let messages: Vec<_> = (0..4).map(|_| json!({"Body": &value})).collect();
    let body = json!({"DataHubId": datahub, "Message": messages}).to_string();
    let request = signed("SendMessage", body.as_bytes());
    let call = async |request: &[u8]| {
        let mut client = Client::connect(forebay.api).await;
        client.send(request).await;
        client.answer().await.response()
    };
    let warm = call(&request).await;
    assert!(warm["Error"].is_null(), "{warm}");
    let before = most_resident(forebay.pid());

    cluster.proxy(0).set_mode(Mode::HoldResponses);
    let answers = join_all((0..OFFERS).map(|_| call(&request))).await;
    let count = |code: &str| {
        let codes = answers
            .iter()
            .map(|answer| answer["Error"]["Code"].as_str());
        codes.filter(|found| *found == Some(code)).count()
    };
    let shed = count("RequestLimitExceeded");
    let taken = OFFERS - shed;
    assert!(shed > OFFERS / 2 && taken > 0, "{shed} of {OFFERS} refused");
    let grown = most_resident(forebay.pid()) - before;
    println!("{taken} of {OFFERS} taken, {} MiB more", grown >> 20);
    // The body, its records in batches, and what a frame adds.
    assert!(grown < 3 * LIMIT_BYTES, "{} MiB more", grown >> 20);
    cluster.proxy(0).set_mode(Mode::Pass);
    await_condition(LIMIT, "messages are taken again", async || {
        call(&request).await["Error"].is_null()
    })
    .await
    .unwrap();
    forebay.stop();
}
