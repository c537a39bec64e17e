//! The calls that wait for their record to be read back.

use std::collections::{BTreeMap, HashMap};

use actix::SpawnHandle;
use tokio::sync::oneshot;

use super::error::RegistryError;
use super::log_record::WriteId;
use super::messages::{ModifyTask, TaskReply};
use crate::task::{RunState, Task, TaskId};

/// What a call wants.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Create,
    Modify {
        patch: ModifyTask,
        /// The task's name before.
        name: String,
    },
    Run(RunState),
    Delete(Task),
}

/// One waiting call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) wanted: Wanted,
    pub(super) task: TaskId,
    /// The write that is waited for.
    pub(super) write: WriteId,
    /// The last offset of the write, once it is acknowledged.
    pub(super) stored_at: Option<i64>,
    /// Where the table tells, if the tail has passed the record unseen.
    pub(super) settles_at: Option<i64>,
    /// Why the write's outcome is unknown, if it is.
    pub(super) uncertain: Option<String>,
    /// An earlier write of this call was stored (a modify that is merged).
    pub(super) rewritten: bool,
    /// Decided: this is the answer as soon as the repair is read back.
    pub(super) refusal: Option<RegistryError>,
    pub(super) reply: oneshot::Sender<TaskReply>,
    pub(super) timer: SpawnHandle,
}

impl Call {
    /// What to say when the deadline comes.
    pub(super) fn expired(&self) -> RegistryError {
        if let Some(refusal) = &self.refusal {
            return refusal.clone();
        }
        RegistryError::Unknown(match (&self.stored_at, &self.uncertain) {
            (Some(offset), _) => {
                format!(
                    "stored in the registry's log at offset {offset}, but not read back in time"
                )
            }
            (None, Some(text)) => text.clone(),
            (None, None) => "the registry's log did not answer in time".into(),
        })
    }
}

/// All waiting calls; bounded.
#[derive(Debug)]
pub(super) struct Calls {
    limit: usize,
    next_id: u64,
    by_id: BTreeMap<u64, Call>,
    by_write: HashMap<WriteId, u64>,
}

impl Calls {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            next_id: 0,
            by_id: BTreeMap::new(),
            by_write: HashMap::new(),
        }
    }

    /// The id of the next call, if one more may wait.
    pub(super) fn reserve(&mut self) -> Result<u64, RegistryError> {
        if self.by_id.len() >= self.limit {
            return Err(RegistryError::TooManyCalls { limit: self.limit });
        }
        self.next_id += 1;
        Ok(self.next_id)
    }

    pub(super) fn insert(&mut self, id: u64, call: Call) {
        self.by_write.insert(call.write.clone(), id);
        self.by_id.insert(id, call);
    }

    pub(super) fn get(&self, id: u64) -> Option<&Call> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Call> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Call> {
        let call = self.by_id.remove(&id)?;
        self.by_write.remove(&call.write);
        Some(call)
    }

    /// The call whose write this is.
    pub(super) fn of_write(&self, write: &WriteId) -> Option<u64> {
        self.by_write.get(write).copied()
    }

    /// Lets the call wait for another write.
    pub(super) fn rewrite(&mut self, id: u64, write: WriteId) {
        let Some(call) = self.by_id.get_mut(&id) else {
            return;
        };
        self.by_write.remove(&call.write);
        self.by_write.insert(write.clone(), id);
        call.write = write;
        call.stored_at = None;
        call.settles_at = None;
        call.uncertain = None;
        call.rewritten = true;
    }

    /// The calls for which `which` holds.
    pub(super) fn ids(&self, which: impl Fn(&Call) -> bool) -> Vec<u64> {
        let calls = self.by_id.iter().filter(|(_, call)| which(call));
        calls.map(|(id, _)| *id).collect()
    }

    /// Whether the task is being created or deleted by a waiting call.
    pub(super) fn any(&self, which: impl Fn(&Call) -> bool) -> bool {
        self.by_id.values().any(which)
    }
}
