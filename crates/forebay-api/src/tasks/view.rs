//! A task as the API shows it.

use serde::Serialize;

use super::target::TaskTarget;

/// A task's present state, from which the answers are made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TaskView {
    /// `task-xxxxxxxx`.
    pub task_id: String,
    /// `datahub-xxxxxxxx`.
    pub datahub_id: String,
    /// TaskName.
    pub name: String,
    /// Free text, may be empty.
    pub description: String,
    /// Status.
    pub status: TaskStatus,
    /// Where the messages go.
    pub target: TaskTarget,
    /// Creation, in Unix milliseconds.
    pub created_ms: i64,
    /// Tags, in the order given.
    pub tags: Vec<Tag>,
    /// TaskMax; default 1.
    pub task_max: i64,
    /// SyncThrottleLimit in MB/s; default 20.
    pub sync_throttle_limit: i64,
    /// AutoExpandFlag; default true.
    pub auto_expand: bool,
    /// What is wrong; empty when nothing is.
    pub error_message: String,
    /// What is worth a warning; empty when nothing is.
    pub warn_message: String,
}

/// A tag, in requests and answers.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Tag {
    /// TagKey.
    #[serde(rename = "TagKey")]
    pub key: String,
    /// TagValue.
    #[serde(rename = "TagValue")]
    pub value: String,
}

/// `Status` of a task, by the API's numbers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TaskStatus {
    /// -1
    CreationFailed,
    /// 0
    Creating,
    /// 1
    Running,
    /// 2
    Deleting,
    /// 3
    Deleted,
    /// 4
    DeletionFailed,
    /// 5
    Pausing,
    /// 6
    Paused,
    /// 7
    PausingFailed,
    /// 8
    Resuming,
    /// 9
    ResumingFailed,
}

impl TaskStatus {
    /// The number on the wire.
    pub const fn code(self) -> i64 {
        match self {
            Self::CreationFailed => -1,
            Self::Creating => 0,
            Self::Running => 1,
            Self::Deleting => 2,
            Self::Deleted => 3,
            Self::DeletionFailed => 4,
            Self::Pausing => 5,
            Self::Paused => 6,
            Self::PausingFailed => 7,
            Self::Resuming => 8,
            Self::ResumingFailed => 9,
        }
    }
}

impl Serialize for TaskStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.code())
    }
}
