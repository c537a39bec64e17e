//! Starting without Kafka, and stopping: in process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use forebay_testkit::await_condition;
use harness::{LIMIT, Replica, SECRET_ID, SECRET_KEY, now, one_message, signed, signed_head};

#[actix_web::test]
async fn without_kafka_it_lives_and_says_why_it_is_not_ready() {
    let replica = Replica::start(|_| {}).await;
    let alive = replica.admin("/livez").await;
    assert_eq!(alive.status, 200);
    let ready = replica.admin("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.header("content-type"), Some("application/json"));
    let json: serde_json::Value = serde_json::from_slice(&ready.body).unwrap();
    assert_eq!(json["status"], "not ready");
    assert!(json["reasons"][0].is_string(), "{json}");
    assert_eq!(replica.admin("/nowhere").await.status, 404);
    replica.stop().await;
}

/// The whole answer, which the connection's end ends.
fn raw_answer(address: SocketAddr, method: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[actix_web::test]
async fn probes_by_head_get_the_same_without_a_body() {
    let replica = Replica::start(|_| {}).await;
    let admin = replica.running.admin;
    for (path, status) in [("/livez", "200"), ("/readyz", "503"), ("/metrics", "200")] {
        let ask = move || {
            [
                raw_answer(admin, "HEAD", path),
                raw_answer(admin, "POST", path),
            ]
        };
        let [head, post] = tokio::task::spawn_blocking(ask).await.unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
        assert!(post.contains("allow: GET, HEAD\r\n"), "{post}");
    }
    replica.stop().await;
}

#[actix_web::test]
async fn drains_then_refuses_and_answers_everything_accepted() {
    let replica = Replica::start(|config| {
        config.shutdown.drain_delay = Duration::from_secs(2);
        config.shutdown.grace = Duration::from_secs(50);
        // The half-sent request below takes its time.
        config.http.min_body_rate = forebay::config::ByteRate(0);
    })
    .await;
    // Half a request, accepted before the stop.
    let body = one_message("x");
    let head = signed_head("SendMessage", body.as_bytes(), now(), SECRET_ID, SECRET_KEY);
    let head = head + &format!("Content-Length: {}\r\n\r\n", body.len());
    let mut half = replica.connect().await;
    half.send(head.as_bytes()).await;
    half.send(&body.as_bytes()[..10]).await;
    let mut idle = replica.connect().await;
    idle.send(&signed("SendMessage", b"{}")).await;
    assert_eq!(idle.answer().await.header("connection"), None);

    let Replica { running, folder } = replica;
    let (api, admin) = (running.api, running.admin);
    let stopping = actix_rt::spawn(running.stop());
    await_condition(LIMIT, "draining shows", async || {
        let mut probe = harness::Client::connect(admin).await;
        probe.send(b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n").await;
        probe.answer().await.text().contains("draining")
    })
    .await
    .unwrap();
    // Still served, on the connection at hand and on a new one.
    idle.send(&signed("SendMessage", b"{}")).await;
    let answer = idle.answer().await;
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.error().0, "MissingParameter");
    assert!(idle.closed().await);
    // Then refused, definitely.
    await_condition(LIMIT, "new requests are refused", async || {
        let mut client = harness::Client::connect(api).await;
        client.send(&signed("SendMessage", b"{}")).await;
        let (code, message) = client.answer().await.error();
        code == "RequestLimitExceeded" && message.contains("draining")
    })
    .await
    .unwrap();
    assert!(
        !stopping.is_finished(),
        "an accepted request is not answered yet"
    );
    half.send(&body.as_bytes()[10..]).await;
    assert_eq!(half.answer().await.error().0, "ResourceNotFound");
    let stopped = tokio::time::timeout(LIMIT, stopping)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stopped.unanswered, 0);
    assert!(
        tokio::net::TcpStream::connect(api).await.is_err(),
        "nobody listens"
    );
    drop(folder);
}

/// Asks again and again, each time on a new connection, until nobody listens.
/// How many requests were sent and got no answer at all.
fn ask_to_the_end(api: SocketAddr) -> usize {
    let until = Instant::now() + LIMIT;
    let mut unanswered = 0;
    while Instant::now() < until {
        let stream = match TcpStream::connect_timeout(&api, LIMIT) {
            Ok(stream) => stream,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return unanswered,
            // The connection's end met its beginning: nothing was sent.
            Err(_) => continue,
        };
        let mut byte = [0];
        let sent = (&stream).write_all(&signed("SendMessage", b"{}"));
        if sent.is_err() || !matches!((&stream).read(&mut byte), Ok(1)) {
            unanswered += 1;
        }
    }
    panic!("the replica still listens after {LIMIT:?}");
}

#[actix_web::test]
async fn whoever_gets_a_connection_gets_an_answer() {
    let replica = Replica::start(|config| config.shutdown.drain_delay = Duration::ZERO).await;
    let Replica { running, folder } = replica;
    let api = running.api;
    let clients: Vec<_> = (0..32)
        .map(|_| std::thread::spawn(move || ask_to_the_end(api)))
        .collect();
    running.stop().await;
    let unanswered: usize = clients.into_iter().map(|asks| asks.join().unwrap()).sum();
    // The kernel has room for one connection that nobody looks at any more,
    // and for handshakes that were under way.
    assert!(unanswered <= 3, "{unanswered} requests without an answer");
    drop(folder);
}

#[actix_web::test]
async fn the_grace_bounds_the_stop() {
    let replica = Replica::start(|config| {
        config.shutdown.grace = Duration::from_secs(1);
    })
    .await;
    let mut half = replica.connect().await;
    let head = signed_head("SendMessage", b"", now(), SECRET_ID, SECRET_KEY);
    half.send((head + "Content-Length: 100\r\n\r\n{").as_bytes())
        .await;
    await_condition(LIMIT, "the request is accepted", async || {
        replica
            .metric("forebay_connections{listener=\"api\"}")
            .await
            .is_some_and(|open| open >= 1.0)
    })
    .await
    .unwrap();
    let Replica { running, folder } = replica;
    let stopped = tokio::time::timeout(Duration::from_secs(10), running.stop())
        .await
        .expect("a stop within its grace");
    assert!(stopped.unanswered <= 1, "{stopped:?}");
    drop(folder);
}

#[actix_web::test]
async fn taken_ports_are_errors_of_the_start() {
    let replica = Replica::start(|_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = harness::config(&folder, &[harness::NO_KAFKA.to_owned()]);
    config.http.listen = replica.running.api;
    let Err(error) = forebay::start(config).await else {
        panic!("two replicas on one port");
    };
    assert!(error.to_string().contains("http.listen"), "{error}");
    replica.stop().await;
}
