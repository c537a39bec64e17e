//! The actor that owns all task state.
//!
//! Its handlers check, write and return; a call then waits in [`Calls`] until
//! the tail has read its record back, its append has certainly failed, or its
//! deadline has come. Nothing blocks the mailbox.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::call::{Call, Calls, Wanted};
use super::config::RegistryConfig;
use super::error::RegistryError;
use super::log::{AppendError, LogChunk, LogRecord, RegistryLog};
use super::log_record::WriteId;
use super::messages::TaskReply;
use super::repair::{Progress, Repair};
use super::replicas::{ReplicasHandle, ReplicasWriter};
use super::restart::{End, EndSign};
use super::status::{StatusHandle, StatusWriter};
use super::table::Table;
use super::tail::{Tail, TailReport};
use super::task_table::{TaskChange, TaskObserver, TaskTable};
use super::topic_notes::{NotesWriter, TopicNotesHandle};
use crate::outage::Outage;
use crate::task::{Task, TaskId};

/// Owns the tasks; see the [module](super).
pub struct TaskRegistryActor {
    pub(super) log: Arc<dyn RegistryLog>,
    pub(super) config: RegistryConfig,
    pub(super) table: Table,
    /// Of the latest read.
    pub(super) high_watermark: i64,
    pub(super) calls: Calls,
    pub(super) repairs: HashMap<TaskId, Repair>,
    shared: TaskTable,
    status: StatusWriter,
    status_handle: StatusHandle,
    notes: NotesWriter,
    pub(super) notes_handle: TopicNotesHandle,
    replicas: ReplicasWriter,
    replicas_handle: ReplicasHandle,
    observers: Vec<TaskObserver>,
    tail: Option<JoinHandle<()>>,
    outage: Outage,
    /// Whether this actor has read the log; one that took over has not.
    read: bool,
    /// How far the table is shown: what takes over must not show less.
    reached: Arc<AtomicI64>,
    end: EndSign,
}

impl TaskRegistryActor {
    /// An actor yet to be started, the table it will write and its status.
    /// `Send`, so that it can be started on any arbiter.
    pub fn new(
        log: Arc<dyn RegistryLog>,
        config: RegistryConfig,
        observers: Vec<TaskObserver>,
    ) -> (Self, TaskTable, StatusHandle) {
        let (status, status_handle) = StatusWriter::new();
        let (notes, notes_handle) = NotesWriter::new();
        let (replicas, replicas_handle) = ReplicasWriter::new();
        let shared = TaskTable::default();
        let handle = status_handle.clone();
        let actor = Self {
            log,
            table: Table::default(),
            high_watermark: 0,
            calls: Calls::new(config.max_pending),
            config,
            repairs: HashMap::new(),
            shared: shared.clone(),
            status,
            status_handle: handle,
            notes,
            notes_handle,
            replicas,
            replicas_handle,
            observers,
            tail: None,
            outage: Outage::default(),
            read: false,
            reached: Arc::default(),
            end: EndSign::default(),
        };
        (actor, shared, status_handle)
    }

    /// One that takes over should this one panic: it reads the log anew, and
    /// shows what it finds in the same places.
    pub(super) fn successor(&self) -> Self {
        Self {
            log: Arc::clone(&self.log),
            table: Table::default(),
            high_watermark: 0,
            calls: Calls::new(self.config.max_pending),
            config: self.config.clone(),
            repairs: HashMap::new(),
            shared: self.shared.clone(),
            status: self.status.clone(),
            status_handle: self.status_handle.clone(),
            notes: self.notes.clone(),
            notes_handle: self.notes_handle.clone(),
            replicas: self.replicas.clone(),
            replicas_handle: self.replicas_handle.clone(),
            observers: self.observers.clone(),
            tail: None,
            outage: Outage::default(),
            read: false,
            reached: Arc::clone(&self.reached),
            end: EndSign::default(),
        }
    }

    /// Tells how this actor ends.
    pub(super) fn on_end(&mut self) -> oneshot::Receiver<End> {
        self.end.sign()
    }

    /// Says for all to see that it does not work at present.
    pub(super) fn show_failure(&self) {
        self.status
            .problem("the task registry has failed, and is started again".to_owned());
    }

    /// What is known of topics, kept up to date.
    pub fn topic_notes(&self) -> TopicNotesHandle {
        self.notes_handle.clone()
    }

    /// The replicas that told of themselves, kept up to date.
    pub fn replicas(&self) -> ReplicasHandle {
        self.replicas_handle.clone()
    }

    /// Refuses calls until the log has been read.
    pub(super) fn check_ready(&self) -> Result<(), RegistryError> {
        if self.read {
            return Ok(());
        }
        let status = self.status_handle.get();
        let why = status.problem;
        Err(RegistryError::NotReady(
            why.unwrap_or_else(|| "the tasks are still being read".into()),
        ))
    }

    /// Writes `records` and lets the caller wait for them to be read back.
    pub(super) fn begin(
        &mut self,
        wanted: Wanted,
        task: TaskId,
        write: WriteId,
        records: Vec<LogRecord>,
        ctx: &mut Context<Self>,
    ) -> ResponseFuture<TaskReply> {
        let id = match self.calls.reserve() {
            Ok(id) => id,
            Err(error) => return refuse(error),
        };
        let (reply, answer) = oneshot::channel();
        let timer = ctx.run_later(self.config.call_deadline, move |actor, ctx| {
            if let Some(error) = actor.calls.get(id).map(Call::expired) {
                actor.answer(id, Err(error), ctx);
            }
        });
        let call = Call {
            wanted,
            task,
            write: write.clone(),
            stored_at: None,
            settles_at: None,
            uncertain: None,
            rewritten: false,
            refusal: None,
            reply,
            timer,
        };
        self.calls.insert(id, call);
        self.append_for_call(id, write, records, ctx);
        Box::pin(async move {
            let stopped = || RegistryError::Unknown("the task registry was stopped".into());
            answer.await.unwrap_or_else(|_| Err(stopped()))
        })
    }

    pub(super) fn append_for_call(
        &mut self,
        id: u64,
        write: WriteId,
        records: Vec<LogRecord>,
        ctx: &mut Context<Self>,
    ) {
        let last = offset_of_last(&records);
        let log = Arc::clone(&self.log);
        let append = async move { log.append(records).await };
        let append = append.into_actor(self).map(move |result, actor, ctx| {
            let result = result.map(|first| first + last);
            actor.appended(id, &write, result, ctx);
        });
        ctx.spawn(append);
    }

    fn appended(
        &mut self,
        id: u64,
        write: &WriteId,
        result: Result<i64, AppendError>,
        ctx: &mut Context<Self>,
    ) {
        // Read back already, or expired, or by now waiting for another write.
        let Some(call) = self.calls.get_mut(id).filter(|call| call.write == *write) else {
            return;
        };
        match result {
            Ok(offset) => {
                call.stored_at = Some(offset);
                self.judge_passed(ctx);
            }
            Err(AppendError::NotStored(text)) if !call.rewritten => {
                self.answer(id, Err(RegistryError::NotStored(text)), ctx);
            }
            Err(AppendError::NotStored(text)) => {
                let text = format!("changed, but not merged with a concurrent change: {text}");
                self.answer(id, Err(RegistryError::Unknown(text)), ctx);
            }
            Err(AppendError::Unknown(text)) => call.uncertain = Some(text),
        }
    }

    pub(super) fn answer(&mut self, id: u64, reply: TaskReply, ctx: &mut Context<Self>) {
        let Some(call) = self.calls.remove(id) else {
            return;
        };
        ctx.cancel_future(call.timer);
        if call.reply.send(reply).is_err() {
            tracing::debug!(task = %call.task, "a caller of the task registry left before its answer");
        }
    }

    fn chunk(&mut self, chunk: LogChunk, ctx: &mut Context<Self>) {
        let mut touched = BTreeSet::new();
        let mut verdicts = Vec::new();
        for (offset, record) in &chunk.records {
            if *offset < self.table.position() {
                continue;
            }
            if let Some(applied) = self.table.apply(*offset, record) {
                self.read_back(&applied, &mut verdicts);
                touched.insert(applied.task);
            }
        }
        self.table.advance(chunk.next_offset);
        self.reached.store(self.table.position(), Ordering::Relaxed);
        self.notes.show(self.table.position(), self.table.notes());
        self.replicas.show(self.table.replicas());
        self.high_watermark = chunk.high_watermark;
        // The table first, then the answers: who is told of a pause may rely on it.
        for task in &touched {
            self.publish(task);
        }
        if self.table.position() == chunk.high_watermark {
            self.status.confirmed();
        }
        for (id, verdict) in verdicts {
            self.conclude(id, verdict, ctx);
        }
        self.judge_passed(ctx);
        self.run_repairs(ctx);
    }

    fn reads_again(&mut self) {
        if let Some(away) = self.outage.worked(Instant::now()) {
            tracing::info!(?away, "the task registry reads its log again");
        }
    }

    /// A freshly loaded table replaces the one at hand.
    fn loaded(&mut self, table: Table, recreated: bool, ctx: &mut Context<Self>) {
        if recreated {
            tracing::warn!(
                tasks = table.len(),
                "the registry's log was cut or recreated: read again"
            );
        }
        self.high_watermark = table.position();
        self.table = table;
        self.read = true;
        self.reached.store(self.table.position(), Ordering::Relaxed);
        self.notes.show(self.table.position(), self.table.notes());
        self.replicas.show(self.table.replicas());
        let all = self.table.all();
        let ids: HashSet<TaskId> = all
            .iter()
            .map(|(task, _)| task.spec.task_id.clone())
            .collect();
        for gone in self.shared.others(&ids) {
            self.publish(&gone);
        }
        for id in &ids {
            self.publish(id);
        }
        self.status.loaded();
        self.judge_loaded(recreated, ctx);
        for repair in self.repairs.values_mut() {
            repair.progress = Progress::Due(std::time::Instant::now());
        }
        self.run_repairs(ctx);
    }

    /// Shows one task's present state to all threads, then to the observers.
    fn publish(&self, id: &TaskId) {
        let change: Option<TaskChange> = match self.table.live(id) {
            Some((task, claim)) => self.shared.put(&task, claim),
            None => self.shared.remove(id),
        };
        if let Some(change) = change {
            for observer in &self.observers {
                observer(&change);
            }
        }
    }

    /// The task, unless it is missing or on its way out.
    pub(super) fn existing(&self, task_id: &str) -> Result<Task, RegistryError> {
        let missing = || RegistryError::NotFound(task_id.to_owned());
        let id = TaskId::parse(task_id).ok_or_else(missing)?;
        let task = self.table.task(&id).ok_or_else(missing)?;
        let deleting = self
            .calls
            .any(|call| call.task == id && matches!(call.wanted, Wanted::Delete(_)));
        if deleting { Err(missing()) } else { Ok(task) }
    }
}

/// Of a batch that is appended, relative to its first record's.
pub(super) fn offset_of_last(records: &[LogRecord]) -> i64 {
    i64::try_from(records.len().saturating_sub(1)).unwrap_or(0)
}

/// An answer known at once.
pub(super) fn refuse(error: RegistryError) -> ResponseFuture<TaskReply> {
    Box::pin(async move { Err(error) })
}

impl Actor for TaskRegistryActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let tail = Tail::new(
            Arc::clone(&self.log),
            self.config.clone(),
            ctx.address().downgrade(),
            self.reached.load(Ordering::Relaxed),
            self.status_handle.get().loaded,
        );
        self.tail = Some(actix_rt::spawn(tail.run_guarded()));
    }

    fn stopped(&mut self, _ctx: &mut Self::Context) {
        if let Some(tail) = self.tail.take() {
            tail.abort();
        }
    }
}

impl Handler<TailReport> for TaskRegistryActor {
    type Result = ();

    fn handle(&mut self, report: TailReport, ctx: &mut Self::Context) {
        match report {
            TailReport::Loaded { table, recreated } => {
                self.reads_again();
                self.loaded(*table, recreated, ctx);
            }
            TailReport::Chunk(chunk) => {
                self.reads_again();
                self.chunk(chunk, ctx);
            }
            TailReport::Problem(text) => {
                if let Some(away) = self.outage.failed(Instant::now()) {
                    tracing::warn!(problem = %text, ?away, "the task registry cannot read its log");
                }
                self.status.problem(text);
            }
            TailReport::Fatal(text) => {
                tracing::error!(problem = %text, "the task registry's log cannot be used");
                self.status.fatal(text);
            }
            TailReport::Panicked => {
                self.end.failed();
                ctx.stop();
            }
        }
    }
}
