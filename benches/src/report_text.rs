//! The report for people.

use std::fmt::Write as _;

use crate::conductor::Progress;
use crate::report::{LatencySummary, Problems, Report};

/// One line about a second of the run.
pub fn progress_line(progress: &Progress) -> String {
    format!(
        "{:>5.0} s  {}  {:>9} requests/s  {:>10} messages/s  p50 {:>7.2} ms  p99 {:>7.2} ms  failed {}",
        progress.elapsed.as_secs_f64(),
        progress.stage,
        grouped(progress.requests),
        grouped(progress.acknowledged_messages),
        progress.p50_ms,
        progress.p99_ms,
        grouped(progress.failed_in_all),
    )
}

/// The whole report, of several lines.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    heading(&mut out, report);
    ramp(&mut out, report);
    measured(&mut out, report);
    usage(&mut out, report);
    whole_run(&mut out, report);
    checks(&mut out, report);
    for warning in &report.warnings {
        line(&mut out, "WARNING", warning);
    }
    out
}

fn heading(out: &mut String, report: &Report) {
    let options = &report.options;
    let machine = &report.machine;
    let keys = match options.key_bytes {
        0 => "no keys".to_owned(),
        bytes => format!("{bytes} B keys ({} distinct)", grouped(options.keys)),
    };
    line(out, "endpoint", &options.endpoint);
    let load = format!(
        "{} loop, {} connections, {} threads; {} messages/request, {} B values, {keys}",
        match report.mode {
            "closed" => "closed",
            _ => "open",
        },
        options.connections,
        options.threads,
        options.messages,
        options.value_bytes,
    );
    line(out, "load", &load);
    let text = format!(
        "{} cores, {}, {}",
        machine.cores, machine.cpu_model, machine.kernel
    );
    line(out, "machine", &text);
    if report.interrupted {
        line(out, "ended", "by hand, before its time");
    }
}

fn ramp(out: &mut String, report: &Report) {
    let Some(steps) = &report.ramp else { return };
    for step in steps {
        let text = format!(
            "{:>9.0}/s  answered {:>9.0}/s  p99 {:>8.2} ms  failed {:>6}  {}",
            step.rate,
            step.answered,
            step.p99_ms,
            grouped(step.failed),
            if step.sustained {
                "sustained"
            } else {
                "not sustained"
            }
        );
        line(out, "step", &text);
    }
    let best = steps
        .iter()
        .filter(|step| step.sustained)
        .map(|step| step.rate);
    let best = best.fold(0.0, f64::max);
    let limit = report.options.p99_limit.as_secs_f64() * 1e3;
    line(
        out,
        "highest",
        &format!("{best:.0} requests/s with p99 up to {limit} ms"),
    );
}

fn measured(out: &mut String, report: &Report) {
    let measured = &report.measured;
    let text = format!(
        "{:.1} s, {} requests, {} messages acknowledged, {} requests failed",
        measured.seconds,
        grouped(measured.requests),
        grouped(measured.acknowledged_messages),
        grouped(measured.failed_requests)
    );
    line(out, "measured", &text);
    let text = format!(
        "{:.0} requests/s, {:.0} messages/s, {:.1} MB/s",
        measured.requests_per_second, measured.messages_per_second, measured.megabytes_per_second
    );
    line(out, "rate", &text);
    line(out, "latency", &latency(&measured.latency));
    if let Some(service) = &measured.service_time {
        line(out, "from sent", &latency(service));
    }
    if let Some(schedule) = &measured.schedule {
        let text = format!(
            "{:.0} requests/s due, {} not sent, at most {} waiting, generator late p99 {:.2} ms",
            schedule.rate,
            grouped(schedule.not_sent),
            schedule.most_waiting,
            schedule.lag_p99_ms
        );
        line(out, "schedule", &text);
    }
}

fn latency(summary: &LatencySummary) -> String {
    format!(
        "p50 {:.2}  p90 {:.2}  p99 {:.2}  p99.9 {:.2}  max {:.2} ms",
        summary.p50_ms, summary.p90_ms, summary.p99_ms, summary.p999_ms, summary.max_ms
    )
}

fn usage(out: &mut String, report: &Report) {
    if let Some(gateway) = &report.gateway {
        let text = format!(
            "{:.3} µs CPU/message, {:.2} µs/request, {:.2} cores, RSS {} -> {} MiB at most",
            gateway.cpu_us_per_message,
            gateway.cpu_us_per_request,
            gateway.cores,
            gateway.rss_start_bytes >> 20,
            gateway.rss_max_bytes >> 20
        );
        line(out, "gateway", &text);
    }
    let own = &report.own;
    let text = format!(
        "{:.3} µs CPU/message, {:.2} µs/request, busiest thread {:.0} %",
        own.cpu_us_per_message,
        own.cpu_us_per_request,
        own.busiest_thread * 100.0
    );
    line(out, "generator", &text);
}

fn whole_run(out: &mut String, report: &Report) {
    let run = &report.whole_run;
    let text = format!(
        "{} requests; messages: {} acknowledged, {} refused, {} unknown",
        grouped(run.requests),
        grouped(run.acknowledged_messages),
        grouped(run.refused_messages),
        grouped(run.unknown_messages)
    );
    line(out, "whole run", &text);
    problems(out, "refused", &run.refused);
    problems(out, "unknown", &run.unknown);
    problems(out, "connections", &run.connections);
}

fn checks(out: &mut String, report: &Report) {
    let checks = &report.checks;
    if !report.options.raw {
        let text = format!(
            "{} distinct offsets in {} partitions",
            grouped(checks.distinct_offsets),
            checks.partitions
        );
        line(out, "answers", &text);
    }
    if let Some(kafka) = &checks.kafka {
        let grown: i64 = kafka.growth.values().sum();
        line(
            out,
            "kafka",
            &format!("{grown} new records: {}", kafka.verdict),
        );
    }
    if let Some(idle) = &checks.idle {
        line(
            out,
            "idle",
            &format!("{} of {} connections open", idle.open, idle.asked),
        );
    }
    problems(out, "FAULT", &checks.faults);
    let verdict = if checks.passed { "passed" } else { "FAILED" };
    line(out, "checks", verdict);
}

fn problems(out: &mut String, label: &str, problems: &Problems) {
    for (kind, problem) in &problems.kinds {
        line(out, label, &format!("{} x {kind}", grouped(problem.count)));
        for example in &problem.examples {
            line(out, "", &format!("  e.g. {}", printable(example)));
        }
    }
}

/// What a server says must not move the terminal's cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn line(out: &mut String, label: &str, text: &str) {
    writeln!(out, "{label:<12} {text}").expect("writing to a String cannot fail");
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a [2Jb ");
    }
}
