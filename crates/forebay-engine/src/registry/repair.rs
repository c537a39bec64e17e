//! Undoing writes that lost a race against another replica's.
//!
//! - A creation whose name was taken earlier in the log is tombstoned.
//! - A rename that lost goes back to the name before; where that has been taken
//!   meanwhile, to that name with the task's own eight characters appended.
//! - A modify, pause or resume that crossed the task's deletion is tombstoned,
//!   so that the log does not keep it.
//!
//! Only the replica that wrote a record repairs it. When that replica dies
//! before it could, the record stays: the table is the same everywhere all the
//! same, delivery does not look at names, and the first claim owns the name.
//! A repair depends on the table alone and is tried until the table no longer
//! needs it.

use std::sync::Arc;
use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::actor::{TaskRegistryActor, offset_of_last};
use super::log::LogRecord;
use super::log_record::KeyKind;
use super::merge::renamed;
use super::table::Table;
use crate::task::TaskId;

/// A task name's greatest length (API, CreateDatahubTask).
const LONGEST_NAME: usize = 64;

/// What to undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RepairKind {
    /// Remove all of the task's records: it is deleted, or was never created.
    Remove,
    /// Give up a name.
    Rename { losing: String, back_to: String },
}

/// How far a repair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// To be written, not before this moment.
    Due(Instant),
    /// The append has not answered.
    Appending,
    /// Written; its last offset.
    Stored(i64),
}

#[derive(Clone, Debug)]
pub(super) struct Repair {
    pub(super) kind: RepairKind,
    pub(super) progress: Progress,
}

impl Repair {
    pub(super) fn due(kind: RepairKind) -> Self {
        Self {
            kind,
            progress: Progress::Due(Instant::now()),
        }
    }

    /// Takes over `kind` as well. A removal is never replaced by less.
    pub(super) fn absorb(&mut self, kind: RepairKind) {
        if self.kind != RepairKind::Remove {
            self.kind = kind;
        }
    }
}

impl RepairKind {
    /// The records that repair the table; `None`: there is nothing to repair.
    pub(super) fn records(&self, table: &Table, task: &TaskId) -> Option<Vec<LogRecord>> {
        match self {
            // What a newer version has written is not ours to remove.
            Self::Remove if table.is_unreadable(task) => None,
            Self::Remove => table
                .has_records(task)
                .then(|| vec![KeyKind::Spec.tombstone(task), KeyKind::Run.tombstone(task)]),
            Self::Rename { losing, back_to } => rename(table, task, losing, back_to),
        }
    }
}

fn rename(table: &Table, id: &TaskId, losing: &str, back_to: &str) -> Option<Vec<LogRecord>> {
    let task = table.task(id)?;
    let value = table.spec_value(id)?;
    let name = task.spec.name.as_str();
    if (name != losing && name != back_to) || table.owner(name) == Some(id) {
        return None;
    }
    let name = if table.owner(back_to).is_none() {
        back_to.to_owned()
    } else {
        own_name(back_to, id)
    };
    Some(vec![renamed(value, name).to_record()])
}

/// A name that no other task takes by chance.
fn own_name(name: &str, id: &TaskId) -> String {
    let suffix = id.suffix();
    let kept: String = name.chars().take(LONGEST_NAME - suffix.len() - 1).collect();
    format!("{kept}-{suffix}")
}

impl TaskRegistryActor {
    /// Writes what repairs are due and ends those that are done.
    pub(super) fn run_repairs(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let mut done = Vec::new();
        let mut due = Vec::new();
        for (task, repair) in &mut self.repairs {
            if matches!(repair.progress, Progress::Stored(offset) if offset < self.table.position())
            {
                repair.progress = Progress::Due(now);
            }
            match repair.kind.records(&self.table, task) {
                None => done.push(task.clone()),
                Some(records) if matches!(repair.progress, Progress::Due(at) if at <= now) => {
                    repair.progress = Progress::Appending;
                    due.push((task.clone(), repair.kind.clone(), records));
                }
                Some(_) => {}
            }
        }
        for task in done {
            self.repairs.remove(&task);
            for id in self.calls.ids(|call| call.task == task) {
                if let Some(refusal) = self.calls.get(id).and_then(|call| call.refusal.clone()) {
                    self.answer(id, Err(refusal), ctx);
                }
            }
        }
        for (task, kind, records) in due {
            self.append_repair(task, kind, records, ctx);
        }
    }

    fn append_repair(
        &mut self,
        task: TaskId,
        kind: RepairKind,
        records: Vec<LogRecord>,
        ctx: &mut Context<Self>,
    ) {
        tracing::info!(%task, ?kind, "undoing a task change that lost against another");
        let last = offset_of_last(&records);
        let log = Arc::clone(&self.log);
        let append = async move { log.append(records).await };
        let append = append.into_actor(self).map(move |result, actor, ctx| {
            let backoff = actor.config.retry_backoff;
            let Some(repair) = actor.repairs.get_mut(&task) else {
                return;
            };
            match result {
                Ok(first) => {
                    repair.progress = Progress::Stored(first + last);
                    actor.run_repairs(ctx);
                }
                Err(error) => {
                    tracing::warn!(%task, %error, "undoing a task change failed, trying again");
                    repair.progress = Progress::Due(Instant::now() + backoff);
                    // The timer fires a little later, when it is due for sure.
                    ctx.run_later(backoff * 2, |actor, ctx| actor.run_repairs(ctx));
                }
            }
        });
        ctx.spawn(append);
    }
}
