//! The genuine SDKs of all four languages against a service with its embedded
//! broker: the same story, the same limits, the same habits of connections.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::collections::HashSet;
use std::net::SocketAddr;

use forebay_api::MessageId;
use forebay_testkit::{
    CountingRelay, Sdk, SdkHome, SdkSession, StoredRecord, WireClient, free_port, sdk_or_skip,
};
use harness::{Replica, SECRET_ID, SECRET_KEY, new_task_with};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;
const PARTITIONS: i32 = 3;

/// One test per SDK and subject, so that a failure names both.
macro_rules! with_each_sdk {
    ($($subject:ident)*) => {
        mod python { super::one_sdk!(Python: $($subject)*); }
        mod node { super::one_sdk!(Node: $($subject)*); }
        mod java { super::one_sdk!(Java: $($subject)*); }
        mod java_of_the_guide { super::one_sdk!(JavaOfTheGuide: $($subject)*); }
        mod go { super::one_sdk!(Go: $($subject)*); }
    };
}

macro_rules! one_sdk {
    ($sdk:ident: $($subject:ident)*) => {$(
        #[actix_web::test]
        async fn $subject() {
            if let Some(home) = super::sdk_or_skip(super::Sdk::$sdk) {
                let scene = super::Scene::new(super::Sdk::$sdk, home).await;
                super::$subject(&scene).await;
                scene.replica.stop().await;
            }
        }
    )*};
}
use one_sdk;

with_each_sdk! {
    sends_pauses_and_deletes
    gets_every_refusal_by_its_code
    reaches_the_limits_of_size
    keeps_its_connection
    uses_the_default_port
}

/// A service, and one SDK.
struct Scene {
    sdk: Sdk,
    home: SdkHome,
    replica: Replica,
    kafka: SocketAddr,
}

impl Scene {
    async fn new(sdk: Sdk, home: SdkHome) -> Self {
        let kafka = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let folder = tempfile::tempdir().unwrap();
        let replica = Replica::start_embedded_in(folder, |config| {
            config.broker.listen = kafka;
        })
        .await;
        replica.await_ready().await;
        Self {
            sdk,
            home,
            replica,
            kafka,
        }
    }

    fn session(&self) -> Session {
        self.session_as(self.replica.running.api.to_string(), SECRET_ID, SECRET_KEY)
    }

    fn session_as(&self, endpoint: impl AsRef<str>, id: &str, key: &str) -> Session {
        Session(self.home.session(endpoint.as_ref(), id, key).unwrap())
    }

    /// A relay on a port of its own, or on `listen`, to this service.
    async fn relay(&self, listen: impl Into<SocketAddr>) -> std::io::Result<CountingRelay> {
        CountingRelay::start(listen.into(), self.replica.running.api).await
    }

    /// Everything in a topic, as a Kafka client sees it that is not Forebay's.
    async fn stored(&self, topic: &str) -> Vec<StoredRecord> {
        let mut client = WireClient::connect(self.kafka).await.unwrap();
        let mut records = Vec::new();
        for partition in 0..PARTITIONS {
            let found = client.read_partition(topic, partition, 0).await;
            records.extend(found.unwrap());
        }
        records
    }

    /// Checks that `ids` name, in this order, records with these keys and bodies.
    async fn assert_stored(&self, datahub: &str, topic: &str, ids: &[MessageId], sent: &[Message]) {
        assert_eq!(ids.len(), sent.len());
        let stored = self.stored(topic).await;
        assert_eq!(stored.len(), sent.len());
        let places: HashSet<_> = ids.iter().map(|id| (id.partition, id.offset)).collect();
        assert_eq!(
            places.len(),
            ids.len(),
            "each message has a place of its own"
        );
        for (id, message) in ids.iter().zip(sent) {
            assert_eq!(
                (id.datahub_id.as_str(), id.topic.as_str()),
                (datahub, topic)
            );
            let record = stored
                .iter()
                .find(|record| (record.partition, record.offset) == (id.partition, id.offset))
                .unwrap_or_else(|| panic!("nothing at {id}"));
            let (key, body) = message;
            assert!(
                record.value.as_deref() == Some(body.as_bytes()),
                "at {id} is something else than {body:.80?}"
            );
            let key = key.as_deref().filter(|key| !key.is_empty());
            assert_eq!(record.key.as_deref(), key.map(str::as_bytes));
            assert_eq!(record.timestamp, id.received_ms);
            assert!(id.received_ms <= id.sent_ms, "{id}");
        }
    }
}

/// Key and body.
type Message = (Option<String>, String);

fn send_request(datahub: &str, messages: &[Message]) -> Value {
    let messages: Vec<_> = messages
        .iter()
        .map(|(key, body)| match key {
            Some(key) => json!({"Body": body, "Key": key}),
            None => json!({"Body": body}),
        })
        .collect();
    json!({"DataHubId": datahub, "Message": messages})
}

/// A process with one client of the SDK.
struct Session(SdkSession);

impl Session {
    async fn call(&self, action: &str, parameters: &Value) -> Value {
        let line = self.0.call(action, &parameters.to_string()).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    async fn ok(&self, action: &str, parameters: &Value) -> Value {
        let answer = self.call(action, parameters).await;
        assert!(answer["ok"].is_object(), "{action}: {answer:.500}");
        answer["ok"].clone()
    }

    /// Code and message, as the SDK's exception has them.
    async fn refused(&self, action: &str, parameters: &Value) -> (String, String) {
        let answer = self.call(action, parameters).await;
        let text = |name: &str| {
            let value = answer["error"][name].as_str();
            value.unwrap_or_else(|| panic!("{action} was not refused with its {name}: {answer}"))
        };
        assert_eq!(text("requestId").len(), 36, "{answer}");
        (text("code").to_owned(), text("message").to_owned())
    }

    /// A new task to a new topic; its TaskId and DatahubId.
    async fn create_task(&self, topic: &str) -> (String, String) {
        let more = json!({"UseAutoCreateTopic": true, "PartitionNum": PARTITIONS});
        let parameters = serde_json::from_str(&new_task_with(topic, topic, &more)).unwrap();
        let created = self.ok("CreateDatahubTask", &parameters).await;
        let text = |name: &str| created["Result"][name].as_str().unwrap().to_owned();
        (text("TaskId"), text("DatahubId"))
    }

    async fn send(&self, datahub: &str, messages: &[Message]) -> Vec<MessageId> {
        let sent = self
            .ok("SendMessage", &send_request(datahub, messages))
            .await;
        let ids = sent["MessageId"].as_array().unwrap();
        ids.iter()
            .map(|id| id.as_str().unwrap().parse().unwrap())
            .collect()
    }
}

/// Texts that the SDKs escape in different ways, as keys and as bodies.
fn difficult_messages() -> Vec<Message> {
    let texts = [
        "plain",
        "json {\"a\": \"<b>&c='d'\\\\\"}",
        "你好，世界 é",
        "🦀 \u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} \u{10FFFF}",
        "\u{1}\u{8}\u{b}\u{c}\n\r\t\u{1b}\u{1f}\u{7f}\u{85}",
        "\u{ad}\u{2028}\u{2029}\u{feff}\u{fffd}\u{ffff}",
        "/slash\\u0041 \\n %41+%2B",
    ];
    let keyed = texts.map(|text| (Some(format!("键-{text}")), text.to_owned()));
    let mut messages = Vec::from(keyed);
    messages.extend(texts.map(|text| (None, text.to_owned())));
    messages.push((Some("of an empty body".to_owned()), String::new()));
    messages.push((Some(String::new()), "an empty key is none".to_owned()));
    messages.push((None, String::new()));
    messages
}

async fn sends_pauses_and_deletes(scene: &Scene) {
    let sdk = scene.session();
    let (task, datahub) = sdk.create_task("story").await;
    assert_eq!(task.replace("task-", "datahub-"), datahub);

    let messages = difficult_messages();
    let ids = sdk.send(&datahub, &messages).await;
    scene
        .assert_stored(&datahub, "story", &ids, &messages)
        .await;

    let by_id = json!({"TaskId": task});
    let send = send_request(&datahub, &messages);
    sdk.ok("PauseDatahubTask", &by_id).await;
    let suspended = (
        "FailedOperation".to_owned(),
        format!("task status suspended [{datahub}]"),
    );
    assert_eq!(sdk.refused("SendMessage", &send).await, suspended);
    let described = sdk.ok("DescribeDatahubTask", &by_id).await;
    assert_eq!(described["Result"]["Status"], 6, "{described}");

    sdk.ok("ResumeDatahubTask", &by_id).await;
    let described = sdk.ok("DescribeDatahubTask", &by_id).await;
    assert_eq!(described["Result"]["Status"], 1, "{described}");
    let again = sdk.send(&datahub, &messages).await;
    let all: Vec<_> = ids.iter().chain(&again).cloned().collect();
    let twice = [&messages[..], &messages[..]].concat();
    scene.assert_stored(&datahub, "story", &all, &twice).await;

    sdk.ok("DeleteDatahubTask", &by_id).await;
    let (code, message) = sdk.refused("SendMessage", &send).await;
    assert_eq!(code, "ResourceNotFound");
    assert!(message.contains(&datahub), "{message}");
    let stored = scene.stored("story").await;
    assert_eq!(stored.len(), twice.len(), "what was refused is not stored");
}

async fn gets_every_refusal_by_its_code(scene: &Scene) {
    let sdk = scene.session();
    let (_, datahub) = sdk.create_task("refusals").await;
    let one = [(None, "a body".to_owned())];
    let refused = async |sdk: &Session, datahub: &str, messages: &[Message]| {
        let request = send_request(datahub, messages);
        sdk.refused("SendMessage", &request).await.0
    };
    assert_eq!(
        refused(&sdk, "datahub-zzzzzzzz", &one).await,
        "ResourceNotFound"
    );
    let many = vec![one[0].clone(); 501];
    assert_eq!(
        refused(&sdk, &datahub, &many).await,
        "InvalidParameterValue"
    );
    let unknown_task = json!({"TaskId": "task-zzzzzzzz"});
    let (code, _) = sdk.refused("PauseDatahubTask", &unknown_task).await;
    assert_eq!(code, "ResourceNotFound");

    let endpoint = scene.replica.running.api.to_string();
    let wrong_key = scene.session_as(&endpoint, SECRET_ID, "not-the-key");
    let code = refused(&wrong_key, &datahub, &one).await;
    assert_eq!(code, "AuthFailure.SignatureFailure");
    let unknown_id = scene.session_as(&endpoint, "AKIDnobody", SECRET_KEY);
    let code = refused(&unknown_id, &datahub, &one).await;
    assert_eq!(code, "AuthFailure.SecretIdNotFound");
    assert_eq!(scene.stored("refusals").await, []);
}

/// What this SDK's JSON makes longer, and by how many bytes.
fn lengthened(sdk: Sdk) -> (&'static str, usize) {
    match sdk {
        // Everything but ASCII as \uXXXX, the crab as two of them.
        Sdk::Python => ("界🦀\u{1}", 3 + 8 + 5),
        // The same, for what is invisible and for control characters.
        Sdk::Node => ("\u{feff}\u{7f}\u{1}界", 3 + 5 + 5),
        // Control characters, and two that end a line in JavaScript only.
        Sdk::Java | Sdk::JavaOfTheGuide => ("\u{2028}\u{1}界", 3 + 5),
        // What means something in HTML, and the two.
        Sdk::Go => ("<&>\u{2029}", 5 + 5 + 5 + 3),
    }
}

/// 5 MiB, in messages without keys, that come near to 10 MiB as JSON.
fn long_messages(sdk: Sdk) -> Vec<Message> {
    const COUNT: usize = 20;
    // What is around the texts: less than that.
    const AROUND: usize = 16 << 10;
    let (unit, more) = lengthened(sdk);
    let length = 5 * MIB / COUNT;
    // Where an escape adds less than the text's own length, it is all escapes.
    let units = ((5 * MIB - AROUND) / COUNT / more).min(length / unit.len());
    let escaped = unit.repeat(units);
    let body = format!("{escaped}{}", "x".repeat(length - escaped.len()));
    vec![(None, body); COUNT]
}

async fn reaches_the_limits_of_size(scene: &Scene) {
    let relay = scene.relay(([127, 0, 0, 1], 0)).await.unwrap();
    let sdk = scene.session_as(relay.address().to_string(), SECRET_ID, SECRET_KEY);
    let (_, datahub) = sdk.create_task("sizes").await;

    let mut messages = long_messages(scene.sdk);
    let before = relay.bytes_from_clients();
    let ids = sdk.send(&datahub, &messages).await;
    let raw = usize::try_from(relay.bytes_from_clients() - before).unwrap();
    // Its own escapes are what this is about: they have to be there.
    assert!(raw > 10 * MIB - (32 << 10), "only {raw} bytes were sent");
    scene
        .assert_stored(&datahub, "sizes", &ids, &messages)
        .await;

    let refused = async |messages: &[Message]| {
        let request = send_request(&datahub, messages);
        sdk.refused("SendMessage", &request).await
    };
    messages[0].1.push('x');
    let (code, message) = refused(&messages).await;
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.contains(&(5 * MIB + 1).to_string()), "{message}");

    // How long a body is with this SDK, the service says itself.
    let plain = |length| [(None, "x".repeat(length))];
    let (code, message) = refused(&plain(10 * MIB)).await;
    assert_eq!(code, "RequestSizeLimitExceeded", "{message}");
    let around = (1..300)
        .find(|around| message.contains(&format!(" {} bytes", 10 * MIB + around)))
        .unwrap_or_else(|| panic!("no length in: {message}"));
    let (code, message) = refused(&plain(10 * MIB - around + 1)).await;
    assert_eq!(code, "RequestSizeLimitExceeded", "{message}");
    assert!(message.contains(&(10 * MIB + 1).to_string()), "{message}");
    let (code, message) = refused(&plain(10 * MIB - around)).await;
    assert_eq!(code, "InvalidParameterValue", "{message}");
    // The largest that the service reads to its end.
    let (code, _) = refused(&plain(15 * MIB)).await;
    assert_eq!(code, "RequestSizeLimitExceeded");
    assert_eq!(scene.stored("sizes").await.len(), ids.len());
}

async fn keeps_its_connection(scene: &Scene) {
    let relay = scene.relay(([127, 0, 0, 1], 0)).await.unwrap();
    let sdk = scene.session_as(relay.address().to_string(), SECRET_ID, SECRET_KEY);
    let (_, datahub) = sdk.create_task("connections").await;
    let one = [(None, "a body".to_owned())];
    let nowhere = send_request("datahub-zzzzzzzz", &one);
    for _ in 0..20 {
        sdk.send(&datahub, &one).await;
        let (code, _) = sdk.refused("SendMessage", &nowhere).await;
        assert_eq!(code, "ResourceNotFound");
    }
    // A refusal for its size costs the connection neither.
    let large = send_request(&datahub, &[(None, "x".repeat(10 * MIB))]);
    let (code, _) = sdk.refused("SendMessage", &large).await;
    assert_eq!(code, "RequestSizeLimitExceeded");
    sdk.send(&datahub, &one).await;
    assert_eq!(relay.connections(), 1);
}

/// Node leaves a default port out of its Host header, the others do not.
async fn uses_the_default_port(scene: &Scene) {
    // Any address of the loopback network will do: its port 80 is free.
    let last = u8::try_from(scene.kafka.port() % 250).unwrap();
    let host = format!("127.80.{}.{}", scene.sdk as u8, last + 1);
    let relay = match scene
        .relay((host.parse::<std::net::Ipv4Addr>().unwrap(), 80))
        .await
    {
        Ok(relay) => relay,
        Err(error) => return skip_note(&host, &error),
    };
    for endpoint in [format!("{host}:80"), host] {
        let sdk = scene.session_as(&endpoint, SECRET_ID, SECRET_KEY);
        let topic = format!("ports{}", endpoint.len());
        let (_, datahub) = sdk.create_task(&topic).await;
        sdk.send(&datahub, &[(None, endpoint)]).await;
    }
    assert!(relay.connections() >= 2);
}

/// Not a matter of what is installed, so CI does not insist on it.
#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skip_note(host: &str, error: &std::io::Error) {
    eprintln!("skipped: cannot listen on port 80 of {host}, which may need more rights: {error}");
}
