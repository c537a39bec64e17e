//! How each call begins: what is checked, and what is written.
//!
//! Pausing a paused task writes as well: whether the tail is current at this
//! very moment cannot be known without asking the log, and an answer from the
//! own table alone could confirm a pause that another replica has just undone.

use std::sync::Arc;

use actix::{ActorContext, Context, Handler, ResponseFuture};

use super::actor::{TaskRegistryActor, refuse};
use super::call::Wanted;
use super::error::RegistryError;
use super::log::LogRecord;
use super::log_record::{KeyKind, RunValue, SpecValue, Stamps, WriteId};
use super::merge::modified;
use super::messages::{
    CreateTask, DeleteTask, ModifyTask, PauseTask, ResumeTask, StopRegistry, TaskReply,
};
use crate::clock;
use crate::task::{RunState, TaskId};

/// What a call's check leads to.
struct Write {
    wanted: Wanted,
    task: TaskId,
    write: WriteId,
    records: Vec<LogRecord>,
}

impl TaskRegistryActor {
    fn begin_checked(
        &mut self,
        checked: Result<Write, RegistryError>,
        ctx: &mut Context<Self>,
    ) -> ResponseFuture<TaskReply> {
        match checked {
            Ok(call) => self.begin(call.wanted, call.task, call.write, call.records, ctx),
            Err(error) => refuse(error),
        }
    }

    fn create(&self, message: CreateTask) -> Result<Write, RegistryError> {
        self.check_ready()?;
        let name = &message.spec.name;
        if self.table.owner(name).is_some() {
            return Err(RegistryError::NameTaken(name.clone()));
        }
        let in_use =
            |id: &TaskId| self.table.has_records(id) || self.calls.any(|call| call.task == *id);
        let task = match &message.spec.task_id {
            Some(id) if in_use(id) => return Err(RegistryError::IdTaken(id.to_string())),
            Some(id) => id.clone(),
            None => std::iter::repeat_with(TaskId::random)
                .find(|id| !in_use(id))
                .expect("an endless iterator finds a free id"),
        };
        let write = WriteId::random();
        let spec = message.spec.into_spec(task.clone(), clock::unix_millis());
        let run = RunValue {
            write: write.clone(),
            state: RunState::Running,
        };
        let spec = SpecValue {
            write: write.clone(),
            base: None,
            claim: None,
            stamps: Stamps::default(),
            spec: Arc::new(spec),
            extra: serde_json::Map::new(),
        };
        // The run state first: with the spec, the task is complete.
        let records = vec![run.to_record(&task), spec.to_record()];
        Ok(Write {
            wanted: Wanted::Create,
            task,
            write,
            records,
        })
    }

    fn modify(&self, patch: ModifyTask) -> Result<Write, RegistryError> {
        self.check_ready()?;
        let task = self.existing(&patch.task_id)?;
        let id = task.spec.task_id.clone();
        let missing = || RegistryError::NotFound(id.to_string());
        let (_, claim) = self.table.live(&id).ok_or_else(missing)?;
        let base = self.table.spec_value(&id).ok_or_else(missing)?;
        let value = modified(base, claim, &patch);
        let name = &value.spec.name;
        if *name != task.spec.name && self.table.owner(name).is_some() {
            return Err(RegistryError::NameTaken(name.clone()));
        }
        Ok(Write {
            wanted: Wanted::Modify {
                patch,
                name: task.spec.name.clone(),
            },
            task: id,
            write: value.write.clone(),
            records: vec![value.to_record()],
        })
    }

    fn set_run(&self, task_id: &str, state: RunState) -> Result<Write, RegistryError> {
        self.check_ready()?;
        let task = self.existing(task_id)?.spec.task_id.clone();
        let write = WriteId::random();
        let value = RunValue {
            write: write.clone(),
            state,
        };
        Ok(Write {
            wanted: Wanted::Run(state),
            records: vec![value.to_record(&task)],
            task,
            write,
        })
    }

    fn delete(&self, task_id: &str) -> Result<Write, RegistryError> {
        self.check_ready()?;
        let task = self.existing(task_id)?;
        let id = task.spec.task_id.clone();
        Ok(Write {
            // The spec first: with it the task is gone, and none of the
            // batch's two steps shows it running.
            records: vec![KeyKind::Spec.tombstone(&id), KeyKind::Run.tombstone(&id)],
            wanted: Wanted::Delete(task),
            task: id,
            // Tombstones carry no write; the id only tells the call's appends apart.
            write: WriteId::random(),
        })
    }
}

impl Handler<CreateTask> for TaskRegistryActor {
    type Result = ResponseFuture<TaskReply>;

    fn handle(&mut self, message: CreateTask, ctx: &mut Context<Self>) -> Self::Result {
        let checked = self.create(message);
        self.begin_checked(checked, ctx)
    }
}

impl Handler<ModifyTask> for TaskRegistryActor {
    type Result = ResponseFuture<TaskReply>;

    fn handle(&mut self, message: ModifyTask, ctx: &mut Context<Self>) -> Self::Result {
        let checked = self.modify(message);
        self.begin_checked(checked, ctx)
    }
}

impl Handler<PauseTask> for TaskRegistryActor {
    type Result = ResponseFuture<TaskReply>;

    fn handle(&mut self, message: PauseTask, ctx: &mut Context<Self>) -> Self::Result {
        let checked = self.set_run(&message.0, RunState::Paused);
        self.begin_checked(checked, ctx)
    }
}

impl Handler<ResumeTask> for TaskRegistryActor {
    type Result = ResponseFuture<TaskReply>;

    fn handle(&mut self, message: ResumeTask, ctx: &mut Context<Self>) -> Self::Result {
        let checked = self.set_run(&message.0, RunState::Running);
        self.begin_checked(checked, ctx)
    }
}

impl Handler<DeleteTask> for TaskRegistryActor {
    type Result = ResponseFuture<TaskReply>;

    fn handle(&mut self, message: DeleteTask, ctx: &mut Context<Self>) -> Self::Result {
        let checked = self.delete(&message.0);
        self.begin_checked(checked, ctx)
    }
}

impl Handler<StopRegistry> for TaskRegistryActor {
    type Result = ();

    fn handle(&mut self, _: StopRegistry, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
