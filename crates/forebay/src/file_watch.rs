//! Tells when files have changed, and when the process got SIGHUP.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_rt::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// A stat a second costs nothing, works on every file system (also where
/// notifications do not: network mounts, Kubernetes' symlink swaps).
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What tells one version of a file from another.
type Stamp = Option<(u64, i64, i64, u64)>;

/// Files that are looked at again and again.
pub(crate) struct FileWatch {
    paths: Vec<PathBuf>,
    seen: Vec<Stamp>,
    tick: Interval,
    hangup: Option<Signal>,
}

impl FileWatch {
    /// Remembers the files as they are now: made before a file is read, it
    /// misses no change.
    ///
    /// Has to be called within a Tokio runtime.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let hangup = signal(SignalKind::hangup());
        if let Err(error) = &hangup {
            tracing::warn!(%error, ?paths, "no SIGHUP handling; the files are still watched");
        }
        Self {
            seen: stamps(&paths),
            paths,
            tick,
            hangup: hangup.ok(),
        }
    }

    /// Waits until one of the files is another than before, or SIGHUP comes.
    ///
    /// # Cancellation
    /// Nothing is missed by dropping it.
    pub(crate) async fn changed(&mut self) {
        loop {
            let asked = tokio::select! {
                _ = self.tick.tick() => false,
                () = hung_up(self.hangup.as_mut()) => true,
            };
            let now = stamps(&self.paths);
            if asked || now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}

async fn hung_up(hangup: Option<&mut Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    paths.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len()))
}
