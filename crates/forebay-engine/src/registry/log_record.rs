//! The log's records: keys `spec/<TaskId>` and `run/<TaskId>`, JSON values.
//!
//! Values, never commands: each record holds all of its key's state, so that
//! the latest record of a key is all there is to know of it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::log::LogRecord;
use crate::task::{RunState, TaskId, TaskSpec};

/// The version written into values. A reader takes any; a change that older
/// readers must not misread gets new keys instead.
const VERSION: u32 = 1;

/// Names one write, so that its writer knows it again when reading it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriteId(String);

impl WriteId {
    /// A fresh one; 64 random bits.
    pub fn random() -> Self {
        let mut bytes = [0_u8; 8];
        getrandom::fill(&mut bytes).expect("the system's random source works");
        Self(format!("{:016x}", u64::from_be_bytes(bytes)))
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of a task's two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// `spec/…`: everything but the run state.
    Spec,
    /// `run/…`: the run state.
    Run,
}

impl KeyKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Spec => "spec/",
            Self::Run => "run/",
        }
    }

    /// The tombstone of this key.
    pub fn tombstone(self, task: &TaskId) -> LogRecord {
        LogRecord {
            key: self.key(task),
            value: None,
        }
    }

    fn key(self, task: &TaskId) -> Vec<u8> {
        format!("{}{task}", self.prefix()).into_bytes()
    }

    /// What a record's key means; `None` for keys that are not ours.
    pub fn parse(key: &[u8]) -> Option<(Self, TaskId)> {
        let key = std::str::from_utf8(key).ok()?;
        [Self::Spec, Self::Run].into_iter().find_map(|kind| {
            let id = TaskId::parse(key.strip_prefix(kind.prefix())?)?;
            Some((kind, id))
        })
    }
}

/// Which change of a field is the newest: the one with more changes before
/// it; of concurrent ones, either, but the same everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp(u64, WriteId);

impl Stamp {
    /// The stamp of a change by `write`.
    pub fn next(&self, write: &WriteId) -> Self {
        Self(self.0.saturating_add(1), write.clone())
    }
}

/// The stamps of the fields that can be modified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stamps {
    /// Of the name.
    pub name: Stamp,
    /// Of the description.
    pub description: Stamp,
    /// Of `tasks_max`.
    pub tasks_max: Stamp,
    /// Of `sync_throttle_limit`.
    pub sync_throttle_limit: Stamp,
    /// Of `auto_expand`.
    pub auto_expand: Stamp,
}

/// The value of a `spec/` key.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecValue {
    /// The write that made this record.
    pub write: WriteId,
    /// The write whose value this one changed; `None` where it created the task.
    pub base: Option<WriteId>,
    /// Offset of the record that took the task's name; `None`: this record.
    pub claim: Option<i64>,
    /// How new each field is.
    pub stamps: Stamps,
    /// The task.
    pub spec: Arc<TaskSpec>,
    /// Fields of newer versions, kept so that an older replica's modify does
    /// not drop them.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct SpecJson {
    #[serde(default)]
    v: u32,
    write: WriteId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<WriteId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<i64>,
    #[serde(default)]
    stamps: Stamps,
    #[serde(flatten)]
    spec: TaskSpec,
    #[serde(flatten)]
    extra: serde_json::Map<String, serde_json::Value>,
}

impl SpecValue {
    /// The record of this value.
    pub fn to_record(&self) -> LogRecord {
        let json = SpecJson {
            v: VERSION,
            write: self.write.clone(),
            base: self.base.clone(),
            claim: self.claim,
            stamps: self.stamps.clone(),
            spec: TaskSpec::clone(&self.spec),
            extra: self.extra.clone(),
        };
        LogRecord {
            key: KeyKind::Spec.key(&self.spec.task_id),
            value: Some(serde_json::to_vec(&json).expect("a spec has string keys only")),
        }
    }

    /// Reads a value; it must be about the key's task.
    pub fn parse(task: &TaskId, value: &[u8]) -> Result<Self, UnreadableValue> {
        let json: SpecJson = serde_json::from_slice(value)?;
        if json.spec.task_id != *task {
            return Err(UnreadableValue::OtherTask {
                key: task.clone(),
                value: json.spec.task_id,
            });
        }
        Ok(Self {
            write: json.write,
            base: json.base,
            claim: json.claim,
            stamps: json.stamps,
            spec: Arc::new(json.spec),
            extra: json.extra,
        })
    }
}

/// The value of a `run/` key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunValue {
    /// The write that made this record.
    pub write: WriteId,
    /// The run state.
    pub state: RunState,
}

#[derive(Serialize, Deserialize)]
struct RunJson {
    #[serde(default)]
    v: u32,
    write: WriteId,
    state: RunState,
}

impl RunValue {
    /// The record of this value.
    pub fn to_record(&self, task: &TaskId) -> LogRecord {
        let json = RunJson {
            v: VERSION,
            write: self.write.clone(),
            state: self.state,
        };
        LogRecord {
            key: KeyKind::Run.key(task),
            value: Some(serde_json::to_vec(&json).expect("a run state has string keys only")),
        }
    }

    /// Reads a value.
    pub fn parse(value: &[u8]) -> Result<Self, UnreadableValue> {
        let json: RunJson = serde_json::from_slice(value)?;
        Ok(Self {
            write: json.write,
            state: json.state,
        })
    }
}

/// A value that this version cannot read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableValue {
    /// Not the JSON expected.
    #[error("expected a registry value: {0}")]
    Json(#[from] serde_json::Error),
    /// The value is about another task than its key.
    #[error("expected a value about {key}, got one about {value}")]
    OtherTask {
        /// The key's task.
        key: TaskId,
        /// The value's task.
        value: TaskId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{NewTask, Target, TargetKind};

    fn value() -> SpecValue {
        let target = Target {
            kind: TargetKind::Kafka,
            instance: "ckafka-forebay0".into(),
            topic: "t".into(),
            auto_create: false,
            partition_num: Some(3),
        };
        let id = TaskId::parse("task-abcdefgh").unwrap();
        SpecValue {
            write: WriteId::random(),
            base: None,
            claim: Some(7),
            stamps: Stamps::default(),
            spec: Arc::new(NewTask::new("n", target).into_spec(id, 1)),
            extra: serde_json::Map::new(),
        }
    }

    #[test]
    fn values_survive_the_log() {
        let value = value();
        let record = value.to_record();
        assert_eq!(record.key, b"spec/task-abcdefgh");
        let (kind, id) = KeyKind::parse(&record.key).unwrap();
        assert_eq!(kind, KeyKind::Spec);
        assert_eq!(
            SpecValue::parse(&id, &record.value.unwrap()).unwrap(),
            value
        );
        let run = RunValue {
            write: WriteId::random(),
            state: RunState::Paused,
        };
        let record = run.to_record(&id);
        assert_eq!(record.key, b"run/task-abcdefgh");
        assert_eq!(RunValue::parse(&record.value.unwrap()).unwrap(), run);
    }

    #[test]
    fn fields_of_a_newer_version_are_carried_on() {
        let value = value();
        let mut json: serde_json::Value =
            serde_json::from_slice(&value.to_record().value.unwrap()).unwrap();
        json["v"] = 9.into();
        json["colour"] = "green".into();
        let read =
            SpecValue::parse(&value.spec.task_id, &serde_json::to_vec(&json).unwrap()).unwrap();
        assert_eq!(read.spec, value.spec);
        assert_eq!(read.extra.len(), 1);
        let again: serde_json::Value =
            serde_json::from_slice(&read.to_record().value.unwrap()).unwrap();
        assert_eq!(again["colour"], "green");
    }

    #[test]
    fn a_value_about_another_task_is_unreadable() {
        let other = TaskId::parse("task-zzzzzzzz").unwrap();
        let bytes = value().to_record().value.unwrap();
        assert!(SpecValue::parse(&other, &bytes).is_err());
        assert!(SpecValue::parse(&other, b"{").is_err());
        assert!(RunValue::parse(br#"{"write":"x","state":"flying"}"#).is_err());
    }

    #[test]
    fn keys_that_are_not_ours_are_told_apart() {
        for key in [
            &b"spec/"[..],
            b"run/task-1",
            b"\xff\xfe",
            b"other/task-abcdefgh",
            b"spec/task-abcdefgh/x",
        ] {
            assert!(KeyKind::parse(key).is_none());
        }
    }
}
