//! The genuine SDKs by every signature and HTTP method that they can be set to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::net::SocketAddr;

use forebay_api::MessageId;
use forebay_testkit::{Sdk, SdkHome, SdkSession, WireClient, free_port, sdk_or_skip};
use harness::{Replica, SECRET_ID, SECRET_KEY};
use serde_json::{Value, json};

/// But TC3-HMAC-SHA256 by POST, which is each SDK's default.
const WAYS: [(&str, &str); 5] = [
    ("TC3-HMAC-SHA256", "GET"),
    ("HmacSHA1", "POST"),
    ("HmacSHA1", "GET"),
    ("HmacSHA256", "POST"),
    ("HmacSHA256", "GET"),
];

/// One test per SDK, so that a failure names it.
macro_rules! with_each_sdk {
    ($($name:ident: $sdk:ident,)*) => {$(
        #[actix_web::test]
        async fn $name() {
            if let Some(home) = sdk_or_skip(Sdk::$sdk) {
                sends_and_pauses(&home).await;
            }
        }
    )*};
}

with_each_sdk! {
    python: Python,
    node: Node,
    java: Java,
    java_of_the_guide: JavaOfTheGuide,
    go: Go,
}

async fn call(session: &SdkSession, action: &str, parameters: &Value) -> Value {
    let line = session.call(action, &parameters.to_string()).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

async fn ok(session: &SdkSession, action: &str, parameters: &Value) -> Value {
    let answer = call(session, action, parameters).await;
    assert!(answer["ok"].is_object(), "{action}: {answer:.500}");
    answer["ok"].clone()
}

/// Texts that each SDK percent-encodes in its own way, more than ten of them.
fn messages() -> Vec<(String, String)> {
    let texts = [
        "plain",
        "a b+c",
        "json {\"a\": \"<b>&c='d'\\\\\"}",
        "你好，世界 é",
        "🦀 \u{10FFFF}",
        "\u{1}\n\r\t\u{7f}",
        "~*'()!@$,;:/?#[]",
        "%41+%2B%",
        "&Message.0.Body=x",
        "\u{2028}\u{feff}",
        "-._",
        "last",
    ];
    let keyed = |text: &&str| (format!("键-{text}"), (*text).to_owned());
    texts.iter().map(keyed).collect()
}

async fn sends_and_pauses(home: &SdkHome) {
    let kafka = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let replica = Replica::start_embedded_in(tempfile::tempdir().unwrap(), |config| {
        config.broker.listen = kafka;
    })
    .await;
    replica.await_ready().await;
    let endpoint = replica.running.api.to_string();
    let messages = messages();
    let list: Vec<_> = messages
        .iter()
        .map(|(key, body)| json!({"Key": key, "Body": body}))
        .collect();
    for (index, (sign_method, http_method)) in WAYS.into_iter().enumerate() {
        let way = format!("{:?} {sign_method} {http_method}", home.sdk());
        let topic = format!("way{index}");
        let more = json!({"UseAutoCreateTopic": true, "PartitionNum": 1});
        let (task, datahub) = replica.create_task_with(&topic, &topic, &more).await;
        let session = home
            .session_by(sign_method, http_method, &endpoint, SECRET_ID, SECRET_KEY)
            .unwrap();

        let send = json!({"DataHubId": datahub, "Message": list});
        let sent = ok(&session, "SendMessage", &send).await;
        let ids = sent["MessageId"].as_array().unwrap();
        assert_eq!(ids.len(), messages.len(), "{way}");
        let mut reader = WireClient::connect(kafka).await.unwrap();
        let stored = reader.read_partition(&topic, 0, 0).await.unwrap();
        assert_eq!(stored.len(), messages.len(), "{way}");
        for (id, (key, body)) in ids.iter().zip(&messages) {
            let id: MessageId = id.as_str().unwrap().parse().unwrap();
            let record = stored.iter().find(|record| record.offset == id.offset);
            let record = record.unwrap_or_else(|| panic!("{way}: nothing at {id}"));
            assert_eq!(record.key.as_deref(), Some(key.as_bytes()), "{way}");
            assert_eq!(record.value.as_deref(), Some(body.as_bytes()), "{way}");
        }

        pause(home, &session, &replica, &task).await;
        let refused = call(&session, "SendMessage", &send).await;
        assert_eq!(
            refused["error"]["code"], "FailedOperation",
            "{way}: {refused}"
        );
        let suspended = format!("task status suspended [{datahub}]");
        assert_eq!(refused["error"]["message"], *suspended, "{way}");

        let wrong_key = home
            .session_by(sign_method, http_method, &endpoint, SECRET_ID, "wrong")
            .unwrap();
        let refused = call(&wrong_key, "SendMessage", &send).await;
        let code = &refused["error"]["code"];
        assert_eq!(code, "AuthFailure.SignatureFailure", "{way}: {refused}");
    }
    replica.stop().await;
}

/// By the SDK itself, but for the oldest, which knows no tasks.
async fn pause(home: &SdkHome, session: &SdkSession, replica: &Replica, task: &str) {
    let by_id = json!({"TaskId": task});
    if home.sdk() == Sdk::JavaOfTheGuide {
        let paused = replica.call("PauseDatahubTask", &by_id.to_string()).await;
        assert!(paused.response()["Error"].is_null());
    } else {
        ok(session, "PauseDatahubTask", &by_id).await;
    }
}
