//! The load threads at work, and what is watched meanwhile.

use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::setup::Setup;
use super::{Cancel, LoadError, Progress};
use crate::offset_ledger::OffsetLedger;
use crate::phase::{FromThread, Pace, PhasePlan, PhaseResult, Tick};
use crate::process_usage::{cpu_time, resident_bytes};
use crate::tally::{Problems, Tally};

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// So that all threads know of a phase before it begins.
const HEAD_START: Duration = Duration::from_millis(20);

/// A gateway's memory.
#[derive(Clone, Copy)]
pub(super) struct Gateway {
    pub(super) pid: u32,
    pub(super) rss_start: u64,
    pub(super) rss_max: u64,
}

/// All load threads.
pub(super) struct Crew<'p> {
    threads: Vec<(Sender<PhasePlan>, JoinHandle<()>)>,
    from_threads: UnboundedReceiver<FromThread>,
    cancel: Cancel,
    progress: &'p mut dyn FnMut(&Progress),
    began: Instant,
    stage: String,
    /// Of the present second.
    second: Tick,
    ticks: usize,
    failed_in_all: u64,
    ledger: OffsetLedger,
    faults: Problems,
    pub(super) gateway: Option<Gateway>,
    /// CPU time of the gateway in the window of the last phase.
    pub(super) gateway_cpu: Option<Duration>,
}

/// What the threads leave behind.
pub(super) struct Ended {
    pub(super) tally: Tally,
    pub(super) ledger: OffsetLedger,
    pub(super) topics: Vec<(String, String)>,
    pub(super) idle_open: u32,
}

impl<'p> Crew<'p> {
    pub(super) fn start(
        setup: &Setup<'_>,
        cancel: &Cancel,
        progress: &'p mut dyn FnMut(&Progress),
    ) -> Result<Self, LoadError> {
        let gateway = match setup.options.pid {
            None => None,
            Some(pid) => {
                let rss = resident_bytes(pid).map_err(LoadError::Usage)?;
                Some(Gateway {
                    pid,
                    rss_start: rss,
                    rss_max: rss,
                })
            }
        };
        let (out, from_threads) = unbounded_channel();
        let mut threads = Vec::new();
        for number in 0..setup.threads() {
            let (phases, to_thread) = std::sync::mpsc::channel();
            let recruit = setup.recruit(number, cancel);
            let out = out.clone();
            let handle = std::thread::Builder::new()
                .name(format!("load-{number}"))
                .spawn(move || recruit.work(&to_thread, &out))
                .map_err(|error| LoadError::Failed(format!("cannot start a thread: {error}")))?;
            threads.push((phases, handle));
        }
        Ok(Self {
            threads,
            from_threads,
            cancel: cancel.clone(),
            progress,
            began: Instant::now(),
            stage: String::new(),
            second: Tick::new(),
            ticks: 0,
            failed_in_all: 0,
            ledger: OffsetLedger::default(),
            faults: Problems::default(),
            gateway,
            gateway_cpu: None,
        })
    }

    /// Waits until all connections are made.
    pub(super) async fn connected(&mut self) -> Result<(), LoadError> {
        for _ in 0..self.threads.len() {
            let FromThread::Ready = self.next().await? else {
                return Err(LoadError::Failed(
                    "a load thread did not get ready".to_owned(),
                ));
            };
        }
        self.began = Instant::now();
        Ok(())
    }

    /// What a thread says next that is not a tick.
    async fn next(&mut self) -> Result<FromThread, LoadError> {
        let mut look = interval(LOOK);
        loop {
            tokio::select! {
                biased;
                said = self.from_threads.recv() => match said {
                    Some(FromThread::Tick(tick)) => self.take_in(*tick),
                    Some(FromThread::Failed(reason)) => return Err(LoadError::Failed(reason)),
                    Some(other) => return Ok(other),
                    None => return Err(gone()),
                },
                _ = look.tick() => {
                    // A thread that has ended has said so before, unless it panicked.
                    let ended = self.threads.iter().any(|(_, handle)| handle.is_finished());
                    if ended && self.from_threads.is_empty() {
                        return Err(gone());
                    }
                }
            }
        }
    }

    /// Has all threads work through a phase.
    pub(super) async fn phase(
        &mut self,
        stage: &str,
        pace: Pace,
        warmup: Duration,
        duration: Duration,
    ) -> Result<PhaseResult, LoadError> {
        stage.clone_into(&mut self.stage);
        let start = Instant::now() + HEAD_START;
        let plan = PhasePlan {
            pace,
            start,
            window_start: start + warmup,
            end: start + warmup + duration,
        };
        for (phases, _) in &self.threads {
            // One that is gone is noticed below.
            phases.send(plan).ok();
        }
        let mut usage = UsageWatch::new(self.gateway.map(|gateway| gateway.pid), plan);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut result = PhaseResult::new();
        let mut left = self.threads.len();
        while left > 0 {
            let edge = usage.next_edge();
            let at = edge.unwrap_or(plan.end);
            tokio::select! {
                biased;
                () = sleep_until(at.into()), if edge.is_some() => usage.pass_edge(),
                _ = look.tick() => {
                    self.look_at_memory();
                    if self.cancel.is_cancelled() {
                        usage.end_now();
                    }
                }
                said = self.next() => if let FromThread::PhaseDone(one) = said? {
                    result.merge(&one);
                    left -= 1;
                },
            }
        }
        usage.end_now();
        self.gateway_cpu = usage.used();
        Ok(result)
    }

    fn look_at_memory(&mut self) {
        // A gateway that is gone shows in the answers.
        if let Some(gateway) = &mut self.gateway
            && let Ok(rss) = resident_bytes(gateway.pid)
        {
            gateway.rss_max = gateway.rss_max.max(rss);
        }
    }

    fn take_in(&mut self, tick: Tick) {
        self.ledger.take_in(tick.pages, &mut self.faults);
        self.second.requests += tick.requests;
        self.second.acked_messages += tick.acked_messages;
        self.second.failed += tick.failed;
        self.second.latency.merge(&tick.latency);
        self.failed_in_all += tick.failed;
        self.ticks += 1;
        if self.ticks < self.threads.len() {
            return;
        }
        self.ticks = 0;
        let second = std::mem::replace(&mut self.second, Tick::new());
        (self.progress)(&Progress {
            elapsed: self.began.elapsed(),
            stage: self.stage.clone(),
            requests: second.requests,
            acknowledged_messages: second.acked_messages,
            failed: second.failed,
            failed_in_all: self.failed_in_all,
            p50_ms: second.latency.quantile_ms(0.5),
            p99_ms: second.latency.quantile_ms(0.99),
        });
    }

    /// Ends all threads.
    pub(super) async fn end(mut self) -> Result<Ended, LoadError> {
        let mut handles = Vec::new();
        for (phases, handle) in std::mem::take(&mut self.threads) {
            drop(phases);
            handles.push(handle);
        }
        let mut tally = Tally::default();
        let mut topics = Vec::new();
        let mut idle_open = 0;
        for _ in 0..handles.len() {
            let FromThread::Ended(end) = self.next().await? else {
                return Err(gone());
            };
            tally.merge(end.tally);
            self.ledger.take_in(end.pages, &mut self.faults);
            topics.extend(end.topics);
            idle_open += end.idle_open;
        }
        for handle in handles {
            // They have said their last.
            handle.join().map_err(|_| gone())?;
        }
        tally.faults.merge(self.faults);
        Ok(Ended {
            tally,
            ledger: self.ledger,
            topics,
            idle_open,
        })
    }
}

fn gone() -> LoadError {
    LoadError::Failed("a load thread ended unexpectedly".to_owned())
}

/// A process's CPU time at both edges of a window.
struct UsageWatch {
    pid: Option<u32>,
    plan: PhasePlan,
    before: Option<Duration>,
    after: Option<Duration>,
}

impl UsageWatch {
    fn new(pid: Option<u32>, plan: PhasePlan) -> Self {
        Self {
            pid,
            plan,
            before: None,
            after: None,
        }
    }

    fn next_edge(&self) -> Option<Instant> {
        self.pid?;
        match (self.before, self.after) {
            (None, _) => Some(self.plan.window_start),
            (Some(_), None) => Some(self.plan.end),
            _ => None,
        }
    }

    fn pass_edge(&mut self) {
        let Some(used) = self.pid.and_then(|pid| cpu_time(pid).ok()) else {
            self.pid = None;
            return;
        };
        if self.before.is_none() {
            self.before = Some(used);
        } else {
            self.after = Some(used);
        }
    }

    /// The window ends before its time, or has ended.
    fn end_now(&mut self) {
        if self.before.is_some() && self.after.is_none() {
            self.pass_edge();
        }
    }

    fn used(&self) -> Option<Duration> {
        Some(self.after?.saturating_sub(self.before?))
    }
}
