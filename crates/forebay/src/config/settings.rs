//! The table of settings: key, what is allowed, how it is set and shown.
//!
//! One row a setting, so that file, environment, flags, error messages and
//! `forebay config show` cannot disagree about it.

use std::path::PathBuf;
use std::time::Duration;

use super::Config;
use super::values::{ByteRate, ByteSize, LogFormat, duration_text, parse_duration};

/// One setting.
pub(super) struct Setting {
    /// Dotted key as in the TOML file.
    pub(super) key: &'static str,
    /// What a value has to be, for error messages.
    pub(super) allowed: &'static str,
    /// Sets it from text; `None` if the text is not allowed.
    pub(super) set: fn(&mut Config, &str) -> Option<()>,
    /// Its present value, as `set` reads it; empty where it is not set.
    pub(super) show: fn(&Config) -> String,
}

/// `text` as a duration within `low..=high` seconds.
fn seconds(text: &str, low: u64, high: u64) -> Option<Duration> {
    let value = parse_duration(text)?;
    (Duration::from_secs(low)..=Duration::from_secs(high))
        .contains(&value)
        .then_some(value)
}

fn non_empty(text: &str) -> Option<&str> {
    (!text.trim().is_empty()).then_some(text)
}

fn set_path(place: &mut PathBuf, text: &str) -> Option<()> {
    *place = PathBuf::from(non_empty(text)?);
    Some(())
}

fn shown(path: Option<&PathBuf>) -> String {
    path.map(|path| path.display().to_string())
        .unwrap_or_default()
}

/// Kafka's rule for topic names, see `org.apache.kafka.common.internals.Topic`.
fn is_topic_name(text: &str) -> bool {
    (1..=249).contains(&text.len())
        && text != "."
        && text != ".."
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// All settings but `[[instance]]`, in the order of the documentation.
pub(super) const SETTINGS: [Setting; 25] = [
    Setting {
        key: "data_dir",
        allowed: "a path",
        set: |c, v| {
            c.data_dir = PathBuf::from(non_empty(v)?);
            Some(())
        },
        show: |c| c.data_dir.display().to_string(),
    },
    Setting {
        key: "http.listen",
        allowed: "an address like 127.0.0.1:8080 (port 0 to 65535; 0 takes a free one)",
        set: |c, v| {
            c.http.listen = v.parse().ok()?;
            Some(())
        },
        show: |c| c.http.listen.to_string(),
    },
    Setting {
        key: "http.keep_alive",
        allowed: "a duration from 1s to 1d",
        set: |c, v| {
            c.http.keep_alive = seconds(v, 1, 86_400)?;
            Some(())
        },
        show: |c| duration_text(c.http.keep_alive),
    },
    Setting {
        key: "http.max_connections",
        allowed: "a number from 1 to 1000000",
        set: |c, v| {
            let number: usize = v.parse().ok()?;
            c.http.max_connections = (1..=1_000_000).contains(&number).then_some(number)?;
            Some(())
        },
        show: |c| c.http.max_connections.to_string(),
    },
    Setting {
        key: "http.body_timeout",
        allowed: "a duration from 1s to 10m",
        set: |c, v| {
            c.http.body_timeout = seconds(v, 1, 600)?;
            Some(())
        },
        show: |c| duration_text(c.http.body_timeout),
    },
    Setting {
        key: "http.min_body_rate",
        allowed: "a rate from 0 B/s to 1 GiB/s, like 16 KiB/s",
        set: |c, v| {
            let rate = ByteRate::parse(v)?;
            c.http.min_body_rate = (rate.0 <= 1 << 30).then_some(rate)?;
            Some(())
        },
        show: |c| c.http.min_body_rate.to_string(),
    },
    Setting {
        key: "http.tls.cert",
        allowed: "a PEM file with the listener's certificate and those that lead to its CA",
        set: |c, v| set_path(&mut c.http.tls.get_or_insert_default().cert, v),
        show: |c| shown(c.http.tls.as_ref().map(|tls| &tls.cert)),
    },
    Setting {
        key: "http.tls.key",
        allowed: "a PEM file with the certificate's private key",
        set: |c, v| set_path(&mut c.http.tls.get_or_insert_default().key, v),
        show: |c| shown(c.http.tls.as_ref().map(|tls| &tls.key)),
    },
    Setting {
        key: "admin.listen",
        allowed: "an address like 127.0.0.1:8081 (port 0 to 65535; 0 takes a free one)",
        set: |c, v| {
            c.admin.listen = v.parse().ok()?;
            Some(())
        },
        show: |c| c.admin.listen.to_string(),
    },
    Setting {
        key: "admin.tls.cert",
        allowed: "a PEM file with the listener's certificate and those that lead to its CA",
        set: |c, v| set_path(&mut c.admin.tls.get_or_insert_default().cert, v),
        show: |c| shown(c.admin.tls.as_ref().map(|tls| &tls.cert)),
    },
    Setting {
        key: "admin.tls.key",
        allowed: "a PEM file with the certificate's private key",
        set: |c, v| set_path(&mut c.admin.tls.get_or_insert_default().key, v),
        show: |c| shown(c.admin.tls.as_ref().map(|tls| &tls.key)),
    },
    Setting {
        key: "admin.session_idle",
        allowed: "a duration from 1m to 7d",
        set: |c, v| {
            c.admin.session_idle = seconds(v, 60, 604_800)?;
            Some(())
        },
        show: |c| duration_text(c.admin.session_idle),
    },
    Setting {
        key: "admin.session_max",
        allowed: "a duration from 1m to 30d",
        set: |c, v| {
            c.admin.session_max = seconds(v, 60, 2_592_000)?;
            Some(())
        },
        show: |c| duration_text(c.admin.session_max),
    },
    Setting {
        key: "auth.credentials",
        allowed: "a path",
        set: |c, v| {
            c.auth.credentials = Some(PathBuf::from(non_empty(v)?));
            Some(())
        },
        show: |c| c.credentials_path().0.display().to_string(),
    },
    Setting {
        key: "auth.clock_skew",
        allowed: "a duration from 1s to 1d",
        set: |c, v| {
            c.auth.clock_skew = seconds(v, 1, 86_400)?;
            Some(())
        },
        show: |c| duration_text(c.auth.clock_skew),
    },
    Setting {
        key: "auth.allow_unsigned_payload",
        allowed: "true or false",
        set: |c, v| {
            c.auth.allow_unsigned_payload = v.parse().ok()?;
            Some(())
        },
        show: |c| c.auth.allow_unsigned_payload.to_string(),
    },
    Setting {
        key: "delivery.deadline",
        allowed: "a duration from 1s to 50s",
        set: |c, v| {
            c.delivery.deadline = seconds(v, 1, 50)?;
            Some(())
        },
        show: |c| duration_text(c.delivery.deadline),
    },
    Setting {
        key: "delivery.memory_limit",
        // Below the largest request (10 MiB) the largest never pass: a choice
        // that a small replica may make.
        allowed: "a size from 1 MiB to 1024 GiB",
        set: |c, v| {
            let size = ByteSize::parse(v)?;
            c.delivery.memory_limit = (1 << 20..=1024 << 30).contains(&size.0).then_some(size)?;
            Some(())
        },
        show: |c| c.delivery.memory_limit.to_string(),
    },
    Setting {
        key: "registry.topic",
        allowed: "a topic name: 1 to 249 of A-Z a-z 0-9 . _ -",
        set: |c, v| {
            c.registry.topic = is_topic_name(v).then(|| v.to_owned())?;
            Some(())
        },
        show: |c| c.registry.topic.clone(),
    },
    Setting {
        key: "shutdown.drain_delay",
        allowed: "a duration from 0s to 10m",
        set: |c, v| {
            c.shutdown.drain_delay = seconds(v, 0, 600)?;
            Some(())
        },
        show: |c| duration_text(c.shutdown.drain_delay),
    },
    Setting {
        key: "shutdown.grace",
        allowed: "a duration from 1s to 1h",
        set: |c, v| {
            c.shutdown.grace = seconds(v, 1, 3_600)?;
            Some(())
        },
        show: |c| duration_text(c.shutdown.grace),
    },
    Setting {
        key: "broker.listen",
        allowed: "an address like 127.0.0.1:9092 (port 0 to 65535; 0 takes a free one)",
        set: |c, v| {
            c.broker.listen = v.parse().ok()?;
            Some(())
        },
        show: |c| c.broker.listen.to_string(),
    },
    Setting {
        key: "broker.fsync",
        allowed: "true or false",
        set: |c, v| {
            c.broker.fsync = v.parse().ok()?;
            Some(())
        },
        show: |c| c.broker.fsync.to_string(),
    },
    Setting {
        key: "log.format",
        allowed: "text or json",
        set: |c, v| {
            c.log.format = match v {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return None,
            };
            Some(())
        },
        show: |c| c.log.format.to_string(),
    },
    Setting {
        key: "log.level",
        allowed: "error, warn, info, debug, trace, or directives like info,forebay_kafka=debug",
        set: |c, v| {
            let text = non_empty(v)?;
            tracing_subscriber::EnvFilter::try_new(text).ok()?;
            c.log.level = text.to_owned();
            Some(())
        },
        show: |c| c.log.level.clone(),
    },
];
