//! Which replicas there are, for people.
//!
//! Each replica says every 30 s that it is there, under `replica/<name>` in the
//! registry's log: values like the others, one key each, the last writer wins.
//! Nothing but a page depends on it. A replica that stops in good order removes
//! its record; of one that does not, the others do after a day.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Context, Handler, Message, ResponseFuture};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::actor::TaskRegistryActor;
use super::error::RegistryError;
use super::log::{AppendError, LogRecord};

const PREFIX: &str = "replica/";

/// Between two signs of life.
pub const ANNOUNCE_EVERY: Duration = Duration::from_secs(30);

/// After that long without a sign a replica's record is removed.
const FORGET_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// Records that are removed at a time.
const FORGET_AT_ONCE: usize = 20;

/// Replicas that are remembered; nobody has more, and a log may hold anything.
const MAX_REPLICAS: usize = 1000;

/// A replica, as it told of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSign {
    /// Where its API listens, and on which host: what tells replicas apart.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it started, Unix milliseconds.
    pub started_ms: i64,
    /// When it last said so, by its own clock, Unix milliseconds.
    pub seen_ms: i64,
}

fn key(name: &str) -> Vec<u8> {
    format!("{PREFIX}{name}").into_bytes()
}

/// All that left a sign; cheap to clone, copied on change.
#[derive(Clone, Debug, Default)]
pub(super) struct SeenReplicas(Arc<BTreeMap<String, ReplicaSign>>);

impl SeenReplicas {
    /// Applies a record; `false`: it is not about a replica.
    pub(super) fn apply(&mut self, record: &LogRecord) -> bool {
        let name = std::str::from_utf8(&record.key).ok();
        let Some(name) = name.and_then(|key| key.strip_prefix(PREFIX)) else {
            return false;
        };
        let value = record.value.as_deref();
        // A newer version's may be unreadable: then it is not shown.
        let sign = value.and_then(|value| serde_json::from_slice::<ReplicaSign>(value).ok());
        let all = Arc::make_mut(&mut self.0);
        match sign {
            Some(sign) if all.len() < MAX_REPLICAS || all.contains_key(name) => {
                all.insert(name.to_owned(), sign);
            }
            Some(_) => {}
            None => drop(all.remove(name)),
        }
        true
    }

    /// Removes those that have been silent for a day.
    fn tombstones(&self, now_ms: i64) -> impl Iterator<Item = LogRecord> {
        let silent =
            move |sign: &ReplicaSign| now_ms.saturating_sub(sign.seen_ms) > FORGET_AFTER_MS;
        let all = self.0.iter().filter(move |(_, sign)| silent(sign));
        all.take(FORGET_AT_ONCE).map(|(name, _)| LogRecord {
            key: key(name),
            value: None,
        })
    }
}

/// The writing end, the actor's.
#[derive(Clone, Debug)]
pub(super) struct ReplicasWriter(watch::Sender<SeenReplicas>);

/// A cheap, shared view of the replicas.
#[derive(Clone, Debug)]
pub struct ReplicasHandle(watch::Receiver<SeenReplicas>);

impl ReplicasWriter {
    pub(super) fn new() -> (Self, ReplicasHandle) {
        let (sender, receiver) = watch::channel(SeenReplicas::default());
        (Self(sender), ReplicasHandle(receiver))
    }

    pub(super) fn show(&self, replicas: &SeenReplicas) {
        self.0.send_if_modified(|shown| {
            let changed = !Arc::ptr_eq(&shown.0, &replicas.0);
            if changed {
                *shown = replicas.clone();
            }
            changed
        });
    }
}

impl ReplicasHandle {
    /// All replicas that told of themselves, by name.
    pub fn all(&self) -> Vec<ReplicaSign> {
        self.0.borrow().0.values().cloned().collect()
    }
}

/// Says that a replica is there, or is no more.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), RegistryError>")]
pub struct Announce {
    /// The replica; its time is that of the announcement.
    pub sign: ReplicaSign,
    /// It is on its way out.
    pub leaving: bool,
}

impl Handler<Announce> for TaskRegistryActor {
    type Result = ResponseFuture<Result<(), RegistryError>>;

    fn handle(&mut self, announce: Announce, _: &mut Context<Self>) -> Self::Result {
        let ready = self.check_ready();
        let log = Arc::clone(&self.log);
        let Announce { sign, leaving } = announce;
        let mut records: Vec<_> = self.table.replicas().tombstones(sign.seen_ms).collect();
        let json = || serde_json::to_vec(&sign).expect("texts and numbers serialize");
        records.push(LogRecord {
            key: key(&sign.name),
            value: (!leaving).then(json),
        });
        Box::pin(async move {
            ready?;
            match log.append(records).await {
                Ok(_) => Ok(()),
                Err(AppendError::NotStored(reason)) => Err(RegistryError::NotStored(reason)),
                Err(AppendError::Unknown(reason)) => Err(RegistryError::Unknown(reason)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, seen_ms: Option<i64>) -> LogRecord {
        let sign = |seen_ms| ReplicaSign {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            started_ms: 1,
            seen_ms,
        };
        LogRecord {
            key: key(name),
            value: seen_ms.map(|seen_ms| serde_json::to_vec(&sign(seen_ms)).unwrap()),
        }
    }

    #[test]
    fn the_last_sign_counts_and_who_left_is_gone() {
        let mut seen = SeenReplicas::default();
        assert!(seen.apply(&record("a", Some(5))));
        assert!(seen.apply(&record("b", Some(6))));
        let before = seen.clone();
        assert!(seen.apply(&record("a", Some(9))));
        assert_eq!(seen.0["a"].seen_ms, 9);
        assert_eq!(before.0["a"].seen_ms, 5, "a view stays");
        assert!(seen.apply(&record("b", None)));
        assert_eq!(seen.0.len(), 1);
        let task = LogRecord {
            key: b"spec/task-abcdefgh".to_vec(),
            value: None,
        };
        assert!(!seen.apply(&task));
    }

    #[test]
    fn who_is_silent_for_a_day_is_forgotten_and_the_number_is_bounded() {
        let mut seen = SeenReplicas::default();
        for number in 0..2 * MAX_REPLICAS {
            seen.apply(&record(&format!("r{number}"), Some(0)));
        }
        assert_eq!(seen.0.len(), MAX_REPLICAS);
        assert_eq!(seen.tombstones(FORGET_AFTER_MS).count(), 0);
        assert_eq!(seen.tombstones(FORGET_AFTER_MS + 1).count(), FORGET_AT_ONCE);
    }
}
