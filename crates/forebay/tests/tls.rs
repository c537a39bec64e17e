//! TLS on both listeners: HTTP/1.1 and HTTP/2, certificates that change,
//! clients that misbehave, and how connections end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::Duration;

use bytes::Bytes;
use forebay::config::{ByteRate, ByteSize, TlsFiles};
use forebay_testkit::await_condition;
use harness::https::{Ca, Http2, Http2Answer, files, http1, http2_answer, send_body, shown_name};
use harness::process::Forebay;
use harness::{Client, LIMIT, Replica, one_message, signed_head, with_body};
use harness::{SECRET_ID, SECRET_KEY, credential, now};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

const DATAHUB: &str = "datahub-forebay0";

/// A replica with its own broker that speaks TLS on both listeners.
async fn start(ca: &Ca, change: impl FnOnce(&mut forebay::config::Config)) -> (Replica, TlsFiles) {
    let folder = tempfile::tempdir().unwrap();
    let pair = files(folder.path());
    ca.write(&pair, "first", 30);
    let replica = Replica::start_embedded_in(folder, |config| {
        config.http.tls = Some(pair.clone());
        config.admin.tls = Some(pair.clone());
        change(config);
    })
    .await;
    (replica, pair)
}

fn response((status, headers, body): &Http2Answer) -> Value {
    assert_eq!(status.as_u16(), 200);
    assert_eq!(headers["content-type"], "application/json");
    let json: Value = serde_json::from_slice(body).unwrap();
    json["Response"].clone()
}

fn error_code(answer: &Http2Answer) -> String {
    let response = response(answer);
    let code = response["Error"]["Code"].as_str();
    code.unwrap_or_else(|| panic!("no error: {response}"))
        .to_owned()
}

async fn send(client: &Http2) -> Value {
    let body = one_message(DATAHUB);
    response(&client.call("SendMessage", body.as_bytes()).await)
}

fn is_stored(response: &Value) -> bool {
    response["MessageId"][0].is_string()
}

#[actix_web::test]
async fn both_listeners_speak_both_versions_of_http() {
    let ca = Ca::new();
    let (replica, _) = start(&ca, |_| {}).await;
    let running = &replica.running;
    let client = ca.http2(running.api).await;
    let answer = client
        .call("SendMessage", one_message(DATAHUB).as_bytes())
        .await;
    assert!(is_stored(&response(&answer)), "{answer:?}");
    let headers = &answer.1;
    assert!(headers.contains_key("date") && headers.contains_key("content-length"));
    assert_eq!(headers.get("connection"), None);

    // HTTP/1.1, by ALPN and without.
    let head = || signed_head("DescribeDatahubTasks", b"{}", now(), SECRET_ID, SECRET_KEY);
    for alpn in [&[&b"http/1.1"[..]][..], &[]] {
        let mut stream = ca.connect(running.api, alpn).await;
        let request = with_body(head() + "Connection: close\r\n", b"{}");
        let answer = http1(&mut stream, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("quickstart"), "{answer}");
    }
    let admin = ca.http2(running.admin).await;
    assert_eq!(admin.get("/readyz").await.0, 200);
    let (_, _, metrics) = admin.get("/metrics").await;
    let metrics = String::from_utf8(metrics).unwrap();
    for listener in ["api", "admin"] {
        let series = format!("forebay_certificate_not_after_seconds{{listener=\"{listener}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&series));
        let not_after: f64 = line.expect("a metric of each listener").parse().unwrap();
        let days = (not_after - now() as f64) / 86_400.0;
        assert!((29.0..=30.1).contains(&days), "{days}");
    }

    // TLS 1.2 too, but nothing in the clear.
    let old = ca.client(&[], &[&rustls::version::TLS12]);
    let stream = TcpStream::connect(running.api).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from(harness::HOST).unwrap();
    let mut stream = old.connect(name, stream).await.unwrap();
    let request = with_body(head() + "Connection: close\r\n", b"{}");
    assert!(http1(&mut stream, &request).await.contains("quickstart"));
    let mut plain = replica.connect().await;
    plain.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(plain.closed().await);
    replica.stop().await;
}

#[actix_web::test]
async fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let ca = Ca::new();
    let (replica, pair) = start(&ca, |_| {}).await;
    let api = replica.running.api;
    let open = ca.http2(api).await;
    assert!(is_stored(&send(&open).await));
    let shown = async || shown_name(&ca.connect(api, &[]).await);
    assert_eq!(shown().await, "CN=first");
    let taken = async |name: &str| {
        await_condition(LIMIT, "the new certificate is shown", async || {
            shown().await == name
        })
        .await
        .unwrap();
    };
    ca.write(&pair, "second", 30);
    taken("CN=second").await;

    // Neither half a pair nor rubbish is shown. Nobody tells a client that it
    // was looked at: where a look takes longer, this proves less, not wrong.
    let (certificate, key) = ca.make("third", 30);
    std::fs::write(&pair.cert, &certificate).unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(shown().await, "CN=second", "its key is another");
    std::fs::write(&pair.key, "rubbish").unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(shown().await, "CN=second");
    std::fs::write(&pair.key, &key).unwrap();
    taken("CN=third").await;
    // A connection from before all of this.
    assert!(is_stored(&send(&open).await));
    replica.stop().await;
}

#[actix_web::test]
async fn who_says_nothing_is_cut() {
    let ca = Ca::new();
    let (replica, _) = start(&ca, |config| config.http.max_connections = 3).await;
    let api = replica.running.api;
    // One that does not begin, one that does not go on, one without a request.
    let mut silent = TcpStream::connect(api).await.unwrap();
    let mut no_head = ca.connect(api, &[b"http/1.1"]).await;
    let no_request = ca.http2(api).await;
    // They count: there is no room for a fourth.
    assert!(ca.try_connect(api, &[]).await.is_err());
    let mut bytes = Vec::new();
    let read = timeout(LIMIT, silent.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "a silent connection is closed");
    bytes.clear();
    let read = timeout(LIMIT, no_head.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "a connection without a head is closed");
    let ended = timeout(LIMIT, no_request.ended).await;
    assert!(ended.is_ok(), "a connection without a request is closed");
    // HTTP/2's preface never comes.
    let mut no_preface = ca.connect(api, &[b"h2"]).await;
    let read = timeout(LIMIT, no_preface.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "a connection without a preface is closed");
    assert!(is_stored(&send(&ca.http2(api).await).await));
    replica.stop().await;
}

#[actix_web::test]
async fn an_idle_connection_ends_in_good_order() {
    let ca = Ca::new();
    let keep_alive = Duration::from_secs(1);
    let (replica, _) = start(&ca, |config| config.http.keep_alive = keep_alive).await;
    let client = ca.http2(replica.running.api).await;
    assert!(is_stored(&send(&client).await));
    let ended = timeout(LIMIT, client.ended).await.unwrap().unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    replica.stop().await;
}

#[actix_web::test]
async fn a_drain_says_goodbye_and_answers_what_is_under_way() {
    let ca = Ca::new();
    let (replica, _) = start(&ca, |config| {
        config.shutdown.drain_delay = Duration::from_secs(2);
        config.shutdown.grace = Duration::from_secs(50);
        config.http.min_body_rate = ByteRate(0);
    })
    .await;
    let Replica { running, folder } = replica;
    let (api, admin) = (running.api, running.admin);
    let client = ca.http2(api).await;
    let body = one_message(DATAHUB);
    let begun = client.begin("SendMessage", body.as_bytes(), None).await;
    let (answer, mut stream) = begun.unwrap();
    stream
        .send_data(Bytes::copy_from_slice(&body.as_bytes()[..10]), false)
        .unwrap();
    let idle = ca.http2(api).await;
    assert!(is_stored(&send(&idle).await));
    let stopping = actix_rt::spawn(running.stop());
    // Nothing is under way there: it ends, without an error.
    let ended = timeout(LIMIT, idle.ended).await.unwrap().unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    // A new one is served, once.
    let late = ca.http2(api).await;
    assert!(is_stored(&send(&late).await));
    let ended = timeout(LIMIT, late.ended).await.unwrap().unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    // Then definite refusals, while the first one is still waited for.
    await_condition(LIMIT, "new requests are refused", async || {
        let client = ca.http2(api).await;
        send(&client).await["Error"]["Code"] == "RequestLimitExceeded"
    })
    .await
    .unwrap();
    assert!(ca.try_connect(admin, &[]).await.is_ok());
    assert!(!stopping.is_finished());
    send_body(&mut stream, &body.as_bytes()[10..])
        .await
        .unwrap();
    let answer = http2_answer(answer).await.unwrap();
    assert!(is_stored(&response(&answer)), "{answer:?}");
    // It has been told before to take further requests elsewhere.
    assert!(client.begin("SendMessage", b"{}", None).await.is_err());
    let stopped = timeout(LIMIT, stopping).await.unwrap().unwrap();
    assert_eq!(stopped.unanswered, 0);
    let ended = timeout(LIMIT, client.ended).await.unwrap().unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    drop(folder);
}

#[actix_web::test]
async fn bodies_are_bounded_over_http2_too() {
    let ca = Ca::new();
    let (replica, _) = start(&ca, |config| {
        config.delivery.memory_limit = ByteSize(16 << 20);
        config.http.min_body_rate = ByteRate(1 << 20);
    })
    .await;
    let client = ca.http2(replica.running.api).await;
    let huge = vec![b' '; 11 << 20];
    for length in [None, Some(huge.len())] {
        let begun = client.begin("SendMessage", &huge, length).await;
        let (answer, mut stream) = begun.unwrap();
        send_body(&mut stream, &huge).await.unwrap();
        let answer = http2_answer(answer).await.unwrap();
        assert_eq!(error_code(&answer), "RequestSizeLimitExceeded");
    }
    // Two of 9 MiB do not fit into 16: the second is refused at its head.
    let large = 9 << 20;
    let first = client.begin("SendMessage", b"", Some(large)).await.unwrap();
    await_condition(LIMIT, "the first one holds its memory", async || {
        let text = ca
            .http2(replica.running.admin)
            .await
            .get("/metrics")
            .await
            .2;
        let text = String::from_utf8(text).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("forebay_inflight_bytes "));
        line.is_some_and(|held| held.parse::<f64>().unwrap() >= large as f64)
    })
    .await
    .unwrap();
    let (second, mut stream) = client.begin("SendMessage", b"", Some(large)).await.unwrap();
    send_body(&mut stream, &vec![b' '; large]).await.unwrap();
    let second = http2_answer(second).await.unwrap();
    assert_eq!(error_code(&second), "RequestLimitExceeded");
    // The first never goes on: cut for its slowness, the connection lives.
    let (answer, _stream) = first;
    let answer = http2_answer(answer).await.unwrap();
    let text = response(&answer)["Error"]["Message"].to_string();
    assert!(text.contains("request body was cut"), "{text}");
    assert!(is_stored(&send(&client).await));
    replica.stop().await;
}

/// The same as a process of its own, with metrics of its own; the admin
/// listener is in the clear.
fn start_process(ca: &Ca) -> (TempDir, Forebay) {
    let folder = tempfile::tempdir().unwrap();
    ca.write(&files(folder.path()), "first", 3);
    let users = credential(SECRET_ID, SECRET_KEY, "");
    std::fs::write(folder.path().join("users.toml"), users).unwrap();
    let settings = "[http.tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
    std::fs::write(folder.path().join("forebay.toml"), settings).unwrap();
    let arguments = ["--config", "forebay.toml", "--credentials", "users.toml"];
    let forebay = Forebay::start(folder.path(), &arguments);
    (folder, forebay)
}

/// One message whose key chooses the partition.
fn keyed(value: &str) -> String {
    let message = serde_json::json!({ "Key": "k", "Body": value });
    serde_json::json!({ "DataHubId": DATAHUB, "Message": [message] }).to_string()
}

#[actix_web::test]
async fn an_answer_larger_than_all_windows_arrives() {
    let ca = Ca::new();
    let (replica, _) = start(&ca, |_| {}).await;
    let client = ca.http2(replica.running.api).await;
    let value = "v".repeat(900_000);
    let mut partition = 0;
    for _ in 0..4 {
        let answer = client.call("SendMessage", keyed(&value).as_bytes()).await;
        partition = place(&response(&answer)).0;
    }
    let query = serde_json::json!({ "InstanceId": "ckafka-forebay0", "Topic": "quickstart",
        "Partition": partition, "Offset": 0 });
    let query = query.to_string();
    let answer = client.call("FetchMessageListByOffset", query.as_bytes());
    let found = response(&answer.await);
    let found = found["Result"].as_array().unwrap();
    let values: Vec<_> = found.iter().map(|one| one["Value"].as_str()).collect();
    assert_eq!(values, [Some(&*value); 4]);
    replica.stop().await;
}

/// Partition and offset of the only message.
fn place(response: &Value) -> (i64, i64) {
    let id = response["MessageId"][0].as_str();
    let id = id.unwrap_or_else(|| panic!("not stored: {response}"));
    let number = |index: usize| id.split(':').nth(index).unwrap().parse().unwrap();
    (number(2), number(3))
}

#[actix_web::test]
async fn what_was_accepted_counts_though_its_client_has_gone() {
    let ca = Ca::new();
    let (_folder, forebay) = start_process(&ca);
    let body = keyed("hello");
    let mut client = ca.http2(forebay.api).await;
    for round in 0..200 {
        // More resets of one connection would be taken for an attack.
        if round % 10 == 0 {
            client = ca.http2(forebay.api).await;
        }
        let begun = client.begin("SendMessage", body.as_bytes(), None).await;
        let (answer, mut stream) = begun.unwrap();
        send_body(&mut stream, body.as_bytes()).await.unwrap();
        // At various moments of its way; once, at least, so that it is on it.
        for _ in 0..=round % 23 {
            tokio::task::yield_now().await;
        }
        stream.send_reset(h2::Reason::CANCEL);
        drop(answer);
    }
    await_condition(LIMIT, "what is stored is counted", async || {
        // Sent anew each time: some of those may come in yet.
        let last = client.call("SendMessage", body.as_bytes()).await;
        let stored = place(&response(&last)).1 + 1;
        let mut scraper = Client::connect(forebay.admin).await;
        let scrape = "GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n";
        scraper.send(scrape.as_bytes()).await;
        let metrics = scraper.answer().await.text();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("forebay_messages_total{") && line.contains("acked"));
        line.is_some_and(|line| line.ends_with(&format!(" {stored}")))
            && metrics
                .lines()
                .any(|line| line == "forebay_inflight_bytes 0")
    })
    .await
    .unwrap();
    forebay.stop();
}

#[actix_web::test]
async fn streams_of_a_connection_are_bounded() {
    let ca = Ca::new();
    let (replica, _) = start(&ca, |_| {}).await;
    let api = replica.running.api;
    let client = ca.http2(api).await;
    assert!(is_stored(&send(&client).await));
    let mut open = Vec::new();
    for _ in 0..128 {
        open.push(client.begin("SendMessage", b"", Some(100)).await.unwrap());
    }
    assert_eq!(client.max_streams.get(), 128);
    // Hung up on: all of them end, and their memory is free.
    drop(open);
    drop(client);
    let settled = async || {
        let text = ca
            .http2(replica.running.admin)
            .await
            .get("/metrics")
            .await
            .2;
        let text = String::from_utf8(text).unwrap();
        text.lines().any(|line| line == "forebay_inflight_bytes 0")
    };
    await_condition(LIMIT, "nothing is held", settled)
        .await
        .unwrap();

    // Requests reset as soon as they are made (CVE-2023-44487).
    let attack = ca.http2(api).await;
    for _ in 0..5_000 {
        let Ok((_, mut stream)) = attack.begin("SendMessage", b"", Some(100)).await else {
            break;
        };
        stream.send_reset(h2::Reason::CANCEL);
    }
    assert!(is_stored(&send(&ca.http2(api).await).await));
    await_condition(LIMIT, "nothing is held", settled)
        .await
        .unwrap();
    replica.stop().await;
}

#[actix_web::test]
async fn files_that_do_not_do_stop_the_start() {
    let ca = Ca::new();
    let folder = tempfile::tempdir().unwrap();
    let pair = files(folder.path());
    let (certificate, key) = ca.make("one", 30);
    let (_, other_key) = ca.make("other", 30);
    let starting = async |section: &str, cert: Option<&str>, key: Option<&str>| {
        for (path, content) in [(&pair.cert, cert), (&pair.key, key)] {
            match content {
                Some(content) => std::fs::write(path, content).unwrap(),
                None => drop(std::fs::remove_file(path)),
            }
        }
        let mut config = harness::config(&folder, &[harness::NO_KAFKA.to_owned()]);
        match section {
            "http.tls" => config.http.tls = Some(pair.clone()),
            _ => config.admin.tls = Some(pair.clone()),
        }
        match forebay::start(config).await {
            Ok(_) => panic!("it starts"),
            Err(error) => error.to_string(),
        }
    };
    for section in ["http.tls", "admin.tls"] {
        for (cert, key, names, says) in [
            (None, Some(&key), "cert", "cannot read"),
            (Some(&certificate), None, "key", "cannot read"),
            (Some(&key), Some(&key), "cert", "found no certificate"),
            (
                Some(&certificate),
                Some(&certificate),
                "key",
                "private key in PEM",
            ),
            (
                Some(&certificate),
                Some(&other_key),
                "key",
                "does not belong to",
            ),
        ] {
            let error = starting(section, cert.map(String::as_str), key.map(String::as_str)).await;
            assert!(error.contains(&format!("`{section}.{names}`")), "{error}");
            assert!(error.contains(says), "{error}");
            assert!(!error.contains("PRIVATE KEY--"), "{error}");
        }
    }
}

/// What a client command says: its exit code, stdout and stderr.
fn command(folder: &TempDir, args: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(args)
        .current_dir(folder.path())
        .env_clear()
        .env("TENCENTCLOUD_SECRET_ID", SECRET_ID)
        .env("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        done.status.code().unwrap(),
        text(done.stdout),
        text(done.stderr),
    )
}

#[test]
fn client_commands_call_by_https() {
    let ca = Ca::new();
    let (folder, forebay) = start_process(&ca);
    let pair = files(folder.path());
    std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
    let endpoint = format!("https://{}", forebay.api);
    assert!(forebay.welcome.contains(&endpoint), "{}", forebay.welcome);
    let list = ["task", "list", "--endpoint", &endpoint];
    let (code, out, err) = command(&folder, &[&list[..], &["--cacert", "ca.pem"]].concat(), &[]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("quickstart"), "{out}");
    let by_variable = [("FOREBAY_CLIENT_CACERT", "ca.pem")];
    let (code, _, err) = command(&folder, &list, &by_variable);
    assert_eq!(code, 0, "{err}");
    // What the machine trusts: this CA, or another one.
    std::fs::write(folder.path().join("other.pem"), Ca::new().pem()).unwrap();
    let (code, _, err) = command(&folder, &list, &[("SSL_CERT_FILE", "ca.pem")]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = command(&folder, &list, &[("SSL_CERT_FILE", "other.pem")]);
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("cannot trust https://") && err.contains("--cacert"),
        "{err}"
    );
    let wrong = [&list[..], &["--cacert", "key.pem"]].concat();
    let (code, _, err) = command(&folder, &wrong, &[]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("found none"), "{err}");
    let in_the_clear = endpoint.replace("https:", "http:");
    let list_in_the_clear = ["task", "list", "--endpoint", &in_the_clear];
    let (code, _, err) = command(&folder, &list_in_the_clear, &[]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("by http:// or https://"), "{err}");
    let admin = format!("https://{}", forebay.admin);
    let (code, _, err) = command(
        &folder,
        &["task", "list", "--endpoint", &admin],
        &by_variable,
    );
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("by http:// or https://"), "{err}");
    // SIGHUP takes what is there, at once.
    ca.write(&pair, "second", 30);
    forebay.signal("-HUP");
    let (code, _, err) = command(&folder, &list, &by_variable);
    assert_eq!(code, 0, "{err}");
    forebay.stop();
}
