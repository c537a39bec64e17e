//! Every refusal that needs no Kafka: the code of the contract's table, HTTP
//! 200, and the server as well as before.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use harness::{
    Client, Replica, SECRET_ID, SECRET_KEY, credential, now, one_message, signed, signed_head,
    with_body, with_chunks,
};

const DATAHUB: &str = "datahub-aaaaaaaa";

/// Sends SendMessage with `body`; expects `code` and `text` in the message.
async fn refuses(replica: &Replica, body: impl AsRef<[u8]>, code: &str, text: &str) {
    let answer = replica.send(&signed("SendMessage", body.as_ref())).await;
    let (actual, message) = answer.error();
    let start: String = String::from_utf8_lossy(body.as_ref())
        .chars()
        .take(120)
        .collect();
    assert_eq!(actual, code, "{start}: {message}");
    assert!(
        message.contains(text),
        "{start}: {message:?} lacks {text:?}"
    );
}

#[actix_web::test]
async fn bodies_that_are_not_a_send_message() {
    let replica = Replica::start(|_| {}).await;
    let invalid = "InvalidParameter";
    let missing = "MissingParameter";
    let deep = format!("{{\"DataHubId\":{}", "[".repeat(100_000));
    let message = |message: &str| format!(r#"{{"DataHubId":"{DATAHUB}","Message":[{message}]}}"#);
    let cases = [
        ("", invalid, ""),
        ("null", invalid, ""),
        ("[1]", invalid, ""),
        ("{", invalid, ""),
        (&one_message(DATAHUB)[..40], invalid, ""),
        (&deep, invalid, ""),
        (r#"{"DataHubId":1,"Message":[]}"#, invalid, "DataHubId"),
        (r#"{"DataHubId":"x","Message":{}}"#, invalid, "Message"),
        (
            r#"{"DataHubId":"x","DataHubId":"y","Message":[{"Body":""}]}"#,
            invalid,
            "DataHubId",
        ),
        (&message(r#"{"Body":1}"#), invalid, "Body"),
        (&message(r#"{"Body":null}"#), invalid, "Body"),
        (&message(r#"{"Body":"\ud800"}"#), invalid, ""),
        (&message(r#"{"Body":"b","Key":{}}"#), invalid, "Key"),
        ("{}", missing, "DataHubId"),
        (r#"{"Message":[{"Body":"b"}]}"#, missing, "DataHubId"),
        (r#"{"DataHubId":"datahub-aaaaaaaa"}"#, missing, "Message"),
        (&message(""), missing, "Message"),
        (&message(r#"{"Key":"k"}"#), missing, "Body"),
    ];
    for (body, code, text) in cases {
        refuses(&replica, body, code, text).await;
    }
    refuses(&replica, b"\xff\xfe{}", invalid, "").await;
    replica.stop().await;
}

#[actix_web::test]
async fn counts_and_sizes() {
    let replica = Replica::start(|_| {}).await;
    let messages = |count: usize, body: &str| {
        let one = format!(r#"{{"Body":"{body}"}}"#);
        let all = vec![one; count].join(",");
        format!(r#"{{"DataHubId":"{DATAHUB}","Message":[{all}]}}"#)
    };
    refuses(&replica, messages(501, "x"), "InvalidParameterValue", "500").await;
    let over = "x".repeat((5 << 20) + 1);
    refuses(
        &replica,
        messages(1, &over),
        "InvalidParameterValue",
        "5242881",
    )
    .await;
    // At the limits: through to the task lookup, which has no Kafka here.
    let down = "ResourceUnavailable.KafkaStorageError";
    refuses(&replica, messages(500, "x"), down, "not stored: ").await;
    refuses(&replica, messages(1, &over[1..]), down, "not stored: ").await;
    replica.stop().await;
}

#[actix_web::test]
async fn raw_bodies_over_ten_mebibytes() {
    let replica = Replica::start(|_| {}).await;
    let body = vec![b' '; (10 << 20) + 1];
    let code = "RequestSizeLimitExceeded";
    refuses(&replica, &body, code, "10485761").await;
    let head = signed_head("SendMessage", &body, now(), SECRET_ID, SECRET_KEY);
    let answer = replica.send(&with_chunks(head, &body, 64 * 1024)).await;
    let (actual, message) = answer.error();
    assert_eq!(actual, code, "{message}");
    assert!(message.contains("10485760"), "{message}");
    // One byte less is a matter of JSON.
    refuses(&replica, &body[1..], "InvalidParameter", "").await;
    replica.stop().await;
}

#[actix_web::test]
async fn chunked_is_taken_and_compressed_is_not() {
    let replica = Replica::start(|_| {}).await;
    let body = one_message("nonsense");
    let head = signed_head("SendMessage", body.as_bytes(), now(), SECRET_ID, SECRET_KEY);
    let answer = replica
        .send(&with_chunks(head.clone(), body.as_bytes(), 7))
        .await;
    assert_eq!(answer.error().0, "ResourceNotFound", "{}", answer.text());
    for encoding in ["gzip", "br", "zstd", "deflate", "identity, gzip", "x"] {
        let head = head.clone() + &format!("Content-Encoding: {encoding}\r\n");
        let answer = replica.send(&with_body(head, body.as_bytes())).await;
        let (code, message) = answer.error();
        assert_eq!(code, "InvalidParameter", "{encoding}");
        assert!(message.contains("Content-Encoding"), "{message}");
    }
    let head = head + "Content-Encoding: identity\r\n";
    let answer = replica.send(&with_body(head, body.as_bytes())).await;
    assert_eq!(answer.error().0, "ResourceNotFound");
    replica.stop().await;
}

#[actix_web::test]
async fn access_points_that_are_none() {
    let replica = Replica::start(|_| {}).await;
    for id in [
        "x",
        "",
        "datahub-",
        "datahub-AAAAAAAA",
        "datahub-aaaaaaaaa",
        "task-aaaaaaaa",
    ] {
        refuses(&replica, one_message(id), "ResourceNotFound", id).await;
    }
    // Of the right form: nobody can know before the tasks have been read.
    let down = "ResourceUnavailable.KafkaStorageError";
    refuses(&replica, one_message(DATAHUB), down, "not stored: ").await;
    replica.stop().await;
}

#[actix_web::test]
async fn signatures() {
    let replica = Replica::start(|config| {
        let path = config.auth.credentials.clone().unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text += &credential("AKIDtoken", "k", "token = \"t\"");
        text += &credential("AKIDread", "k", "actions = [\"Describe*\"]");
        text += &credential("AKIDother", "k", "datahubs = [\"datahub-bbbbbbbb\"]");
        std::fs::write(&path, text).unwrap();
    })
    .await;
    let body = one_message(DATAHUB);
    let body = body.as_bytes();
    let head = |at: i64, id: &str, key: &str| signed_head("SendMessage", body, at, id, key);
    let good = head(now(), SECRET_ID, SECRET_KEY);
    let line = |text: &str, name: &str| {
        let found = text.lines().find(|line| line.starts_with(name)).unwrap();
        found.to_owned() + "\r\n"
    };
    let authorization = line(&good, "Authorization");
    let replaced = |with: &str| good.replace(&authorization, with);
    let today = forebay_api::format_utc(now())[..10].to_owned();
    let cases = [
        (replaced(""), "InvalidAuthorization"),
        (replaced("Authorization: SKIP\r\n"), "InvalidAuthorization"),
        (
            replaced("Authorization: Basic eDp5\r\n"),
            "InvalidAuthorization",
        ),
        (good.clone() + &authorization, "InvalidAuthorization"),
        (
            good.clone() + &line(&good, "Content-Type"),
            "InvalidAuthorization",
        ),
        (
            good.clone() + &line(&good, "X-TC-Timestamp"),
            "InvalidAuthorization",
        ),
        (head(now(), SECRET_ID, "wrong"), "SignatureFailure"),
        (
            good.replace("Host: forebay.test", "Host: evil.test"),
            "SignatureFailure",
        ),
        (good.replace(&today, "2020-01-01"), "SignatureFailure"),
        (head(now(), "AKIDnobody", SECRET_KEY), "SecretIdNotFound"),
        (head(now() - 400, SECRET_ID, SECRET_KEY), "SignatureExpire"),
        (head(now() + 400, SECRET_ID, SECRET_KEY), "SignatureExpire"),
        (head(now(), "AKIDtoken", "k"), "TokenFailure"),
        (
            head(now(), "AKIDtoken", "k") + "X-TC-Token: u\r\n",
            "TokenFailure",
        ),
        (head(now(), "AKIDread", "k"), "UnauthorizedOperation"),
        (head(now(), "AKIDother", "k"), "UnauthorizedOperation"),
    ];
    for (head, code) in cases {
        let answer = replica.send(&with_body(head.clone(), body)).await;
        let (actual, message) = answer.error();
        assert_eq!(actual, format!("AuthFailure.{code}"), "{message}\n{head}");
    }
    let token = head(now(), "AKIDtoken", "k") + "X-TC-Token: t\r\n";
    let passed = [
        good.clone(),
        token,
        head(now() - 200, SECRET_ID, SECRET_KEY),
    ];
    for head in passed {
        let answer = replica.send(&with_body(head, body)).await;
        let (code, _) = answer.error();
        assert_eq!(code, "ResourceUnavailable.KafkaStorageError");
    }
    // Another body under the same signature.
    let answer = replica.send(&with_body(good, b"{}")).await;
    assert_eq!(answer.error().0, "AuthFailure.SignatureFailure");
    replica.stop().await;
}

#[actix_web::test]
async fn actions_and_versions() {
    let replica = Replica::start(|_| {}).await;
    let good = signed_head("SendMessage", b"{}", now(), SECRET_ID, SECRET_KEY);
    let action = "X-TC-Action: SendMessage\r\n";
    let version = "X-TC-Version: 2019-08-19\r\n";
    assert!(good.contains(action) && good.contains(version), "{good}");
    let cases = [
        (
            good.replace(action, "X-TC-Action: MakeCoffee\r\n"),
            "InvalidAction",
        ),
        (
            good.replace(action, "X-TC-Action: sendmessage\r\n"),
            "InvalidAction",
        ),
        (good.replace(action, ""), "InvalidAction"),
        (good.clone() + action, "InvalidParameter"),
        (
            good.replace(version, "X-TC-Version: 2018-01-01\r\n"),
            "NoSuchVersion",
        ),
        (good.replace(version, ""), "NoSuchVersion"),
        (good.clone() + version, "InvalidParameter"),
        (
            good.replace(action, "X-TC-Action: DescribeTopicDetail\r\n"),
            "MissingParameter",
        ),
        (good.clone(), "MissingParameter"),
    ];
    for (head, code) in cases {
        let answer = replica.send(&with_body(head.clone(), b"{}")).await;
        assert_eq!(answer.error().0, code, "{head}");
    }
    // A wrong signature is told before a wrong action.
    let forged = good.replace("SendMessage", "MakeCoffee");
    let answer = replica.send(&with_body(forged, b"other")).await;
    assert_eq!(answer.error().0, "AuthFailure.SignatureFailure");
    replica.stop().await;
}

#[actix_web::test]
async fn task_actions_without_their_registry() {
    let replica = Replica::start(|_| {}).await;
    let task = r#"{"TaskId":"task-aaaaaaaa"}"#;
    let create = r#"{"TaskName":"t","TaskType":"SOURCE","SourceResource":{"Type":"HTTP"},
        "TargetResource":{"Type":"TOPIC","TopicParam":{"Resource":"topic"}}}"#;
    for (action, body) in [
        ("CreateDatahubTask", create),
        ("DescribeDatahubTask", task),
        ("DescribeDatahubTasks", "{}"),
        (
            "ModifyDatahubTask",
            r#"{"TaskId":"task-aaaaaaaa","TaskName":"n"}"#,
        ),
        ("DeleteDatahubTask", task),
        ("PauseDatahubTask", task),
        ("ResumeDatahubTask", task),
        ("RestartDatahubTask", task),
    ] {
        let (code, message) = replica.call(action, body).await.error();
        assert_eq!(code, "ResourceUnavailable.KafkaStorageError", "{action}");
        assert!(message.starts_with("not stored: "), "{action}: {message}");
        let (code, _) = replica.call(action, "[").await.error();
        assert_eq!(code, "InvalidParameter", "{action}");
    }
    let (code, message) = replica
        .call("PauseDatahubTask", r#"{"TaskId":"x"}"#)
        .await
        .error();
    assert_eq!(code, "ResourceNotFound", "{message}");
    replica.stop().await;
}

#[actix_web::test]
async fn paths_and_methods_of_others() {
    let replica = Replica::start(|_| {}).await;
    let send = async |line: &str| {
        let request = format!("{line} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        replica.send(request.as_bytes()).await
    };
    for (line, status) in [
        ("POST /other", 404),
        ("GET /favicon.ico", 404),
        ("PUT /", 405),
        ("DELETE /", 405),
        ("OPTIONS /", 405),
    ] {
        let answer = send(line).await;
        assert_eq!(answer.status, status, "{line}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    for line in ["GET /", "POST /"] {
        let (code, message) = send(line).await.error();
        assert_eq!(
            code, "AuthFailure.InvalidAuthorization",
            "{line}: {message}"
        );
    }
    for broken in [
        "nonsense\r\n\r\n".to_owned(),
        // RFC 9112 §3.2: a second Host is no HTTP.
        "POST / HTTP/1.1\r\nHost: h\r\nHost: h\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            .to_owned(),
        format!("POST / HTTP/1.1\r\nHost: h\r\nX-Long: {}\r\n\r\n", "x".repeat(200_000)),
    ] {
        let answer = replica.send(broken.as_bytes()).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    replica.stop().await;
}

#[actix_web::test]
async fn many_requests_on_one_connection() {
    let replica = Replica::start(|_| {}).await;
    let mut client = replica.connect().await;
    let mut ids = std::collections::HashSet::new();
    for _ in 0..20 {
        client
            .send(&signed("SendMessage", one_message("x").as_bytes()))
            .await;
        let answer = client.answer().await;
        assert_eq!(answer.header("connection"), None);
        assert_eq!(answer.error().0, "ResourceNotFound");
        ids.insert(answer.response()["RequestId"].to_string());
    }
    assert_eq!(ids.len(), 20);
    replica.stop().await;
}

/// Whether a body is compressed is for those to know who may call.
#[actix_web::test]
async fn a_signature_is_checked_before_the_encoding() {
    let replica = Replica::start(|_| {}).await;
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nX-TC-Action: SendMessage\r\n\
        X-TC-Version: 2019-08-19\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}";
    let (code, _) = replica.send(request).await.error();
    assert_eq!(code, "AuthFailure.InvalidAuthorization");
    replica.stop().await;
}

#[actix_web::test]
async fn a_key_given_twice_changes_no_task() {
    let replica = Replica::start(|_| {}).await;
    let body = r#"{"TaskId":"task-aaaaaaaa","TaskId":"task-bbbbbbbb"}"#;
    for action in ["PauseDatahubTask", "DeleteDatahubTask"] {
        let (code, message) = replica.call(action, body).await.error();
        assert_eq!(code, "InvalidParameter", "{message}");
        assert!(message.contains("[TaskId] is given twice"), "{message}");
    }
    replica.stop().await;
}

/// actix-http closes after such a request without a word of its own.
#[actix_web::test]
async fn an_offer_to_upgrade_is_answered_and_the_connection_closed_aloud() {
    let replica = Replica::start(|_| {}).await;
    let body = one_message(DATAHUB).into_bytes();
    let head = signed_head("SendMessage", &body, now(), SECRET_ID, SECRET_KEY);
    let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                 HTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let mut client = replica.connect().await;
    client.send(&with_body(head + offer, &body)).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.closed().await);
    let mut client = Client::connect(replica.running.admin).await;
    let probe = format!("GET /livez HTTP/1.1\r\nHost: admin\r\n{offer}\r\n");
    client.send(probe.as_bytes()).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("connection"), Some("close"));
    replica.stop().await;
}
