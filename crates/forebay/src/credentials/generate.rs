//! The first credentials, made once.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::file::CredentialsError;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Makes `path` with one random credential unless it exists; true if it did.
pub(super) fn make_if_missing(path: &Path) -> Result<bool, CredentialsError> {
    let made = if path.exists() { Ok(false) } else { make(path) };
    made.map_err(|source| CredentialsError::Make {
        path: path.to_owned(),
        source,
    })
}

/// Written beside and then linked: two replicas started at once on one data
/// directory never see half a file, and the first one's stays.
fn make(path: &Path) -> io::Result<bool> {
    if let Some(folder) = path.parent() {
        // The embedded broker's messages will lie there too.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let linked = write_draft(&draft).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match linked {
        Ok(()) => removed.map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_draft(draft: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    write!(
        file,
        "# Who may call Forebay's API. Re-read when it changes.\n\
         [[credential]]\n\
         secret_id = \"AKID{}\"\n\
         secret_key = \"{}\"\n",
        random_text(32)?,
        random_text(32)?,
    )?;
    file.sync_all()
}

/// `length` characters, each equally likely (62³² ≈ 190 bits for 32).
fn random_text(length: usize) -> io::Result<String> {
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let fair = bytes.iter().filter(|byte| **byte < 62 * 4);
        text.extend(
            fair.map(|byte| char::from(ALPHABET[usize::from(byte % 62)]))
                .take(length - text.len()),
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn made_once_readable_by_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join("credentials.toml");
        assert!(make_if_missing(&path).unwrap());
        let first = fs::read_to_string(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let folder = fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
        assert!(!make_if_missing(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let set = super::super::file::read(&path).unwrap();
        let id = set.keys().next().unwrap();
        assert!(id.starts_with("AKID") && id.len() == 36, "{id}");
    }
}
