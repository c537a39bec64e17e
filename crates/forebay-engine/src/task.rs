//! Tasks: what joins an access point to a topic.
//!
//! These types are both what the HTTP side works with and what the registry's
//! log stores as JSON. Fields are only ever added, each with a default, and
//! unknown ones are ignored, so that replicas of neighbouring versions share
//! one log.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

const TASK_PREFIX: &str = "task-";
const DATAHUB_PREFIX: &str = "datahub-";
const SUFFIX_LEN: usize = 8;
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

fn is_suffix(text: &str) -> bool {
    text.len() == SUFFIX_LEN
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A task's id: `task-` and eight of `[a-z0-9]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(String);

impl TaskId {
    /// The id, if `text` has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let suffix = text.strip_prefix(TASK_PREFIX)?;
        is_suffix(suffix).then(|| Self(text.to_owned()))
    }

    /// A fresh random id. The caller checks it against the ids in use; the
    /// odds of a clash are one in 36⁸ per existing task.
    pub fn random() -> Self {
        let mut text = String::with_capacity(TASK_PREFIX.len() + SUFFIX_LEN);
        text.push_str(TASK_PREFIX);
        while text.len() < TASK_PREFIX.len() + SUFFIX_LEN {
            let mut bytes = [0_u8; 16];
            getrandom::fill(&mut bytes).expect("the system's random source works");
            // 252 = 7 * 36: larger bytes would favour the alphabet's start.
            for byte in bytes.into_iter().filter(|byte| *byte < 252) {
                if text.len() < TASK_PREFIX.len() + SUFFIX_LEN {
                    text.push(char::from(ALPHABET[usize::from(byte % 36)]));
                }
            }
        }
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The eight characters that the task's access point shares.
    pub fn suffix(&self) -> &str {
        &self.0[TASK_PREFIX.len()..]
    }

    /// The id of the task's access point.
    pub fn datahub_id(&self) -> DatahubId {
        DatahubId([DATAHUB_PREFIX, self.suffix()].concat())
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.0
    }
}

impl TryFrom<String> for TaskId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text).ok_or(InvalidId {
            expected: TASK_PREFIX,
            text,
        })
    }
}

/// An access point's id: `datahub-` and its task's eight characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatahubId(String);

impl DatahubId {
    /// The id, if `text` has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let suffix = text.strip_prefix(DATAHUB_PREFIX)?;
        is_suffix(suffix).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the task behind the access point.
    pub fn task_id(&self) -> TaskId {
        TaskId(format!("{TASK_PREFIX}{}", &self.0[DATAHUB_PREFIX.len()..]))
    }
}

impl fmt::Display for DatahubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<DatahubId> for String {
    fn from(id: DatahubId) -> Self {
        id.0
    }
}

impl TryFrom<String> for DatahubId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text).ok_or(InvalidId {
            expected: DATAHUB_PREFIX,
            text,
        })
    }
}

/// A text that is not an id of the expected kind.
#[derive(Debug, thiserror::Error)]
#[error("expected {expected} and eight of [a-z0-9], got {text:?}")]
pub struct InvalidId {
    expected: &'static str,
    text: String,
}

/// How the API names a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetKind {
    /// `KAFKA`: an instance and a topic.
    Kafka,
    /// `TOPIC`: an elastic topic, by its name alone.
    Topic,
}

/// Where a task's messages go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// How the API names this target.
    pub kind: TargetKind,
    /// The instance's id, as in `ckafka-forebay0`.
    pub instance: String,
    /// The Kafka topic.
    pub topic: String,
    /// Whether the task's creation made a missing topic.
    #[serde(default)]
    pub auto_create: bool,
    /// The partitions asked for at creation, if any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_num: Option<i32>,
}

/// A tag of the API, kept and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The tag's key.
    pub key: String,
    /// The tag's value.
    #[serde(default)]
    pub value: String,
}

fn default_tasks_max() -> i64 {
    1
}

fn default_sync_throttle_limit() -> i64 {
    20
}

fn default_auto_expand() -> bool {
    true
}

/// Everything about a task but its run state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// The task's id; never changes, never used again.
    pub task_id: TaskId,
    /// Unique among the tasks.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Where its messages go; never changes.
    pub target: Target,
    /// Requests per second; 0 is no limit.
    #[serde(default)]
    pub qps_limit: u64,
    /// Creation time, Unix milliseconds.
    #[serde(default)]
    pub created_ms: i64,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// `TasksMax` of the API, kept and shown.
    #[serde(default = "default_tasks_max")]
    pub tasks_max: i64,
    /// `SyncThrottleLimit` of the API (MB/s), kept and shown.
    #[serde(default = "default_sync_throttle_limit")]
    pub sync_throttle_limit: i64,
    /// `AutoExpandFlag` of the API, kept and shown.
    #[serde(default = "default_auto_expand")]
    pub auto_expand: bool,
}

impl TaskSpec {
    /// The id of the task's access point.
    pub fn datahub_id(&self) -> DatahubId {
        self.task_id.datahub_id()
    }
}

/// A task to be created: [`TaskSpec`] without what the registry assigns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// A fixed id; normally none, then a random one is assigned. Ids must
    /// never be used again after a deletion.
    pub task_id: Option<TaskId>,
    /// See [`TaskSpec::name`].
    pub name: String,
    /// See [`TaskSpec::description`].
    pub description: String,
    /// See [`TaskSpec::target`].
    pub target: Target,
    /// See [`TaskSpec::qps_limit`].
    pub qps_limit: u64,
    /// See [`TaskSpec::tags`].
    pub tags: Vec<Tag>,
    /// See [`TaskSpec::tasks_max`].
    pub tasks_max: i64,
    /// See [`TaskSpec::sync_throttle_limit`].
    pub sync_throttle_limit: i64,
    /// See [`TaskSpec::auto_expand`].
    pub auto_expand: bool,
}

impl NewTask {
    /// A task with the defaults of everything but name and target.
    pub fn new(name: impl Into<String>, target: Target) -> Self {
        Self {
            task_id: None,
            name: name.into(),
            description: String::new(),
            target,
            qps_limit: 0,
            tags: Vec::new(),
            tasks_max: default_tasks_max(),
            sync_throttle_limit: default_sync_throttle_limit(),
            auto_expand: default_auto_expand(),
        }
    }

    pub(crate) fn into_spec(self, task_id: TaskId, created_ms: i64) -> TaskSpec {
        TaskSpec {
            task_id,
            name: self.name,
            description: self.description,
            target: self.target,
            qps_limit: self.qps_limit,
            created_ms,
            tags: self.tags,
            tasks_max: self.tasks_max,
            sync_throttle_limit: self.sync_throttle_limit,
            auto_expand: self.auto_expand,
        }
    }
}

/// Whether a task takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Messages are taken.
    Running,
    /// Messages are refused.
    Paused,
}

/// A task as the registry last knew it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Everything but the run state.
    pub spec: Arc<TaskSpec>,
    /// The run state.
    pub run: RunState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_form_and_share_their_suffix() {
        let id = TaskId::random();
        assert_eq!(TaskId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(id.datahub_id().task_id(), id);
        assert_ne!(TaskId::random(), id);
        for bad in [
            "",
            "task-",
            "task-1234567",
            "task-123456789",
            "task-ABCDEFGH",
            "task-äbcdefg",
            "datahub-abcdefgh",
        ] {
            assert_eq!(TaskId::parse(bad), None, "{bad}");
        }
        assert!(serde_json::from_str::<TaskId>("\"task-!\"").is_err());
        assert_eq!(DatahubId::parse("task-abcdefgh"), None);
    }

    #[test]
    fn a_spec_of_an_older_and_of_a_newer_version_is_read() {
        let spec: TaskSpec = serde_json::from_str(
            r#"{"task_id":"task-abcdefgh","name":"n","from_the_future":{"a":[1]},
                "target":{"kind":"TOPIC","instance":"ckafka-forebay0","topic":"t","shiny":true}}"#,
        )
        .unwrap();
        assert_eq!(spec.tasks_max, 1);
        assert_eq!(spec.sync_throttle_limit, 20);
        assert!(spec.auto_expand);
        assert_eq!(spec.qps_limit, 0);
        assert_eq!(spec.target.kind, TargetKind::Topic);
    }
}
