//! Load whose every message can be told apart, and the check that what its
//! senders were told is what the topic holds.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use forebay_api::MessageId;
use forebay_testkit::StoredRecord;

use super::{Client, signed};

/// What the sender of one message was told.
#[derive(Clone, Debug)]
pub enum Told {
    Stored(MessageId),
    NotStored,
    Unknown,
    /// Turned away by this code: nothing was begun.
    Refused(String),
}

/// One message: its value is `<connection>/<request>/<index>`.
#[derive(Clone, Debug)]
pub struct Sent {
    pub key: Option<String>,
    pub value: String,
    pub told: Told,
}

#[derive(Default)]
pub struct LoadState {
    pub stop: AtomicBool,
    pub messages: AtomicUsize,
    pub failures: AtomicUsize,
}

#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub datahub: String,
    pub per_request: usize,
    /// The longest that a request may take.
    pub deadline: Duration,
    pub pause: Duration,
    /// Codes of refusals that belong to the test.
    pub refusals: &'static [&'static str],
}

impl Load {
    /// Sends on one connection at a time until told to stop. In each request the first
    /// half of the messages has keys, the rest none.
    pub async fn run(self, connection: usize, state: Arc<LoadState>) -> Vec<Sent> {
        let mut client = Client::connect(self.address).await;
        let mut sent = Vec::new();
        for request in 0.. {
            if state.stop.load(Ordering::Relaxed) {
                break;
            }
            let (messages, body) = self.request(connection, request);
            let begun = Instant::now();
            client.send(&signed("SendMessage", body.as_bytes())).await;
            let answer = client.answer().await;
            assert!(
                begun.elapsed() < self.deadline,
                "a request took {:?}",
                begun.elapsed()
            );
            // The server is on its way out, as it says.
            if answer.header("connection") == Some("close") {
                client = Client::connect(self.address).await;
            }
            let told = self.told(&answer.response(), messages.len());
            state.messages.fetch_add(messages.len(), Ordering::Relaxed);
            if !matches!(told[0], Told::Stored(_)) {
                state.failures.fetch_add(1, Ordering::Relaxed);
            }
            sent.extend(
                messages
                    .into_iter()
                    .zip(told)
                    .map(|((key, value), told)| Sent { key, value, told }),
            );
            tokio::time::sleep(self.pause).await;
        }
        sent
    }

    fn request(
        &self,
        connection: usize,
        request: usize,
    ) -> (Vec<(Option<String>, String)>, String) {
        let mut body = format!(r#"{{"DataHubId":"{}","Message":["#, self.datahub);
        let mut messages = Vec::new();
        for index in 0..self.per_request {
            let key = (index < self.per_request / 2).then(|| format!("key-{}", index % 5));
            let value = format!("{connection}/{request}/{index}");
            let comma = if index == 0 { "" } else { "," };
            let key_json = key.as_ref().map(|key| format!(r#","Key":"{key}""#));
            write!(
                body,
                r#"{comma}{{"Body":"{value}"{}}}"#,
                key_json.unwrap_or_default()
            )
            .unwrap();
            messages.push((key, value));
        }
        body.push_str("]}");
        (messages, body)
    }
}

impl Load {
    fn told(&self, response: &serde_json::Value, count: usize) -> Vec<Told> {
        match response["Error"]["Code"].as_str() {
            Some(code) if is_refusal(response) && self.refusals.contains(&code) => {
                vec![Told::Refused(code.to_owned()); count]
            }
            _ => told(response, count),
        }
    }
}

/// Not one of the errors that tell what became of the messages.
fn is_refusal(response: &serde_json::Value) -> bool {
    let text = response["Error"]["Message"].as_str().unwrap();
    !["partly stored: ", "delivery unknown: ", "not stored: "]
        .iter()
        .any(|start| text.starts_with(start))
}

fn told(response: &serde_json::Value, count: usize) -> Vec<Told> {
    let id = |id: &serde_json::Value| {
        Told::Stored(
            id.as_str()
                .unwrap()
                .parse()
                .expect("a MessageId of six fields"),
        )
    };
    if let Some(ids) = response["MessageId"].as_array() {
        assert_eq!(ids.len(), count, "never a short list");
        return ids.iter().map(id).collect();
    }
    let code = response["Error"]["Code"].as_str().unwrap();
    let text = response["Error"]["Message"].as_str().unwrap();
    if let Some(detail) = text.strip_prefix("partly stored: ") {
        assert_eq!(code, "FailedOperation");
        let detail: serde_json::Value = serde_json::from_str(detail).unwrap();
        let lists = |name: &str, index: usize| {
            detail[name]
                .as_array()
                .unwrap()
                .contains(&serde_json::json!(index))
        };
        return (0..count)
            .map(|index| match &detail["stored"][index.to_string()] {
                serde_json::Value::Null if lists("not_stored", index) => Told::NotStored,
                serde_json::Value::Null if lists("unknown", index) => Told::Unknown,
                serde_json::Value::Null => panic!("nothing is said of message {index}: {text}"),
                stored => id(stored),
            })
            .collect();
    }
    match (code, text) {
        ("FailedOperation", text) if text.starts_with("delivery unknown: ") => {
            vec![Told::Unknown; count]
        }
        ("ResourceUnavailable.KafkaStorageError", text) if text.starts_with("not stored: ") => {
            vec![Told::NotStored; count]
        }
        _ => panic!("unexpected refusal {code}: {text}"),
    }
}

/// How often each answer was given.
#[derive(Debug, Default)]
pub struct Tally {
    pub stored: usize,
    pub not_stored: usize,
    pub unknown: usize,
    pub refused: usize,
}

/// Every MessageId is true, nothing that was acknowledged is missing, nothing
/// is there twice, nothing is there that was reported as not stored, and each
/// connection's messages of a key are in order.
pub fn check(sent: &[Vec<Sent>], topic: &[StoredRecord]) -> Tally {
    let mut by_value: HashMap<&str, &StoredRecord> = HashMap::new();
    for record in topic {
        let value = std::str::from_utf8(record.value.as_ref().unwrap()).unwrap();
        let twice = by_value.insert(value, record);
        assert!(
            twice.is_none(),
            "{value} is stored twice: {twice:?} and {record:?}"
        );
    }
    let mut tally = Tally::default();
    for connection in sent {
        let mut last: HashMap<(Option<&str>, i32), i64> = HashMap::new();
        for message in connection {
            let found = by_value.remove(message.value.as_str());
            match &message.told {
                Told::Stored(id) => {
                    tally.stored += 1;
                    let record = found.unwrap_or_else(|| panic!("{message:?} is lost"));
                    assert_eq!((record.partition, record.offset), (id.partition, id.offset));
                    let key = record.key.as_ref().map(|key| key.to_vec());
                    assert_eq!(key, message.key.clone().map(String::into_bytes));
                    assert_eq!(record.timestamp, id.received_ms);
                    assert!(id.received_ms <= id.sent_ms);
                    let place = (message.key.as_deref(), id.partition);
                    if message.key.is_some() {
                        let before = last.insert(place, id.offset);
                        assert!(before < Some(id.offset), "{message:?} is out of order");
                    }
                }
                Told::NotStored | Told::Refused(_) => {
                    if matches!(message.told, Told::NotStored) {
                        tally.not_stored += 1;
                    } else {
                        tally.refused += 1;
                    }
                    assert!(
                        found.is_none(),
                        "{message:?} is stored all the same: {found:?}"
                    );
                }
                Told::Unknown => tally.unknown += 1,
            }
        }
    }
    assert!(
        by_value.is_empty(),
        "records that nobody sent: {by_value:?}"
    );
    tally
}
