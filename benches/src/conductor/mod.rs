//! The course of a run.

mod findings;
mod setup;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock;
use crate::options::Options;
use crate::phase::{Pace, PhaseResult};
use crate::ramp::RampSearch;
use crate::report::{RampStep, Report};
use crate::topic_growth::WatchedTopics;
use findings::Findings;
use setup::Setup;
use watch::Crew;

/// Of a ramp's step: what has to be answered of what was due.
const ANSWERED: f64 = 0.95;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Options that do not go together, or name what is not there.
    #[error("{0}")]
    Usage(String),
    /// The endpoint cannot be reached, or the system refuses something.
    #[error("{0}")]
    Failed(String),
}

/// Ends a run before its time. Clones belong to the same run.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// No more requests are sent; answers are waited for at most 5 s, and the
    /// report tells of what ran.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// About a second of a run.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Since the load began.
    pub elapsed: Duration,
    /// What the run is at.
    pub stage: String,
    /// Answers in that second.
    pub requests: u64,
    /// Messages acknowledged in it.
    pub acknowledged_messages: u64,
    /// Requests in it that failed.
    pub failed: u64,
    /// Requests that have failed so far.
    pub failed_in_all: u64,
    /// Median latency of that second, to two digits.
    pub p50_ms: f64,
    /// The same for the slowest hundredth.
    pub p99_ms: f64,
}

/// Runs the load and checks what comes back. `progress` is called about once a
/// second.
///
/// Needs a tokio runtime with time and I/O; the load runs on threads of its own.
///
/// # Errors
/// See [`LoadError`]. Refused requests and false answers are no errors, but
/// stand in the report.
///
/// # Cancellation
/// Use [`Cancel`]: a future that is dropped leaves its threads to end by
/// themselves within 100 ms and the answers' time limit.
pub async fn run(
    options: &Options,
    cancel: &Cancel,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Report, LoadError> {
    let started = clock::unix_time().as_secs();
    let setup = Setup::new(options)?;
    let watched = match &options.kafka {
        Some(broker) => {
            let watched = WatchedTopics::new(broker, &options.topic);
            let before = watched.ends().await.map_err(LoadError::Failed)?;
            Some((watched, before))
        }
        None => None,
    };
    let mut crew = Crew::start(&setup, cancel, progress)?;
    crew.connected().await?;
    let mut ramp = None;
    let (pace, result) = if options.ramp {
        let (pace, result, steps) = climb(options, cancel, &mut crew).await?;
        ramp = Some(steps);
        (pace, result)
    } else {
        let pace = match options.rate {
            None => Pace::Closed,
            Some(rate) => open(options, rate),
        };
        let result = crew
            .phase("load", pace, options.warmup, options.duration)
            .await?;
        (pace, result)
    };
    let gateway = crew.gateway;
    let gateway_cpu = crew.gateway_cpu;
    let ended = crew.end().await?;
    let growth = match watched {
        Some((watched, before)) => {
            let after = watched.ends().await.map_err(LoadError::Failed)?;
            Some(findings::growth(&before, &after))
        }
        None => None,
    };
    let findings = Findings {
        options,
        started,
        interrupted: cancel.is_cancelled(),
        pace,
        result,
        ended,
        growth,
        gateway,
        gateway_cpu,
        ramp,
    };
    Ok(findings.into_report())
}

fn open(options: &Options, rate: f64) -> Pace {
    let backlog = options.backlog;
    Pace::Open { rate, backlog }
}

/// Searches the highest rate that is sustained, and measures at it.
async fn climb(
    options: &Options,
    cancel: &Cancel,
    crew: &mut Crew<'_>,
) -> Result<(Pace, PhaseResult, Vec<RampStep>), LoadError> {
    let mut search = RampSearch::new(options.rate.unwrap_or(1000.0));
    let mut steps = Vec::new();
    let mut last = None;
    while let Some(rate) = search.next() {
        let pace = step_pace(options, rate);
        let stage = format!("ramp at {rate:.0}/s");
        let settling = options.step / 4;
        let result = crew
            .phase(&stage, pace, settling, options.step - settling)
            .await?;
        if cancel.is_cancelled() {
            return Ok((pace, result, steps));
        }
        let step = judge(options, rate, &result);
        search.judge(step.sustained);
        steps.push(step);
        last = Some((pace, result));
    }
    if let Some(rate) = search.best() {
        let pace = open(options, rate);
        let stage = format!("load at {rate:.0}/s");
        let result = crew
            .phase(&stage, pace, options.warmup, options.duration)
            .await?;
        return Ok((pace, result, steps));
    }
    let (pace, result) = last.unwrap_or((open(options, 1.0), PhaseResult::new()));
    Ok((pace, result, steps))
}

/// A step that is too fast shall fail soon: no more may wait than would keep
/// within the limit ten times over.
fn step_pace(options: &Options, rate: f64) -> Pace {
    let waiting = rate * options.p99_limit.as_secs_f64() * 10.0;
    let backlog = (waiting as usize).clamp(100, options.backlog.max(100));
    Pace::Open { rate, backlog }
}

fn judge(options: &Options, rate: f64, result: &PhaseResult) -> RampStep {
    let p99_ms = result.latency.quantile_ms(0.99);
    let answered = result.window.requests as f64 / result.window_time.as_secs_f64().max(1e-9);
    let failed = result.window.failed + result.not_sent;
    let fast = p99_ms <= options.p99_limit.as_secs_f64() * 1e3;
    RampStep {
        rate,
        answered,
        p99_ms,
        failed,
        sustained: fast && failed == 0 && answered >= ANSWERED * rate,
    }
}
