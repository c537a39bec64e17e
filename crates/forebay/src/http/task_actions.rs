//! The actions on tasks: create, describe, modify, delete, pause, resume.
//!
//! Which codes: what the SDK lists for an action where it lists one that
//! fits; ResourceNotFound for a task that is not there (a common code; most
//! task actions list nothing closer).

use actix::Message;
use actix::dev::ToEnvelope;
use actix::{Actor, Handler};
use forebay_api::tasks::{
    self, CreateDatahubTask, CreateTaskAnswer, DescribeDatahubTasks, DescribeTaskAnswer,
    DescribeTasksAnswer, ModifyDatahubTask, TaskIdAnswer, TaskView,
};
use forebay_api::{Action, ApiError, ErrorCode, RequestParameters, answer};
use forebay_engine::admission::Permit;
use forebay_engine::registry::{
    CreateTask, DeleteTask, ModifyTask, PauseTask, ResumeTask, TaskRegistryActor, TaskReply,
};
use forebay_engine::task::{Task, TaskId};
use tokio::time::{Instant, timeout_at};

use super::authenticate::Caller;
use super::error;
use super::flattened_request::Encoding;
use super::held_json::HeldJson;
use super::raw_request::RawRequest;
use super::shared::Shared;
use super::target_topic::{TargetNow, ensure_target, gone, target_now};
use super::task_shapes::{new_task, view};

/// An action on tasks whose caller is known.
pub(super) struct TaskAction {
    pub(super) action: Action,
    pub(super) request: RawRequest,
    pub(super) caller: Caller,
    /// How its parameters are written.
    pub(super) encoding: Encoding,
    /// Memory of the parameters decoded, where they have to be.
    pub(super) _decoded: Option<Permit>,
}

impl TaskAction {
    /// The answer's JSON, within the request's deadline.
    ///
    /// # Errors
    /// As the contract's table says.
    ///
    /// # Cancellation
    /// What the registry has been asked to do is done nevertheless.
    pub(super) async fn run(self, shared: &Shared, request_id: &str) -> Result<HeldJson, ApiError> {
        let run = Run {
            shared,
            caller: &self.caller,
            deadline: self.request.deadline,
            request_id,
        };
        let decoded = self.encoding.decode(&self.request)?;
        let parameters = decoded.parameters();
        match self.action {
            Action::DescribeDatahubTasks => run.list(parameters),
            action => Ok(run.action(action, parameters).await?.into()),
        }
    }
}

/// What all actions need while they run.
struct Run<'a> {
    shared: &'a Shared,
    caller: &'a Caller,
    deadline: Instant,
    request_id: &'a str,
}

impl Run<'_> {
    async fn action(
        &self,
        action: Action,
        body: RequestParameters<'_>,
    ) -> Result<Vec<u8>, ApiError> {
        match action {
            Action::CreateDatahubTask => self.create(body).await,
            Action::DescribeDatahubTask => self.describe(body).await,
            Action::ModifyDatahubTask => self.modify(body).await,
            Action::DeleteDatahubTask => self.change(action, body, DeleteTask).await,
            Action::PauseDatahubTask => self.change(action, body, PauseTask).await,
            // A task here has no state to be restarted out of; restarting
            // one means that it runs afterwards.
            Action::ResumeDatahubTask | Action::RestartDatahubTask => {
                self.change(action, body, ResumeTask).await
            }
            other => {
                self.caller.may(other)?;
                Err(ApiError::new(
                    ErrorCode::UnsupportedOperation,
                    format!("the action {other} is not supported by this version"),
                ))
            }
        }
    }

    async fn create(&self, body: RequestParameters<'_>) -> Result<Vec<u8>, ApiError> {
        let request = CreateDatahubTask::parse(body)?;
        self.caller.may(Action::CreateDatahubTask)?;
        self.caller.may_use_new_datahub()?;
        self.check_registry()?;
        let new = new_task(request, &self.shared.settings.home_instance);
        // Looked at here only to fail before a topic is made; the registry
        // decides, also between replicas.
        if self.shared.engine.tasks().by_name(&new.name).is_some() {
            return Err(error::registry(
                forebay_engine::registry::RegistryError::NameTaken(new.name),
            ));
        }
        ensure_target(&self.shared.engine, &new.target, self.deadline).await?;
        let task = self.ask(CreateTask { spec: new }).await?;
        let datahub_id = task.spec.datahub_id();
        let created = CreateTaskAnswer {
            task_id: task.spec.task_id.as_str(),
            datahub_id: datahub_id.as_str(),
        };
        Ok(answer::result(&created, self.request_id))
    }

    async fn describe(&self, body: RequestParameters<'_>) -> Result<Vec<u8>, ApiError> {
        let task_id = tasks::parse_task_id(body)?;
        self.caller.may(Action::DescribeDatahubTask)?;
        let task = self.existing(&task_id)?;
        // First, so that the view has what is known of the topic by then.
        let now = target_now(&self.shared.engine, &task.spec.target).await;
        let mut view = view(&task, &self.shared.engine);
        match now {
            TargetNow::Partitions(count) => view.target.partition_num = Some(count),
            TargetNow::Gone => view.error_message = gone(&view.target.topic),
            TargetNow::NotKnown => {}
        }
        Ok(answer::result(
            &DescribeTaskAnswer::from(&view),
            self.request_id,
        ))
    }

    /// Tasks out of the credential's scope are not there for the caller.
    fn list(&self, body: RequestParameters<'_>) -> Result<HeldJson, ApiError> {
        let request = DescribeDatahubTasks::parse(body)?;
        self.caller.may(Action::DescribeDatahubTasks)?;
        self.check_registry()?;
        let views: Vec<TaskView> = self
            .shared
            .engine
            .tasks()
            .all()
            .iter()
            .filter(|task| self.caller.sees(task.spec.datahub_id().as_str()))
            .map(|task| view(task, &self.shared.engine))
            .collect();
        let (total, page) = request.page(&views);
        let answer = DescribeTasksAnswer::new(total, page);
        HeldJson::list(&answer, self.shared, self.request_id)
    }

    async fn modify(&self, body: RequestParameters<'_>) -> Result<Vec<u8>, ApiError> {
        let request = ModifyDatahubTask::parse(body)?;
        self.caller.may(Action::ModifyDatahubTask)?;
        self.existing(&request.task_id)?;
        let task = self
            .ask(ModifyTask {
                task_id: request.task_id,
                name: request.name,
                description: request.description,
                tasks_max: request.tasks_max,
                sync_throttle_limit: request.sync_throttle_limit,
                auto_expand: request.auto_expand,
            })
            .await?;
        Ok(self.task_id_answer(&task))
    }

    /// Pause, resume, restart, delete: a task id in, the same out.
    async fn change<M>(
        &self,
        action: Action,
        body: RequestParameters<'_>,
        message: impl FnOnce(String) -> M,
    ) -> Result<Vec<u8>, ApiError>
    where
        M: Message<Result = TaskReply> + Send + 'static,
        TaskRegistryActor: Handler<M>,
        <TaskRegistryActor as Actor>::Context: ToEnvelope<TaskRegistryActor, M>,
    {
        let task_id = tasks::parse_task_id(body)?;
        self.caller.may(action)?;
        self.existing(&task_id)?;
        let task = self.ask(message(task_id)).await?;
        Ok(self.task_id_answer(&task))
    }

    fn task_id_answer(&self, task: &Task) -> Vec<u8> {
        let datahub_id = task.spec.datahub_id();
        let changed = TaskIdAnswer {
            task_id: task.spec.task_id.as_str(),
            datahub_id: datahub_id.as_str(),
        };
        answer::result(&changed, self.request_id)
    }

    /// The task, if it is there and within the caller's scope.
    fn existing(&self, task_id: &str) -> Result<Task, ApiError> {
        let id = TaskId::parse(task_id).ok_or_else(|| ApiError::task_not_found(task_id))?;
        self.caller.may_use(id.datahub_id().as_str())?;
        self.check_registry()?;
        self.shared
            .engine
            .tasks()
            .by_task_id(task_id)
            .ok_or_else(|| ApiError::task_not_found(task_id))
    }

    /// Before the registry has been read, nobody knows what there is.
    fn check_registry(&self) -> Result<(), ApiError> {
        if self.shared.engine.registry_status().loaded {
            Ok(())
        } else {
            Err(error::not_stored(
                "the tasks have not been read from Kafka yet",
            ))
        }
    }

    /// Asks the registry, at most until the deadline.
    async fn ask<M>(&self, message: M) -> Result<Task, ApiError>
    where
        M: Message<Result = TaskReply> + Send + 'static,
        TaskRegistryActor: Handler<M>,
        <TaskRegistryActor as Actor>::Context: ToEnvelope<TaskRegistryActor, M>,
    {
        match timeout_at(self.deadline, self.shared.engine.registry().send(message)).await {
            Ok(Ok(reply)) => reply.map_err(error::registry),
            Ok(Err(mailbox)) => Err(error::mailbox(&mailbox)),
            Err(_) => Err(error::outcome_unknown("no answer within the deadline")),
        }
    }
}
