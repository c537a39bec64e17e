//! Takes a new certificate when its files change, and on SIGHUP.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::time::interval;

use super::{Certificates, TlsError};
use crate::config::TlsFiles;
use crate::file_watch::FileWatch;

/// How often a certificate that is about to expire is spoken of.
const REMIND_EVERY: Duration = Duration::from_secs(86_400);

/// One listener's certificate, and the watch over its files.
pub(crate) struct WatchedCertificates {
    certificates: Arc<Certificates>,
    files: FileWatch,
}

impl WatchedCertificates {
    /// See [`Certificates::open`]. Has to be called within a Tokio runtime.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub(crate) fn open(
        section: &'static str,
        listener: &'static str,
        files: &TlsFiles,
    ) -> Result<Self, TlsError> {
        // First, so that no change falls between the two.
        let watch = FileWatch::new(vec![files.cert.clone(), files.key.clone()]);
        Ok(Self {
            certificates: Certificates::open(section, listener, files)?,
            files: watch,
        })
    }

    /// What is watched.
    pub(crate) fn certificates(&self) -> Arc<Certificates> {
        Arc::clone(&self.certificates)
    }

    /// How handshakes are done.
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        self.certificates.server_config()
    }

    /// Runs until it is dropped or aborted.
    pub(crate) async fn keep_current(&mut self) {
        let mut remind = interval(REMIND_EVERY);
        loop {
            tokio::select! {
                _ = remind.tick() => self.certificates.warn_of_its_end(),
                () = self.files.changed() => take(&self.certificates),
            }
        }
    }
}

fn take(certificates: &Certificates) {
    let file = certificates.files().cert.display();
    match certificates.reload() {
        Ok(()) => {
            tracing::info!(%file, "certificate re-read; new connections get it");
            certificates.warn_of_its_end();
        }
        // Two files cannot be replaced at once: in between they do not fit.
        Err(error) => {
            tracing::error!(%error, "new certificate refused, the old one stays in use");
        }
    }
}
