//! What threads are told to do, and what they say of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::offset_ledger::PageOf;
use crate::tally::{Latencies, Tally, Window};

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// Each connection sends when it has been answered.
    Closed,
    /// At constant distances: requests per second of all threads together, of
    /// which `backlog` may wait for a connection.
    Open { rate: f64, backlog: usize },
}

/// A stretch of load. What is due in `window_start..end` is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PhasePlan {
    pub(crate) pace: Pace,
    pub(crate) start: Instant,
    pub(crate) window_start: Instant,
    pub(crate) end: Instant,
}

/// What one thread, or all together, measured in a phase.
#[derive(Clone, Debug)]
pub(crate) struct PhaseResult {
    pub(crate) window: Window,
    /// Length of the window; shorter than planned if the run was ended.
    pub(crate) window_time: Duration,
    /// From when each request was due to its answer. In a closed loop that is
    /// from when it was sent.
    pub(crate) latency: Latencies,
    /// From when each was sent.
    pub(crate) service: Latencies,
    /// How late the generator itself was, connections being free.
    pub(crate) lag: Latencies,
    /// CPU time of the thread in the window.
    pub(crate) cpu: Duration,
    /// The largest part of the window that a thread was busy.
    pub(crate) busiest: f64,
    /// Open loop: most requests that waited for a connection.
    pub(crate) most_waiting: usize,
    /// Open loop: requests that were due and given up.
    pub(crate) not_sent: u64,
}

impl PhaseResult {
    pub(crate) fn new() -> Self {
        Self {
            window: Window::default(),
            window_time: Duration::ZERO,
            latency: Latencies::new(),
            service: Latencies::new(),
            lag: Latencies::new(),
            cpu: Duration::ZERO,
            busiest: 0.0,
            most_waiting: 0,
            not_sent: 0,
        }
    }

    /// Takes in what another thread measured at the same time.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.window.merge(other.window);
        self.window_time = self.window_time.max(other.window_time);
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.lag.merge(&other.lag);
        self.cpu += other.cpu;
        self.busiest = self.busiest.max(other.busiest);
        self.most_waiting += other.most_waiting;
        self.not_sent += other.not_sent;
    }
}

/// What happened since the tick before.
pub(crate) struct Tick {
    pub(crate) requests: u64,
    pub(crate) acked_messages: u64,
    pub(crate) failed: u64,
    pub(crate) latency: Latencies,
    pub(crate) pages: Vec<PageOf>,
}

impl Tick {
    pub(crate) fn new() -> Self {
        Self {
            requests: 0,
            acked_messages: 0,
            failed: 0,
            latency: Latencies::coarse(),
            pages: Vec::new(),
        }
    }
}

/// What a thread leaves behind.
pub(crate) struct ThreadEnd {
    pub(crate) tally: Tally,
    /// Access points and the topics their messages went to.
    pub(crate) topics: Vec<(String, String)>,
    pub(crate) pages: Vec<PageOf>,
    /// Idle connections that are open still.
    pub(crate) idle_open: u32,
}

/// From a thread to the conductor.
pub(crate) enum FromThread {
    /// All connections are there.
    Ready,
    Tick(Box<Tick>),
    PhaseDone(Box<PhaseResult>),
    Ended(Box<ThreadEnd>),
    /// It cannot go on.
    Failed(String),
}

/// What a thread is made of, beside its requests.
#[derive(Clone)]
pub(crate) struct ThreadSettings {
    pub(crate) address: SocketAddr,
    /// Connections of this thread.
    pub(crate) connections: usize,
    /// Idle connections of this thread.
    pub(crate) idle: usize,
    /// Number of this thread, and of all.
    pub(crate) share: (usize, usize),
    pub(crate) messages: u64,
    pub(crate) timeout: Duration,
    pub(crate) cancelled: Arc<AtomicBool>,
}
