//! Small files that are either the old or the new version after a crash.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Replaces `path` with `content`: written beside it, synced, renamed, and the
/// directory synced, so that a crash leaves one version or the other.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        // On a full disk the half-written file would hold what space is left.
        if let Err(left) = fs::remove_file(&temporary) {
            tracing::debug!(file = %temporary.display(), %left, "temporary file stays");
        }
        return Err(error);
    }
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Makes creations, renames and deletions in `directory` durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// `text` with a last line that carries its checksum.
pub(crate) fn seal(text: &str) -> String {
    format!("{text}crc32c {:08x}\n", crc32c::crc32c(text.as_bytes()))
}

/// What [`seal`] was given, or `None` if anything has changed since.
pub(crate) fn unseal(sealed: &str) -> Option<&str> {
    let body_end = sealed
        .trim_end_matches('\n')
        .rfind('\n')
        .map_or(0, |at| at + 1);
    let (text, last) = sealed.split_at(body_end);
    let said = u32::from_str_radix(last.trim_end().strip_prefix("crc32c ")?, 16).ok()?;
    (said == crc32c::crc32c(text.as_bytes())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_text_comes_back_and_changes_are_noticed() {
        let sealed = seal("a 1\nb 2\n");
        assert_eq!(unseal(&sealed), Some("a 1\nb 2\n"));
        assert_eq!(unseal(&seal("")), Some(""));
        assert_eq!(unseal(&sealed.replace("b 2", "b 3")), None);
        for length in 0..sealed.len() - 1 {
            assert_eq!(unseal(&sealed[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn replacing_leaves_no_second_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
