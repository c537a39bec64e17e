//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::{Serialize, Serializer};

use crate::units::{parse_duration, parse_rate};

/// What is sent in raw mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyForm {
    /// The body of a SendMessage request
    Json,
    /// A line for each message: key, tab, value; without keys only the value
    Lines,
    /// A line for each message: {"Key":"…","Body":"…"}
    Ndjson,
}

/// What values look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueForm {
    /// Random letters and digits: no escapes in JSON, hard to compress
    Plain,
    /// A small JSON document: its quotes are escaped, and it compresses
    Json,
}

/// Measures how fast an endpoint takes messages, and checks every answer.
#[derive(Clone, Debug, Parser, Serialize)]
#[command(name = "forebay-load", version, about, after_help = EXAMPLES, args_override_self = true)]
pub struct Options {
    /// Where requests go, http://HOST:PORT
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub endpoint: String,

    /// Access points to send to, in turn
    #[arg(
        long,
        visible_alias = "tasks",
        value_delimiter = ',',
        value_name = "ID[,ID…]",
        required_unless_present = "raw"
    )]
    pub datahub: Vec<String>,

    /// Credentials file, of which the first entry counts [default: the
    /// environment's TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, else
    /// forebay-data/credentials.toml]
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,

    /// Connections with at most one request each under way
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = LOAD)]
    pub connections: u32,

    /// Threads that make the load
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256), help_heading = LOAD)]
    pub threads: u32,

    /// Idle connections to hold beside the load. Each sends one request before
    /// the load begins; at the end all have to be open still
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = LOAD)]
    pub idle: u32,

    /// How long is measured, e.g. 500ms, 10s, 2m
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = parse_duration, help_heading = LOAD)]
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,

    /// How long the load runs before that
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = parse_duration, help_heading = LOAD)]
    #[serde(serialize_with = "seconds")]
    pub warmup: Duration,

    /// Open loop: this many requests per second, whatever the answers do; e.g.
    /// 500, 20k/s [default: closed loop]
    #[arg(long, value_name = "RATE", value_parser = parse_rate, help_heading = LOAD)]
    pub rate: Option<f64>,

    /// Find the highest open-loop rate that is sustained within --p99-limit,
    /// beginning at --rate or 1000/s, then measure at that rate
    #[arg(long, help_heading = LOAD)]
    pub ramp: bool,

    /// Largest p99 at which a ramp's step counts as sustained
    #[arg(long, default_value = "50ms", value_name = "TIME", value_parser = parse_duration, help_heading = LOAD)]
    #[serde(serialize_with = "seconds")]
    pub p99_limit: Duration,

    /// Length of a ramp's step, of which the first quarter does not count
    #[arg(long, default_value = "4s", value_name = "TIME", value_parser = parse_duration, help_heading = LOAD)]
    #[serde(serialize_with = "seconds")]
    pub step: Duration,

    /// Open loop: requests that may wait for a free connection; more are given
    /// up, and reported as not sent
    #[arg(long, default_value_t = 100_000, value_name = "N", help_heading = LOAD)]
    pub backlog: usize,

    /// Longest time to wait for an answer; then its messages are unknown
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = parse_duration, help_heading = LOAD)]
    #[serde(serialize_with = "seconds")]
    pub timeout: Duration,

    /// Messages in a request
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500), help_heading = MESSAGES)]
    pub messages: u32,

    /// Bytes of a value
    #[arg(long, default_value_t = 200, value_name = "N", help_heading = MESSAGES)]
    pub value_bytes: usize,

    /// Bytes of a key; 0 sends none
    #[arg(long, default_value_t = 16, value_name = "N", help_heading = MESSAGES)]
    pub key_bytes: usize,

    /// Distinct keys
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = MESSAGES)]
    pub keys: u64,

    /// What values look like
    #[arg(long, value_enum, default_value_t = ValueForm::Plain, value_name = "FORM", help_heading = MESSAGES)]
    pub values: ValueForm,

    /// Sign each request when it is sent, as SDKs do, instead of ahead and
    /// anew every 60 s
    #[arg(long, help_heading = MESSAGES)]
    pub sign_each: bool,

    /// For endpoints that are not Forebay: any 2xx answer is an acknowledgement,
    /// answers are not looked at, and nothing is signed
    #[arg(long, help_heading = RAW)]
    pub raw: bool,

    /// Sign all the same, so that heads are those of a SendMessage
    #[arg(long, requires = "raw", conflicts_with_all = ["path", "content_type"], help_heading = RAW)]
    pub sign: bool,

    /// Path of the requests [default: that of the endpoint]
    #[arg(long, requires = "raw", value_name = "PATH", help_heading = RAW)]
    pub path: Option<String>,

    /// Content-Type of the requests [default: application/json, for lines
    /// text/plain, for ndjson application/x-ndjson]
    #[arg(long, requires = "raw", value_name = "TYPE", help_heading = RAW)]
    pub content_type: Option<String>,

    /// What the bodies are
    #[arg(long, value_enum, default_value_t = BodyForm::Json, requires = "raw", value_name = "FORM", help_heading = RAW)]
    pub body: BodyForm,

    /// Also check that the topics grew by what was acknowledged: a Kafka broker
    #[arg(long, value_name = "HOST:PORT", requires = "topic", help_heading = CHECKS)]
    pub kafka: Option<String>,

    /// The topics that the access points write to
    #[arg(long, value_delimiter = ',', value_name = "NAME[,NAME…]", requires = "kafka", help_heading = CHECKS)]
    pub topic: Vec<String>,

    /// Gateway process on this machine, whose CPU time and memory are reported
    #[arg(long, value_name = "PID", help_heading = CHECKS)]
    pub pid: Option<u32>,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE", help_heading = REPORT)]
    pub json: Option<PathBuf>,

    /// Write a plot of the latencies' percentiles
    #[arg(long, value_name = "FILE", help_heading = REPORT)]
    pub svg: Option<PathBuf>,
}

const LOAD: &str = "Load";
const MESSAGES: &str = "Messages";
const RAW: &str = "Other endpoints";
const CHECKS: &str = "Checks";
const REPORT: &str = "Report";

const EXAMPLES: &str = "\
Examples:
  forebay-load --datahub datahub-forebay0
      as many requests as 64 connections get answered
  forebay-load --datahub datahub-forebay0 --rate 20k --messages 10 --svg latency.svg
      20,000 requests of 10 messages every second; latency from when each was due
  forebay-load --datahub datahub-forebay0 --ramp --p99-limit 20ms
      the highest rate at which 99 % of the requests take at most 20 ms
  forebay-load --raw --path /post --body lines --endpoint http://127.0.0.1:4195
      the same messages to something else

Exit status: 0 all checks passed; 1 a check failed, or nothing was acknowledged;
2 wrong usage.";

/// Durations are seconds in JSON.
fn seconds<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(value.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let arguments = ["forebay-load"].iter().chain(arguments);
        Options::try_parse_from(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn human_units() {
        let options = parse(&["--tasks", "a,b", "--rate", "20k/s", "--duration", "1.5m"]).unwrap();
        assert_eq!(options.datahub, ["a", "b"]);
        assert_eq!(options.rate, Some(20_000.0));
        assert_eq!(options.duration, Duration::from_secs(90));
    }

    #[test]
    fn what_belongs_together() {
        for (arguments, named) in [
            (&[][..], "--datahub"),
            (&["--datahub", "a", "--path", "/x"], "--raw"),
            (&["--raw", "--kafka", "h:1"], "--topic"),
            (&["--raw", "--messages", "501"], "1..=500"),
            (&["--raw", "--duration", "10"], "500ms"),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
        assert!(parse(&["--raw"]).is_ok());
    }
}
