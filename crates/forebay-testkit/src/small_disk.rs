//! A disk that is soon full: a small tmpfs.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::gate::required;

/// The step in which it is filled.
const STEP: usize = 16 << 10;

/// A mounted tmpfs, gone when dropped.
#[derive(Debug)]
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// A file system of so many MiB; `None`, saying so, where this process may not
    /// mount.
    ///
    /// # Panics
    /// Where it may not, with `CI=true` or `TESTKIT_KAFKA_TESTS=1`.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
    pub fn mount_or_skip(mebibytes: u32) -> Option<Self> {
        let dir = tempfile::tempdir().expect("the system has temporary files");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(dir));
        }
        assert!(!required(), "the right to mount a small tmpfs is required");
        eprintln!("skipped: no right to mount a small tmpfs here");
        None
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it with a file `name` and leaves about `free` bytes.
    ///
    /// # Panics
    /// When the file cannot be made.
    pub fn fill_up(&self, name: &str, free: u64) {
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(self.path().join(name));
        let mut file = file.expect("a new file can be made");
        while file.write_all(&[1; STEP]).is_ok() {}
        let length = file.metadata().expect("the file is there").len();
        let kept = file.set_len(length.saturating_sub(free));
        kept.expect("a file can be cut");
    }

    /// Removes the file `name`.
    ///
    /// # Panics
    /// When it is not there.
    pub fn free(&self, name: &str) {
        fs::remove_file(self.path().join(name)).expect("the file is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: what is still open closes when its process is done with it.
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        let unmounted = unmounted.is_ok_and(|status| status.success());
        assert!(unmounted || std::thread::panicking(), "cannot unmount");
    }
}
