//! Reads the log: once to its end, then on and on. Independent of the actor's
//! mailbox; what it finds it sends to the actor and waits until it is applied.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Message, WeakAddr};
use futures_util::FutureExt;

use super::actor::TaskRegistryActor;
use super::config::RegistryConfig;
use super::log::{LogChunk, PrepareError, ReadError, RegistryLog};
use super::table::Table;

const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// A log that answers at once without news must not make the loop spin.
const SHORTEST_EMPTY_POLL: Duration = Duration::from_millis(10);

/// What the tail tells the actor.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum TailReport {
    /// The log was read from its start to its end.
    Loaded {
        /// The tasks.
        table: Box<Table>,
        /// The log is not the one that earlier offsets belong to.
        recreated: bool,
    },
    /// What came next.
    Chunk(LogChunk),
    /// Reading fails at present.
    Problem(String),
    /// The log cannot be used; the tail has ended.
    Fatal(String),
    /// The tail has ended by a panic.
    Panicked,
}

/// Why a load did not succeed.
enum LoadError {
    Unusable(String),
    Failed(String),
}

impl From<ReadError> for LoadError {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Why the log must be loaded again.
enum Ended {
    /// Its end was out of sight for too long.
    Stale { position: i64 },
    /// It is not the log that offsets belong to.
    Recreated,
}

/// The actor has stopped.
struct ActorGone;

pub(super) struct Tail {
    log: Arc<dyn RegistryLog>,
    config: RegistryConfig,
    actor: WeakAddr<TaskRegistryActor>,
    /// How far the table that is shown at the start goes.
    shown: i64,
    loaded_before: bool,
}

impl Tail {
    pub(super) fn new(
        log: Arc<dyn RegistryLog>,
        config: RegistryConfig,
        actor: WeakAddr<TaskRegistryActor>,
        shown: i64,
        loaded_before: bool,
    ) -> Self {
        Self {
            log,
            config,
            actor,
            shown,
            loaded_before,
        }
    }

    /// Runs until the actor is gone or the log proves unusable. Should it
    /// panic, the actor is told: without a tail it would go blind.
    pub(super) async fn run_guarded(self) {
        let actor = self.actor.clone();
        let run = AssertUnwindSafe(self.run()).catch_unwind().await;
        if let (Err(_), Some(actor)) = (run, actor.upgrade()) {
            // An error means that the actor has ended, too.
            let _ended = actor.send(TailReport::Panicked).await.is_err();
        }
    }

    async fn run(mut self) {
        // How the log is to be loaded: from which offset on the same log's
        // table may be shown; or another log's.
        let mut recreated = false;
        let mut reached = self.shown;
        while let Ok(Some(position)) = self.load(recreated, reached).await {
            match self.follow(position).await {
                Ok(Ended::Stale { position }) => (recreated, reached) = (false, position),
                Ok(Ended::Recreated) => (recreated, reached) = (true, 0),
                Err(ActorGone) => return,
            }
        }
    }

    /// Loads until it succeeds; returns where to go on. `None`: unusable.
    async fn load(&mut self, recreated: bool, reached: i64) -> Result<Option<i64>, ActorGone> {
        let mut backoff = Backoff::new(&self.config);
        loop {
            match self.try_load(reached).await {
                Ok((table, cut)) => {
                    let position = table.position();
                    self.loaded_before = true;
                    let table = Box::new(table);
                    let recreated = recreated || cut;
                    self.report(TailReport::Loaded { table, recreated }).await?;
                    return Ok(Some(position));
                }
                // Only a start refuses; a running replica keeps its last state.
                Err(LoadError::Unusable(text)) if !self.loaded_before => {
                    self.report(TailReport::Fatal(text)).await?;
                    return Ok(None);
                }
                Err(LoadError::Unusable(text) | LoadError::Failed(text)) => {
                    self.report(TailReport::Problem(text)).await?;
                    backoff.wait().await;
                }
            }
        }
    }

    /// Reads the whole log into a table of its own, at least up to `reached`:
    /// a shorter one would take back what has been answered. Unless the log
    /// does not go so far any more, which it says as well.
    async fn try_load(&self, reached: i64) -> Result<(Table, bool), LoadError> {
        let limit = self.config.read_timeout + self.config.poll_wait;
        // Creating a topic takes longer than reading it.
        let prepared = tokio::time::timeout(limit * 4, self.log.prepare()).await;
        match prepared {
            Ok(Ok(())) => {}
            Ok(Err(PrepareError::Unusable(text))) => return Err(LoadError::Unusable(text)),
            Ok(Err(error)) => return Err(LoadError::Failed(error.to_string())),
            Err(_) => return Err(no_answer("checking the registry's topic", limit * 4)),
        }
        let earliest = tokio::time::timeout(limit, self.log.earliest()).await;
        let start = earliest.map_err(|_| no_answer("asking for the log's start", limit))??;
        let cut = self.is_cut_before(reached, limit).await?;
        let reached = if cut { 0 } else { reached };
        let mut table = Table::default();
        table.advance(start);
        loop {
            let position = table.position();
            let read = self.log.read(position, Duration::ZERO);
            let read = tokio::time::timeout(limit, read).await;
            let chunk = read.map_err(|_| no_answer("reading the log", limit))??;
            apply(&mut table, &chunk);
            if table.position() >= chunk.high_watermark.max(reached) {
                return Ok((table, cut));
            }
            if table.position() == position {
                // Not at the end and no progress: give the broker a moment.
                tokio::time::sleep(SHORTEST_EMPTY_POLL).await;
            }
        }
    }

    /// Whether the log is not the one that has `offset`, or lost it.
    async fn is_cut_before(&self, offset: i64, limit: Duration) -> Result<bool, LoadError> {
        if offset == 0 {
            return Ok(false);
        }
        let read = self.log.read(offset, Duration::ZERO);
        let read = tokio::time::timeout(limit, read).await;
        match read.map_err(|_| no_answer("reading the log", limit))? {
            Ok(_) => Ok(false),
            Err(ReadError::OutOfRange(_) | ReadError::Recreated(_)) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Follows the log; returns when it must be loaded again.
    async fn follow(&self, mut position: i64) -> Result<Ended, ActorGone> {
        let mut backoff = Backoff::new(&self.config);
        let mut confirmed = Instant::now();
        let limit = self.config.poll_wait + self.config.read_timeout;
        loop {
            let begun = Instant::now();
            let read = self.log.read(position, self.config.poll_wait);
            match tokio::time::timeout(limit, read).await {
                Ok(Ok(chunk)) => {
                    if confirmed.elapsed() > self.config.reload_after {
                        tracing::warn!("the registry's tail was stale for long: reloading");
                        return Ok(Ended::Stale { position });
                    }
                    let moved = chunk.next_offset > position;
                    position = position.max(chunk.next_offset);
                    // A new leader's high watermark may lie below what was
                    // read already (KIP-207): neither the end nor a cut log.
                    if position == chunk.high_watermark {
                        confirmed = Instant::now();
                    }
                    self.report(TailReport::Chunk(chunk)).await?;
                    backoff = Backoff::new(&self.config);
                    if !moved && begun.elapsed() < SHORTEST_EMPTY_POLL {
                        tokio::time::sleep(SHORTEST_EMPTY_POLL).await;
                    }
                }
                Ok(Err(error @ (ReadError::OutOfRange(_) | ReadError::Recreated(_)))) => {
                    self.report(TailReport::Problem(error.to_string())).await?;
                    return Ok(Ended::Recreated);
                }
                Ok(Err(error)) => {
                    self.report(TailReport::Problem(error.to_string())).await?;
                    backoff.wait().await;
                }
                Err(_) => {
                    let text = format!("reading the registry's log: no answer within {limit:?}");
                    self.report(TailReport::Problem(text)).await?;
                }
            }
        }
    }

    async fn report(&self, report: TailReport) -> Result<(), ActorGone> {
        let actor = self.actor.upgrade().ok_or(ActorGone)?;
        actor.send(report).await.map_err(|_| ActorGone)
    }
}

fn apply(table: &mut Table, chunk: &LogChunk) {
    for (offset, record) in &chunk.records {
        if *offset >= table.position() {
            table.apply(*offset, record);
        }
    }
    table.advance(chunk.next_offset);
}

fn no_answer(what: &str, limit: Duration) -> LoadError {
    LoadError::Failed(format!("{what}: no answer within {limit:?}"))
}

struct Backoff {
    next: Duration,
}

impl Backoff {
    fn new(config: &RegistryConfig) -> Self {
        Self {
            next: config.retry_backoff,
        }
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST_BACKOFF);
    }
}
