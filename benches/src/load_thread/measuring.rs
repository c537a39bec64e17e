//! What a thread measures in a phase.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::arrivals::Arrivals;
use crate::connection::Flight;
use crate::phase::{Pace, PhasePlan, PhaseResult, Tick};

const TICK: Duration = Duration::from_secs(1);

pub(super) struct Measuring {
    plan: Option<PhasePlan>,
    result: PhaseResult,
    tick: Tick,
    next_tick: Instant,
    /// CPU time of the thread when the window began.
    cpu_before: Option<Duration>,
    /// The window has ended.
    over: bool,
}

impl Measuring {
    /// Outside of phases.
    pub(super) fn none() -> Self {
        Self {
            plan: None,
            result: PhaseResult::new(),
            tick: Tick::new(),
            next_tick: Instant::now(),
            cpu_before: None,
            over: true,
        }
    }

    pub(super) fn new(plan: PhasePlan) -> Self {
        Self {
            plan: Some(plan),
            next_tick: plan.start + TICK,
            over: false,
            ..Self::none()
        }
    }

    /// Notes the window's edges; whether it has ended.
    pub(super) fn pass_time(&mut self, now: Instant) -> bool {
        let Some(plan) = self.plan.filter(|_| !self.over) else {
            return true;
        };
        if now >= plan.window_start && self.cpu_before.is_none() {
            self.cpu_before = Some(thread_cpu());
        }
        if now >= plan.end {
            self.over = true;
            self.result.window_time = plan.end.saturating_duration_since(plan.window_start);
            if let Some(before) = self.cpu_before {
                self.result.cpu = thread_cpu().saturating_sub(before);
                let took = now
                    .saturating_duration_since(plan.window_start)
                    .as_secs_f64();
                self.result.busiest = self.result.cpu.as_secs_f64() / took.max(1e-9);
            }
        }
        self.over
    }

    /// Ends the window before its time.
    pub(super) fn end_now(&mut self, now: Instant) {
        if let Some(plan) = &mut self.plan {
            plan.end = plan.end.min(now);
        }
    }

    /// When the time asks for something next.
    pub(super) fn next_edge(&self, now: Instant) -> Instant {
        let Some(plan) = &self.plan else {
            return self.next_tick;
        };
        let edges = [plan.start, plan.window_start, plan.end, self.next_tick];
        let next = edges.into_iter().filter(|edge| *edge > now).min();
        next.unwrap_or(self.next_tick)
    }

    pub(super) fn tick_due(&self, now: Instant) -> bool {
        self.plan.is_some() && now >= self.next_tick
    }

    pub(super) fn take_tick(&mut self, now: Instant) -> Tick {
        while self.next_tick <= now {
            self.next_tick += TICK;
        }
        std::mem::replace(&mut self.tick, Tick::new())
    }

    /// How late the generator itself was.
    pub(super) fn note_lag(&mut self, due: Instant, now: Instant) {
        if self.is_measured(due) {
            self.result.lag.record(now - due);
        }
    }

    /// `whole`: all messages are acknowledged.
    pub(super) fn note_answer(&mut self, flight: &Flight, now: Instant, acked: u64, whole: bool) {
        let latency = now.saturating_duration_since(flight.due);
        self.tick.requests += 1;
        self.tick.acked_messages += acked;
        self.tick.failed += u64::from(!whole);
        self.tick.latency.record(latency);
        // By when it was due: who looked at what was answered in the window
        // alone would lose the slowest ones.
        if whole && self.is_measured(flight.due) {
            self.result.latency.record(latency);
            if self.plan.is_some_and(|plan| plan.pace != Pace::Closed) {
                self.result
                    .service
                    .record(now.saturating_duration_since(flight.sent));
            }
        }
        if self.is_measured(now) {
            self.result.window.requests += 1;
            self.result.window.acked_messages += acked;
            self.result.window.failed += u64::from(!whole);
        }
    }

    pub(super) fn note_failure(&mut self, now: Instant) {
        self.tick.failed += 1;
        if self.is_measured(now) {
            self.result.window.failed += 1;
        }
    }

    fn is_measured(&self, at: Instant) -> bool {
        let plan = self.plan.as_ref();
        plan.is_some_and(|plan| plan.window_start <= at && at < plan.end)
    }

    /// Requests that were due and never sent took at least until now.
    pub(super) fn finish(mut self, arrivals: Option<Arrivals>, now: Instant) -> PhaseResult {
        if let Some(mut arrivals) = arrivals {
            self.result.not_sent = arrivals.overflowed;
            self.result.most_waiting = arrivals.most_waiting;
            while let Some(due) = arrivals.take() {
                self.result.not_sent += 1;
                if self.is_measured(due) {
                    self.result
                        .latency
                        .record(now.saturating_duration_since(due));
                }
            }
        }
        self.result
    }
}

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}
