//! From what was counted to what is reported.

use std::collections::BTreeMap;
use std::time::Duration;

use super::watch::{Ended, Gateway};
use crate::machine::Machine;
use crate::options::Options;
use crate::phase::{Pace, PhaseResult};
use crate::report::{
    Checks, GatewayUsage, IdleCheck, KafkaCheck, LatencySummary, Measured, OwnUsage, Problems,
    RampStep, Report, Schedule, WholeRun, percentile_points,
};
use crate::tally::Tally;

/// A thread that is busier than this is the limit.
const BUSY: f64 = 0.9;
/// A generator that is this late, in milliseconds, measures itself,
const LATE_MS: f64 = 1.0;
/// if that is so much of what it has measured.
const LATE_PART: f64 = 0.2;

/// Everything that a run has found out.
pub(super) struct Findings<'a> {
    pub(super) options: &'a Options,
    pub(super) started: u64,
    pub(super) interrupted: bool,
    pub(super) pace: Pace,
    pub(super) result: PhaseResult,
    pub(super) ended: Ended,
    pub(super) growth: Option<BTreeMap<String, i64>>,
    pub(super) gateway: Option<Gateway>,
    pub(super) gateway_cpu: Option<Duration>,
    pub(super) ramp: Option<Vec<RampStep>>,
}

impl Findings<'_> {
    pub(super) fn into_report(mut self) -> Report {
        let tally = std::mem::take(&mut self.ended.tally);
        let measured = self.measured();
        let own = self.own();
        let gateway = self.gateway_usage(&measured);
        let warnings = self.warnings(&measured, &own, &tally);
        let checks = self.checks(&tally);
        Report {
            version: env!("CARGO_PKG_VERSION"),
            started_unix_seconds: self.started,
            mode: match self.pace {
                _ if self.ramp.is_some() => "ramp",
                Pace::Closed => "closed",
                Pace::Open { .. } => "open",
            },
            interrupted: self.interrupted,
            options: self.options.clone(),
            machine: Machine::this(),
            measured,
            whole_run: WholeRun {
                requests: tally.requests,
                acknowledged_messages: tally.acked_messages,
                refused_messages: tally.refused_messages,
                unknown_messages: tally.unknown_messages,
                refused: tally.refused,
                unknown: tally.unknown,
                connections: tally.connections,
            },
            checks,
            own,
            gateway,
            ramp: self.ramp,
            warnings,
        }
    }

    fn measured(&self) -> Measured {
        let result = &self.result;
        let seconds = result.window_time.as_secs_f64();
        let a_second = |count: u64| per(count, seconds);
        let bytes = self.options.key_bytes + self.options.value_bytes;
        let messages_per_second = a_second(result.window.acked_messages);
        let schedule = match self.pace {
            Pace::Closed => None,
            Pace::Open { rate, .. } => Some(Schedule {
                rate,
                lag_p99_ms: result.lag.quantile_ms(0.99),
                most_waiting: result.most_waiting,
                not_sent: result.not_sent,
            }),
        };
        Measured {
            seconds,
            requests: result.window.requests,
            acknowledged_messages: result.window.acked_messages,
            failed_requests: result.window.failed,
            requests_per_second: a_second(result.window.requests),
            messages_per_second,
            megabytes_per_second: messages_per_second * number(bytes) / 1e6,
            latency: LatencySummary::of(&result.latency),
            service_time: schedule
                .is_some()
                .then(|| LatencySummary::of(&result.service)),
            schedule,
            percentiles: percentile_points(&result.latency),
        }
    }

    fn own(&self) -> OwnUsage {
        let micros = self.result.cpu.as_secs_f64() * 1e6;
        OwnUsage {
            cpu_us_per_request: each(micros, self.result.window.requests),
            cpu_us_per_message: each(micros, self.result.window.acked_messages),
            busiest_thread: self.result.busiest,
        }
    }

    fn gateway_usage(&self, measured: &Measured) -> Option<GatewayUsage> {
        let gateway = self.gateway?;
        let cpu = self.gateway_cpu?.as_secs_f64();
        Some(GatewayUsage {
            pid: gateway.pid,
            cpu_seconds: cpu,
            cores: cpu / measured.seconds.max(1e-9),
            cpu_us_per_message: each(cpu * 1e6, measured.acknowledged_messages),
            cpu_us_per_request: each(cpu * 1e6, measured.requests),
            rss_start_bytes: gateway.rss_start,
            rss_max_bytes: gateway.rss_max,
        })
    }

    fn checks(&mut self, tally: &Tally) -> Checks {
        let mut faults = tally.faults.clone();
        if tally.acked_messages == 0 {
            faults.note("nothing was acknowledged", String::new);
        }
        let idle = (self.options.idle > 0).then_some(IdleCheck {
            asked: self.options.idle,
            open: self.ended.idle_open,
        });
        if let Some(idle) = idle.filter(|idle| idle.open < idle.asked) {
            let text = || format!("{} of {} are open", idle.open, idle.asked);
            faults.note("idle connections were closed", text);
        }
        let ramp = self.ramp.as_deref().unwrap_or_default();
        if !ramp.is_empty() && !self.interrupted && !ramp.iter().any(|step| step.sustained) {
            faults.note("no rate was sustained", String::new);
        }
        self.check_topics(&mut faults);
        let kafka = self
            .growth
            .take()
            .map(|growth| kafka_check(growth, tally, &mut faults));
        Checks {
            passed: faults.total() == 0,
            faults,
            distinct_offsets: self.ended.ledger.distinct_by_topic().values().sum(),
            partitions: self.ended.ledger.partitions(),
            kafka,
            idle,
        }
    }

    /// Threads must have seen the same topic for an access point, and those
    /// that are watched in Kafka.
    fn check_topics(&self, faults: &mut Problems) {
        let mut topics: BTreeMap<&str, &str> = BTreeMap::new();
        for (datahub, topic) in &self.ended.topics {
            let first = topics.entry(datahub).or_insert(topic);
            if *first != topic.as_str() {
                let text = || format!("{datahub}: {first} and {topic}");
                faults.note("an access point's MessageIds name different topics", text);
            }
            if self
                .growth
                .as_ref()
                .is_some_and(|growth| !growth.contains_key(topic))
            {
                let text = || format!("{datahub}: {topic}");
                faults.note("messages went to a topic that --topic does not name", text);
            }
        }
    }

    fn warnings(&self, measured: &Measured, own: &OwnUsage, tally: &Tally) -> Vec<String> {
        let mut warnings = Vec::new();
        if own.busiest_thread > BUSY {
            warnings.push(format!(
                "the load generator is the limit: a thread of it was busy for {:.0} % of the time; \
                 use more --threads, or more cores",
                own.busiest_thread * 100.0
            ));
        }
        if let Some(schedule) = &measured.schedule {
            let lag = schedule.lag_p99_ms;
            if lag > LATE_MS && lag > LATE_PART * measured.latency.p99_ms {
                warnings.push(format!(
                    "the load generator did not keep its schedule: one request in a hundred was \
                     {lag:.1} ms late although connections were free; the machine is too busy"
                ));
            }
            if schedule.not_sent > 0 {
                warnings.push(format!(
                    "{} requests were due and not sent: the rate is not sustained, and the true \
                     latencies are higher",
                    schedule.not_sent
                ));
            }
        }
        if measured.failed_requests > 0 {
            warnings.push(format!(
                "{} requests failed in the measured time; latencies are those of the others",
                measured.failed_requests
            ));
        }
        if self.options.pid.is_some() && self.gateway_cpu.is_none() {
            warnings.push("the process of --pid has ended, or cannot be read".to_owned());
        }
        if !tally.unknown.kinds.is_empty() && self.growth.is_none() {
            warnings.push(format!(
                "{} messages have an unknown outcome; --kafka and --topic would tell how many are \
                 stored",
                tally.unknown_messages
            ));
        }
        warnings
    }
}

/// By how much topics have grown.
pub(super) fn growth(
    before: &BTreeMap<String, i64>,
    after: &BTreeMap<String, i64>,
) -> BTreeMap<String, i64> {
    let grown = after.iter().map(|(topic, end)| {
        let start = before.get(topic).copied().unwrap_or(0);
        (topic.clone(), end - start)
    });
    grown.collect()
}

fn kafka_check(growth: BTreeMap<String, i64>, tally: &Tally, faults: &mut Problems) -> KafkaCheck {
    let at_least = tally.acked_messages;
    let at_most = at_least + tally.unknown_messages;
    let sum: i64 = growth.values().sum();
    let grown = u64::try_from(sum).unwrap_or(0);
    let verdict = if grown < at_least {
        faults.note("Kafka has less than was acknowledged", || {
            format!("{sum} of {at_least}")
        });
        format!("{} acknowledged messages are missing", at_least - grown)
    } else if grown > at_most {
        faults.note("Kafka has more than was sent", || {
            format!("{sum}, at most {at_most} expected")
        });
        format!(
            "{} records too many: duplicates, or the topics have other writers",
            grown - at_most
        )
    } else if at_least == at_most {
        "exactly what was acknowledged".to_owned()
    } else {
        format!(
            "what was acknowledged, and {} of the {} unknown messages",
            grown - at_least,
            at_most - at_least
        )
    };
    KafkaCheck {
        growth,
        at_least,
        at_most,
        verdict,
    }
}

fn per(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        wide(count) / seconds
    } else {
        0.0
    }
}

fn each(amount: f64, count: u64) -> f64 {
    if count > 0 { amount / wide(count) } else { 0.0 }
}

fn number(count: usize) -> f64 {
    wide(u64::try_from(count).unwrap_or(u64::MAX))
}

fn wide(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(grown: i64, acked: u64, unknown: u64) -> (String, u64) {
        let tally = Tally {
            acked_messages: acked,
            unknown_messages: unknown,
            ..Tally::default()
        };
        let mut faults = Problems::default();
        let growth = BTreeMap::from([("a".to_owned(), grown - 1), ("b".to_owned(), 1)]);
        let check = kafka_check(growth, &tally, &mut faults);
        (check.verdict, faults.total())
    }

    #[test]
    fn kafka_has_to_have_what_was_acknowledged() {
        assert_eq!(
            verdict(10, 10, 0),
            ("exactly what was acknowledged".to_owned(), 0)
        );
        assert_eq!(verdict(12, 10, 3).1, 0);
        assert!(verdict(12, 10, 3).0.contains("2 of the 3"));
        assert!(
            verdict(9, 10, 3)
                .0
                .contains("1 acknowledged messages are missing")
        );
        assert_eq!(verdict(9, 10, 3).1, 1);
        assert!(verdict(14, 10, 3).0.contains("other writers"));
        assert_eq!(verdict(14, 10, 3).1, 1);
    }
}
