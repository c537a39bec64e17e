//! The task registry: every replica's same view of the tasks, kept in Kafka.
//!
//! ```text
//! Create/Modify/Pause/… ──► TaskRegistryActor ──append──► RegistryLog
//!        ▲ answered once read back   ▲                    (one compacted partition)
//!        └───────────────────────────┤ chunks                 │
//!                                    └─────────── tail ◄──────┘ long poll
//!                                    │ writes
//!                                    ▼
//!                  TaskTable, read by every thread
//! ```
//!
//! - The log holds values ([`log_record`]), its meaning is a pure function
//!   ([`table`]), so all replicas end with the same table whatever compaction
//!   has removed.
//! - A call is answered when this replica's own tail has read its record back
//!   and the table shows it, when it certainly failed, or at its deadline.
//! - Writes are optimistic: replicas do not lock. What lost a race (a name, a
//!   task deleted meanwhile) is undone by the replica that wrote it; concurrent
//!   modifies are merged.
//! - The run state is in the table's entries and nowhere else.
//! - When the log cannot be read, the last state stays and [`RegistryStatus`]
//!   says so. When offsets no longer fit, or the tail was stale for so long that
//!   tombstones could be gone, the log is read anew and the result swapped in.
//!
//! Bounds: [`RegistryConfig::max_pending`] calls wait at once, each at most
//! [`RegistryConfig::call_deadline`].

mod actor;
mod call;
mod config;
mod error;
mod handlers;
mod log;
pub mod log_record;
mod memory_log;
mod merge;
mod messages;
mod read_back;
mod repair;
mod replicas;
mod restart;
mod settle;
mod status;
pub mod table;
mod tail;
mod task_table;
mod topic_notes;

use std::sync::Arc;

use actix::Addr;

pub use actor::TaskRegistryActor;
pub use config::RegistryConfig;
pub use error::RegistryError;
pub use log::{AppendError, LogChunk, LogRecord, PrepareError, ReadError, RegistryLog};
pub use memory_log::{AppendFault, MemoryLog};
pub use messages::{
    CreateTask, DeleteTask, ModifyTask, PauseTask, ResumeTask, StopRegistry, TaskReply,
};
pub use replicas::{ANNOUNCE_EVERY, Announce, ReplicaSign, ReplicasHandle};
pub use status::{RegistryStatus, StatusHandle};
pub use task_table::{TaskChange, TaskEntry, TaskObserver, TaskRef, TaskTable};
pub use topic_notes::{NoteTopic, TopicKey, TopicNotes, TopicNotesHandle};

/// A running registry: the actor, and what it keeps up to date.
#[derive(Clone)]
pub struct Registry {
    addr: restart::CurrentAddr,
    /// The tasks.
    pub table: TaskTable,
    /// What is known of topics.
    pub notes: TopicNotesHandle,
    /// The replicas that told of themselves.
    pub replicas: ReplicasHandle,
    /// The registry's health.
    pub status: StatusHandle,
}

impl Registry {
    /// Starts a registry on the current arbiter. It loads by itself, retrying
    /// while the log is unreachable; [`StatusHandle::settled`] waits for it.
    /// Should it panic, it is started again and reads the log anew.
    ///
    /// # Panics
    /// Outside an actix system.
    pub fn start(
        log: Arc<dyn RegistryLog>,
        config: RegistryConfig,
        observers: Vec<TaskObserver>,
    ) -> Self {
        let (actor, table, status) = TaskRegistryActor::new(log, config, observers);
        let (notes, replicas) = (actor.topic_notes(), actor.replicas());
        Self {
            addr: restart::start(actor),
            table,
            notes,
            replicas,
            status,
        }
    }

    /// Takes the calls. Not to be kept: after a panic another one does.
    pub fn addr(&self) -> Addr<TaskRegistryActor> {
        Addr::clone(&self.addr.load())
    }

    /// Stops it: nothing more is read or written. Calls under way are
    /// answered as unknown.
    pub async fn stop(&self) {
        // An error means that it has stopped already.
        let _stopped = self.addr().send(StopRegistry).await.is_err();
    }
}
