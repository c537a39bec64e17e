//! How full the disk is, and one log line when writes begin to be refused.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// The file system that holds the data directory.
#[derive(Debug)]
pub(crate) struct Disk {
    data_dir: PathBuf,
    refusing: AtomicBool,
}

impl Disk {
    pub(crate) fn of(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            refusing: AtomicBool::new(false),
        }
    }

    /// Bytes that this process may still write.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let figures = rustix::fs::statvfs(&self.data_dir)?;
        Ok(figures.f_bavail.saturating_mul(figures.f_frsize))
    }

    /// Notes a failed write; logs only the first of a row.
    pub(crate) fn write_failed(&self, label: &str, error: &io::Error) {
        if self.refusing.swap(true, Ordering::Relaxed) {
            tracing::debug!(partition = label, %error, "write refused");
            return;
        }
        let free_bytes = self.free_bytes().ok();
        tracing::error!(
            partition = label, %error, free_bytes, data_dir = %self.data_dir.display(),
            "cannot write to the data directory: records are refused until there is space"
        );
    }

    /// Notes a write that went well.
    pub(crate) fn write_done(&self) {
        if self.refusing.load(Ordering::Relaxed) && self.refusing.swap(false, Ordering::Relaxed) {
            tracing::info!("writing to the data directory works again");
        }
    }
}
