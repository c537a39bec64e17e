//! One connection to one broker, shared by the partitions that it leads.
//!
//! A lane takes whatever batches are ready and sends them in one produce
//! request: by far the cheapest for small batches, since the broker handles a
//! connection's requests one after the other. Batches are sealed only when
//! their frame is put together, so they keep growing while the lane is busy.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use super::{
    ProduceObserver,
    batch::BatchSlot,
    request::{Ended, send},
};
use crate::{
    Error, cluster::Cluster, connection::Connection, metadata::Broker,
    record_batch::compress::Codec,
};

/// Requests in flight on a lane. The broker works on one at a time, the wait for
/// its replicas included, and the next one travels meanwhile. A third would only
/// wait at the broker, with batches that were closed too early.
const MAX_IN_FLIGHT: usize = 2;

/// A frame is closed once it holds that many bytes of batches, before they are
/// compressed: larger requests cost more per record (cache misses on both
/// sides). This also bounds the memory that frames, and what their batches are
/// compressed to, take beside the batches.
const FRAME_BYTES: usize = 1 << 20;

/// How often a lane that cannot send looks for batches that nobody waits for
/// any more.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// What came of handing a batch to a lane once.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// Everything in it was withdrawn before the frame was built.
    Withdrawn,
    /// It was frozen before, and its time was up before it could be sent again.
    OutOfTime,
    /// It did not reach a connection in this attempt.
    NotHanded(Error),
    /// It was handed to a connection, and no answer came.
    NoAnswer(Error),
    /// The broker answered; code 0 is success.
    Answered { code: i16, base_offset: i64 },
}

/// A batch and where it goes.
pub(crate) struct Job {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) slot: BatchSlot,
    pub(crate) reply: oneshot::Sender<(BatchSlot, Attempt)>,
}

impl Job {
    fn is_same_partition(&self, other: &Self) -> bool {
        self.partition == other.partition && self.topic == other.topic
    }

    /// Whether anybody waits for it. Without a writer it must not be sealed:
    /// nobody would tell its callers what became of it.
    fn has_writer(&self) -> bool {
        !self.reply.is_closed()
    }

    /// Does `work`, in which the batch's own code runs. `None` if that
    /// panicked: then the job is to be dropped, by which its writer learns that
    /// it is lost. The lane, and what it carries for others, goes on.
    pub(super) fn contained<T>(&mut self, work: impl FnOnce(&mut BatchSlot) -> T) -> Option<T> {
        let slot = &mut self.slot;
        catch_unwind(AssertUnwindSafe(|| work(slot))).ok()
    }

    pub(super) fn answer(self, attempt: Attempt) {
        // A writer that has gone away (its actor was stopped) wants no answer.
        drop(self.reply.send((self.slot, attempt)));
    }
}

/// Handle of a lane's task; the task ends when all handles are gone and its
/// last request has ended.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    jobs: mpsc::UnboundedSender<Job>,
}

/// Finds a lane for as long as somebody else keeps it.
#[derive(Debug)]
pub(crate) struct WeakLane {
    jobs: mpsc::WeakUnboundedSender<Job>,
}

impl WeakLane {
    pub(crate) fn upgrade(&self) -> Option<Lane> {
        let jobs = self.jobs.upgrade()?;
        Some(Lane { jobs }).filter(Lane::is_running)
    }
}

impl Lane {
    /// Starts the lane's task on the current runtime.
    pub(crate) fn spawn(
        cluster: Cluster,
        broker: Broker,
        observer: Arc<dyn ProduceObserver>,
        codec: Option<Codec>,
    ) -> Self {
        // Unbounded, yet small: a partition has one batch under way at a time.
        let (jobs, queue) = mpsc::unbounded_channel();
        let mut sweep = interval(SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let driver = Driver {
            cluster,
            broker,
            observer,
            codec,
            queue,
            backlog: VecDeque::new(),
            connection: None,
            connecting: None,
            in_flight: FuturesUnordered::new(),
            throttled_until: Instant::now(),
            sweep,
        };
        tokio::spawn(driver.run());
        Self { jobs }
    }

    pub(crate) fn downgrade(&self) -> WeakLane {
        let jobs = self.jobs.downgrade();
        WeakLane { jobs }
    }

    /// Whether its task takes jobs: not so after a panic.
    pub(crate) fn is_running(&self) -> bool {
        !self.jobs.is_closed()
    }

    pub(crate) fn submit(&self, job: Job) {
        if let Err(mpsc::error::SendError(job)) = self.jobs.send(job) {
            job.answer(Attempt::NotHanded(Error::Closed));
        }
    }
}

struct Driver {
    cluster: Cluster,
    broker: Broker,
    observer: Arc<dyn ProduceObserver>,
    codec: Option<Codec>,
    queue: mpsc::UnboundedReceiver<Job>,
    backlog: VecDeque<Job>,
    connection: Option<(u64, Arc<Connection>)>,
    connecting: Option<BoxFuture<'static, Result<Connection, Error>>>,
    in_flight: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// Until when the broker mutes the connection (KIP-219): frames that are
    /// not built yet do better to wait here, and to grow.
    throttled_until: Instant,
    sweep: Interval,
}

impl Driver {
    async fn run(mut self) {
        let mut open = true;
        let mut connections = 0;
        while open || !self.backlog.is_empty() || !self.in_flight.is_empty() {
            let may_send = !self.backlog.is_empty() && self.in_flight.len() < MAX_IN_FLIGHT;
            if may_send && self.connection.is_none() && self.connecting.is_none() {
                let (cluster, broker) = (self.cluster.clone(), self.broker.clone());
                self.connecting = Some(Box::pin(async move { cluster.connect(&broker).await }));
            }
            if self
                .connection
                .as_ref()
                .is_some_and(|(_, connection)| connection.is_closed())
            {
                self.hang_up();
                continue;
            }
            let throttled = Instant::now() < self.throttled_until;
            if may_send && self.connection.is_some() && !throttled {
                self.send_frame();
                continue;
            }
            let busy = self.in_flight.len() >= MAX_IN_FLIGHT;
            tokio::select! {
                biased;
                Some(ended) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    self.note(&ended);
                }
                // What comes while no request can be sent is looked at when
                // one can, all at once.
                job = self.queue.recv(), if open && !busy => match job {
                    Some(job) => {
                        self.backlog.push_back(job);
                        // Whoever is about to hand over gets the chance to
                        // ride in the same frame.
                        tokio::task::yield_now().await;
                        while let Ok(job) = self.queue.try_recv() {
                            self.backlog.push_back(job);
                        }
                    }
                    None => open = false,
                },
                made = poll_option(&mut self.connecting), if self.connecting.is_some() => {
                    self.connecting = None;
                    match made {
                        Ok(connection) => {
                            connections += 1;
                            self.connection = Some((connections, Arc::new(connection)));
                            self.observer.connected(self.broker.id, true);
                        }
                        Err(error) => self.refuse_backlog(&error),
                    }
                }
                // Requests in flight tell by failing.
                () = closed(self.connection.as_ref()),
                    if self.connection.is_some() && self.in_flight.is_empty() => self.hang_up(),
                () = sleep_until(self.throttled_until), if may_send && throttled => {}
                _ = self.sweep.tick(), if busy || !self.backlog.is_empty() => self.sweep(),
            }
        }
    }

    fn note(&mut self, ended: &Ended) {
        if !ended.throttle.is_zero() {
            self.observer.throttled(ended.throttle);
            self.throttled_until = self.throttled_until.max(Instant::now() + ended.throttle);
        }
        let current = self
            .connection
            .as_ref()
            .is_some_and(|(id, _)| *id == ended.connection);
        if ended.broken && current {
            self.hang_up();
        }
    }

    /// Lets go of a connection that is closed: what is not handed over yet
    /// waits for the next one.
    fn hang_up(&mut self) {
        self.connection = None;
        self.observer.connected(self.broker.id, false);
    }

    fn refuse_backlog(&mut self, error: &Error) {
        for job in self.backlog.drain(..) {
            job.answer(Attempt::NotHanded(error.clone()));
        }
    }

    /// Gives back what need not be sent any more: a broker that does not
    /// answer, or throttles, must not keep a batch beyond its time.
    fn sweep(&mut self) {
        while let Ok(job) = self.queue.try_recv() {
            self.backlog.push_back(job);
        }
        for mut job in std::mem::take(&mut self.backlog) {
            if job.slot.is_given_up() {
                job.answer(Attempt::OutOfTime);
                continue;
            }
            match job.contained(BatchSlot::is_wanted) {
                Some(true) if job.has_writer() => self.backlog.push_back(job),
                Some(_) => job.answer(Attempt::Withdrawn),
                None => {}
            }
        }
    }

    /// Seals what is ready, up to a frame's size, and sends it.
    fn send_frame(&mut self) {
        let Some((id, connection)) = self.connection.clone() else {
            return;
        };
        let mut jobs = Vec::with_capacity(self.backlog.len());
        let mut partitions = Vec::with_capacity(self.backlog.len());
        let mut bytes = 0;
        while bytes < FRAME_BYTES {
            let Some(mut job) = self.backlog.pop_front() else {
                break;
            };
            if job.slot.is_given_up() {
                job.answer(Attempt::OutOfTime);
                continue;
            }
            // The numbers first: they lie together.
            if partitions.contains(&job.partition)
                && jobs.iter().any(|other: &Job| other.is_same_partition(&job))
            {
                // Two producers of one partition, while one of them ends: the
                // answer could not tell their batches apart.
                self.backlog.push_front(job);
                break;
            }
            if !job.has_writer() {
                continue;
            }
            match job.contained(BatchSlot::seal) {
                Some(Some(len)) => {
                    bytes += len;
                    if job.slot.attempts() > 0 {
                        self.observer.resent();
                    }
                    partitions.push(job.partition);
                    jobs.push(job);
                }
                Some(None) => job.answer(Attempt::Withdrawn),
                None => {}
            }
        }
        if !jobs.is_empty() {
            let request = send(id, connection, jobs, self.codec);
            self.in_flight.push(Box::pin(request));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.connection.is_some() {
            self.observer.connected(self.broker.id, false);
        }
    }
}

async fn closed(connection: Option<&(u64, Arc<Connection>)>) {
    match connection {
        Some((_, connection)) => connection.closed().await,
        None => std::future::pending().await,
    }
}

async fn poll_option<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
