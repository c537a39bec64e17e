//! How full the disk is: one log line when writes begin to be refused, and a
//! reserve for what makes room again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

const RESERVE_FILE: &str = "reserve";
/// Small files of a few hundred bytes are written from it, one at a time.
const RESERVE_BYTES: usize = 64 << 10;

/// Less free than this is full: a batch may have a megabyte.
const ROOM_BYTES: u64 = 4 << 20;

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

    /// Whether the last write failed and there is still no room. Where there
    /// is room again, only a write can tell, and it should get the chance.
    pub(crate) fn is_full(&self) -> bool {
        let has_room = || self.free_bytes().is_ok_and(|free| free >= ROOM_BYTES);
        self.refusing.load(Ordering::Relaxed) && !has_room()
    }

    /// Runs a small write that is needed to free space, such as a topic's
    /// deletion: on a full disk it gets the reserve.
    pub(crate) fn with_reserve(&self, write: impl Fn() -> io::Result<()>) -> io::Result<()> {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        match write() {
            Err(error) if matches!(error.kind(), StorageFull | QuotaExceeded) => {
                // Without a reserve the first error is the one to tell.
                let released = fs::remove_file(self.data_dir.join(RESERVE_FILE));
                if released.is_ok() {
                    write()
                } else {
                    Err(error)
                }
            }
            result => result,
        }
    }

    /// Sets the reserve aside, if it is not and there is room for it.
    pub(crate) fn keep_reserve(&self) {
        let path = self.data_dir.join(RESERVE_FILE);
        let is_whole = |file: fs::Metadata| file.len() == RESERVE_BYTES as u64;
        if fs::metadata(&path).is_ok_and(is_whole) {
            return;
        }
        let written = (|| {
            let mut file = File::create(&path)?;
            file.write_all(&[0; RESERVE_BYTES])?;
            // Only then does every file system have the blocks.
            file.sync_all()
        })();
        if let Err(error) = written {
            let removed = fs::remove_file(&path).is_ok();
            tracing::debug!(%error, removed, "no room for the reserve");
        }
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

    /// Notes a write that went well. On a full disk a small one may, beside the
    /// large ones that fail: that is no end of it.
    pub(crate) fn write_done(&self) {
        // Where nothing can be told of the space, the write tells.
        let is_short = || self.free_bytes().is_ok_and(|free| free < ROOM_BYTES);
        if self.refusing.load(Ordering::Relaxed)
            && !is_short()
            && self.refusing.swap(false, Ordering::Relaxed)
        {
            tracing::info!("writing to the data directory works again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_reserve_is_for_a_second_attempt_on_a_full_disk() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::of(dir.path().to_owned());
        let reserve = dir.path().join(RESERVE_FILE);
        disk.keep_reserve();
        assert_eq!(fs::metadata(&reserve).unwrap().len(), RESERVE_BYTES as u64);
        let attempts = Cell::new(0);
        let full_while_reserved = || {
            attempts.set(attempts.get() + 1);
            match reserve.exists() {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        };
        disk.with_reserve(full_while_reserved).unwrap();
        assert_eq!(attempts.get(), 2);
        // There is none left, and other errors do not cost it.
        let full = || Err(io::ErrorKind::StorageFull.into());
        assert!(disk.with_reserve(full).is_err());
        disk.keep_reserve();
        let denied = || Err(io::ErrorKind::PermissionDenied.into());
        assert!(disk.with_reserve(denied).is_err());
        assert!(reserve.exists());
    }
    #[test]
    fn where_there_is_room_a_write_gets_its_chance() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::of(dir.path().to_owned());
        assert!(!disk.is_full());
        disk.write_failed("p", &io::ErrorKind::StorageFull.into());
        let has_room = disk.free_bytes().unwrap() >= ROOM_BYTES;
        assert_eq!(disk.is_full(), !has_room);
        // Nothing can be told of the space of what is not there.
        drop(dir);
        assert!(disk.is_full());
        disk.write_done();
        assert!(!disk.is_full());
    }
}
