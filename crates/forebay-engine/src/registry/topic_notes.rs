//! What is known of topics besides what Kafka keeps of them.
//!
//! Kafka has no place for the API's notes and tags, nor does it tell when a
//! topic was made. They lie in the registry's log, under `topic/<instance>/
//! <topic>`: values like the others, one key for each topic, the last writer
//! wins. A topic without such a record is as good as any other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Context, Handler, Message, ResponseFuture};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::actor::TaskRegistryActor;
use super::error::RegistryError;
use super::log::{AppendError, LogRecord};
use crate::task::Tag;

const PREFIX: &str = "topic/";

/// Written into values; see [`super::log_record`].
const VERSION: u32 = 1;

/// A topic of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TopicKey {
    /// The instance's id.
    pub instance: String,
    /// The topic's name.
    pub topic: String,
}

impl TopicKey {
    /// The topic of that name.
    pub fn new(instance: &str, topic: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            topic: topic.to_owned(),
        }
    }

    /// Names of topics have no slash.
    fn parse(key: &[u8]) -> Option<Self> {
        let key = std::str::from_utf8(key).ok()?.strip_prefix(PREFIX)?;
        let (instance, topic) = key.rsplit_once('/')?;
        Some(Self::new(instance, topic))
    }

    fn record(&self, notes: Option<&TopicNotes>) -> LogRecord {
        let value = notes.map(|notes| {
            let json = NotesJson {
                v: VERSION,
                notes: notes.clone(),
            };
            serde_json::to_vec(&json).expect("notes have string keys only")
        });
        LogRecord {
            key: format!("{PREFIX}{}/{}", self.instance, self.topic).into_bytes(),
            value,
        }
    }
}

/// What is known of a topic besides what Kafka keeps of it. Times are Unix
/// milliseconds, 0 where unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopicNotes {
    /// Free text.
    pub note: String,
    /// Tags.
    pub tags: Vec<Tag>,
    /// When it was created, by way of Forebay.
    pub created_ms: i64,
    /// When its retention was last set, by way of Forebay.
    pub retention_set_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct NotesJson {
    #[serde(default)]
    v: u32,
    #[serde(flatten)]
    notes: TopicNotes,
}

/// The notes of all topics that have any; cheap to clone, copied on change.
#[derive(Clone, Debug, Default)]
pub(super) struct NotesByTopic(Arc<HashMap<TopicKey, TopicNotes>>);

impl NotesByTopic {
    /// Applies a record; `false`: it is not about a topic.
    pub(super) fn apply(&mut self, offset: i64, record: &LogRecord) -> bool {
        let Some(key) = TopicKey::parse(&record.key) else {
            return false;
        };
        let notes = record.value.as_deref().and_then(|value| {
            serde_json::from_slice(value)
                .inspect_err(|error| {
                    tracing::error!(offset, topic = key.topic, %error, "a topic's notes are unreadable: left out");
                })
                .ok()
        });
        let all = Arc::make_mut(&mut self.0);
        match notes {
            Some(NotesJson { notes, .. }) => drop(all.insert(key, notes)),
            None => drop(all.remove(&key)),
        }
        true
    }
}

/// What is shown to all threads: the notes as of a position in the log.
#[derive(Debug, Default)]
struct Shown {
    position: i64,
    notes: NotesByTopic,
}

/// The writing end, the actor's.
#[derive(Clone, Debug)]
pub(super) struct NotesWriter(watch::Sender<Shown>);

/// A cheap, shared view of the topics' notes.
#[derive(Clone, Debug)]
pub struct TopicNotesHandle(watch::Receiver<Shown>);

impl NotesWriter {
    pub(super) fn new() -> (Self, TopicNotesHandle) {
        let (sender, receiver) = watch::channel(Shown::default());
        (Self(sender), TopicNotesHandle(receiver))
    }

    /// `position`: the offset of the next record to be read.
    pub(super) fn show(&self, position: i64, notes: &NotesByTopic) {
        self.0.send_replace(Shown {
            position,
            notes: notes.clone(),
        });
    }
}

impl TopicNotesHandle {
    /// The notes of a topic; all empty where there are none.
    pub fn get(&self, key: &TopicKey) -> TopicNotes {
        let shown = self.0.borrow();
        shown.notes.0.get(key).cloned().unwrap_or_default()
    }

    async fn await_past(mut self, offset: i64, limit: Duration) -> Result<(), RegistryError> {
        let passed = self.0.wait_for(|shown| shown.position > offset);
        match tokio::time::timeout(limit, passed).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(RegistryError::Unknown(
                "the task registry was stopped".into(),
            )),
            Err(_) => Err(RegistryError::Unknown(format!(
                "stored in the registry's log at offset {offset}, but not read back in time"
            ))),
        }
    }
}

/// Sets the notes of a topic, or forgets them. Answered once this replica
/// shows them.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), RegistryError>")]
pub struct NoteTopic {
    /// Which topic.
    pub key: TopicKey,
    /// `None`: there are none any more.
    pub notes: Option<TopicNotes>,
}

impl Handler<NoteTopic> for TaskRegistryActor {
    type Result = ResponseFuture<Result<(), RegistryError>>;

    fn handle(&mut self, message: NoteTopic, _: &mut Context<Self>) -> Self::Result {
        let ready = self.check_ready();
        let log = Arc::clone(&self.log);
        let (shown, limit) = (self.notes_handle.clone(), self.config.call_deadline);
        Box::pin(async move {
            ready?;
            let record = message.key.record(message.notes.as_ref());
            match log.append(vec![record]).await {
                Ok(offset) => shown.await_past(offset, limit).await,
                Err(AppendError::NotStored(reason)) => Err(RegistryError::NotStored(reason)),
                Err(AppendError::Unknown(reason)) => Err(RegistryError::Unknown(reason)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(note: &str) -> TopicNotes {
        TopicNotes {
            note: note.to_owned(),
            tags: vec![Tag {
                key: "k".to_owned(),
                value: "v".to_owned(),
            }],
            created_ms: 7,
            retention_set_ms: 0,
        }
    }

    #[test]
    fn the_last_record_counts_and_a_tombstone_forgets() {
        let key = TopicKey::new("ckafka-forebay0", "a.b_c");
        let mut all = NotesByTopic::default();
        assert!(all.apply(0, &key.record(Some(&notes("one")))));
        let before = all.clone();
        assert!(all.apply(1, &key.record(Some(&notes("two")))));
        assert_eq!(all.0.get(&key), Some(&notes("two")));
        assert_eq!(before.0.get(&key), Some(&notes("one")), "a view stays");
        assert!(all.apply(2, &key.record(None)));
        assert!(all.0.is_empty());
    }

    #[test]
    fn other_keys_and_unreadable_values_are_no_notes() {
        let mut all = NotesByTopic::default();
        let record = |key: &str, value: &str| LogRecord {
            key: key.as_bytes().to_vec(),
            value: Some(value.as_bytes().to_vec()),
        };
        assert!(!all.apply(0, &record("spec/task-abcdefgh", "{}")));
        assert!(!all.apply(0, &record("topic/no-instance", "{}")));
        assert!(all.apply(0, &record("topic/i/t", r#"{"v":9,"note":"n","new":1}"#)));
        assert_eq!(all.0[&TopicKey::new("i", "t")].note, "n");
        assert!(all.apply(1, &record("topic/i/t", "{")));
        assert!(all.0.is_empty());
    }
}
