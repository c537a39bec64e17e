//! Takes a new version of the credentials file when it changes, and on SIGHUP.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::CredentialStore;
use crate::file_watch::FileWatch;

/// Runs until it is dropped or aborted.
pub(crate) async fn keep_current(store: &CredentialStore) {
    warn_if_open(store.path());
    let mut file = FileWatch::new(vec![store.path().to_owned()]);
    loop {
        file.changed().await;
        take(store);
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

/// Says so if others than the owner can get at the file.
pub(super) fn warn_if_open(path: &Path) {
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
