//! Takes a new version of the credentials file when it changes, and on SIGHUP.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::CredentialStore;

/// A stat a second costs nothing, works on every file system (also where
/// notifications do not: network mounts, Kubernetes' symlink swaps).
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What tells one version of a file from another.
type Stamp = Option<(u64, i64, i64, u64)>;

/// Runs until it is dropped or aborted.
pub(crate) async fn keep_current(store: Arc<CredentialStore>) {
    warn_if_open(store.path());
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => Some(hangup),
        Err(error) => {
            tracing::warn!(%error, "no SIGHUP handling; the credentials file is still watched");
            None
        }
    };
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = stamp(store.path());
    loop {
        let asked = tokio::select! {
            _ = tick.tick() => false,
            () = hung_up(hangup.as_mut()) => true,
        };
        let now = stamp(store.path());
        if asked || now != seen {
            seen = now;
            take(&store);
        }
    }
}

async fn hung_up(hangup: Option<&mut actix_rt::signal::unix::Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

fn take(store: &CredentialStore) {
    match store.reload() {
        Ok(count) => {
            tracing::info!(credentials = count, file = %store.path().display(), "credentials re-read");
            warn_if_open(store.path());
        }
        Err(error) => {
            tracing::error!(%error, "new credentials refused, the old ones stay in force");
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len()))
}

fn warn_if_open(path: &Path) {
    if let Ok(meta) = fs::metadata(path)
        && meta.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(
            file = %path.display(),
            mode = format_args!("{:o}", meta.permissions().mode() & 0o777),
            "others than the owner can get at the credentials file; 0600 is right"
        );
    }
}
