//! Starting the registry again after a panic.
//!
//! The table, its status and what else is shown stay as they were until the
//! successor has read the log: delivery goes on by the last state, as it does
//! when Kafka is away, and `/readyz` says so once that state is stale. Whoever
//! waited for an answer is told that the outcome is unknown. What a replica
//! had yet to undo (see the registry's `repair`) stays, as after its death.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr};
use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::actor::TaskRegistryActor;

/// The first pause before a restart; it doubles while restarts do not help.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Who has worked for that long begins with the first pause again.
const SOUND_AFTER: Duration = Duration::from_secs(60);

/// How an actor has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was asked to, or its thread ends.
    Stopped,
    /// It, or its tail, panicked.
    Failed,
}

/// Tells of its actor's end when it is dropped with it.
#[derive(Debug, Default)]
pub(super) struct EndSign {
    failed: bool,
    to: Option<oneshot::Sender<End>>,
}

impl EndSign {
    pub(super) fn sign(&mut self) -> oneshot::Receiver<End> {
        let (to, end) = oneshot::channel();
        self.to = Some(to);
        end
    }

    /// The actor stops because something of it has failed.
    pub(super) fn failed(&mut self) {
        self.failed = true;
    }
}

impl Drop for EndSign {
    fn drop(&mut self) {
        let end = match self.failed || std::thread::panicking() {
            true => End::Failed,
            false => End::Stopped,
        };
        if let Some(to) = self.to.take() {
            // An error means that nobody would start it again.
            let _nobody_listens = to.send(end).is_err();
        }
    }
}

/// Where the actor is reached that is at work now.
pub(super) type CurrentAddr = Arc<ArcSwap<Addr<TaskRegistryActor>>>;

/// Starts `actor` on the current arbiter, and a successor whenever it panics.
pub(super) fn start(mut actor: TaskRegistryActor) -> CurrentAddr {
    let mut successor = actor.successor();
    let mut end = actor.on_end();
    let addr = CurrentAddr::new(ArcSwap::from_pointee(actor.start()));
    // Not to keep the registry alive when everybody has let go of it.
    let current = Arc::downgrade(&addr);
    actix_rt::spawn(async move {
        let mut pause = FIRST_PAUSE;
        let mut started = Instant::now();
        while end.await == Ok(End::Failed) {
            successor.show_failure();
            if started.elapsed() > SOUND_AFTER {
                pause = FIRST_PAUSE;
            }
            tracing::error!(?pause, "the task registry has failed: starting it again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            started = Instant::now();
            let Some(current) = current.upgrade() else {
                return;
            };
            let mut actor = successor;
            successor = actor.successor();
            end = actor.on_end();
            current.store(Arc::new(actor.start()));
        }
    });
    addr
}
