//! What others ask of the registry's actor.

use actix::Message;

use super::error::RegistryError;
use crate::task::{NewTask, Task, TaskSpec};

/// The answer to every call: the task as it was when the call took effect.
pub type TaskReply = Result<Task, RegistryError>;

/// Creates a running task. Answers `NameTaken` also when another replica's
/// task of that name came first.
#[derive(Clone, Debug, Message)]
#[rtype(result = "TaskReply")]
pub struct CreateTask {
    /// The task.
    pub spec: NewTask,
}

/// Changes what is `Some`, leaves the rest. Of concurrent modifies of
/// different fields all take effect; of one field, one of them.
#[derive(Clone, Debug, Default, Message)]
#[rtype(result = "TaskReply")]
pub struct ModifyTask {
    /// Which task.
    pub task_id: String,
    /// The new name.
    pub name: Option<String>,
    /// The new description.
    pub description: Option<String>,
    /// See [`TaskSpec::tasks_max`].
    pub tasks_max: Option<i64>,
    /// See [`TaskSpec::sync_throttle_limit`].
    pub sync_throttle_limit: Option<i64>,
    /// See [`TaskSpec::auto_expand`].
    pub auto_expand: Option<bool>,
}

impl ModifyTask {
    /// The spec with the changes made.
    pub(super) fn patch(&self, spec: &TaskSpec) -> TaskSpec {
        let mut spec = spec.clone();
        if let Some(name) = &self.name {
            spec.name.clone_from(name);
        }
        if let Some(description) = &self.description {
            spec.description.clone_from(description);
        }
        spec.tasks_max = self.tasks_max.unwrap_or(spec.tasks_max);
        spec.sync_throttle_limit = self.sync_throttle_limit.unwrap_or(spec.sync_throttle_limit);
        spec.auto_expand = self.auto_expand.unwrap_or(spec.auto_expand);
        spec
    }
}

/// Pauses the task with this id; succeeds when it is paused already. Once
/// answered, this replica takes no message for it, and every replica whose
/// tail is current stops within its next read.
#[derive(Clone, Debug, Message)]
#[rtype(result = "TaskReply")]
pub struct PauseTask(pub String);

/// Resumes the task with this id; succeeds when it is running already.
#[derive(Clone, Debug, Message)]
#[rtype(result = "TaskReply")]
pub struct ResumeTask(pub String);

/// Deletes the task with this id, for good; answers the deleted task.
#[derive(Clone, Debug, Message)]
#[rtype(result = "TaskReply")]
pub struct DeleteTask(pub String);

/// Stops the registry for good.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StopRegistry;
