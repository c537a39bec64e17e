//! The format of `credentials.toml`.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use forebay_api::CredentialScope;
use serde::Deserialize;

use super::{Credential, CredentialSet};

/// Why a credentials file was refused. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// It cannot be read.
    #[error("cannot read credentials file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be made.
    #[error("cannot make credentials file {}: {source}", path.display())]
    Make {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not the TOML that is expected.
    #[error("credentials file {} line {line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong, without the text of the file.
        reason: String,
    },
    /// It is TOML, but not right.
    #[error("credentials file {}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialsFile {
    #[serde(default)]
    credential: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    secret_id: String,
    secret_key: Option<String>,
    secret_key_file: Option<PathBuf>,
    token: Option<String>,
    actions: Option<Vec<String>>,
    datahubs: Option<Vec<String>>,
}

/// Reads and checks a credentials file.
///
/// # Errors
/// See [`CredentialsError`].
pub(super) fn read(path: &Path) -> Result<CredentialSet, CredentialsError> {
    let list = read_list(path)?;
    Ok(list
        .into_iter()
        .map(|(id, credential)| (id, Arc::new(credential)))
        .collect())
}

/// The first credential of a file and its SecretId; all of the file is
/// checked.
///
/// # Errors
/// See [`CredentialsError`].
pub(crate) fn first_credential(path: &Path) -> Result<(String, Credential), CredentialsError> {
    let list = read_list(path)?;
    list.into_iter().next().ok_or_else(|| none_in(path))
}

fn none_in(path: &Path) -> CredentialsError {
    CredentialsError::Content {
        path: path.to_owned(),
        reason: "expected at least one [[credential]]".to_owned(),
    }
}

/// All credentials in the order of the file; at least one.
fn read_list(path: &Path) -> Result<Vec<(String, Credential)>, CredentialsError> {
    let text = std::fs::read_to_string(path).map_err(|source| CredentialsError::Read {
        path: path.to_owned(),
        source,
    })?;
    let file: CredentialsFile = toml::from_str(&text).map_err(|error| {
        // The error's Display quotes the line, which may hold a secret.
        let start = error.span().map_or(0, |span| span.start);
        CredentialsError::Syntax {
            path: path.to_owned(),
            line: 1 + text.bytes().take(start).filter(|b| *b == b'\n').count(),
            // So may its words: they quote a value of the wrong type.
            reason: match error.message() {
                known
                    if known.starts_with("unknown field") || known.starts_with("missing field") =>
                {
                    known.to_owned()
                }
                _ => "not TOML, or a value of the wrong type".to_owned(),
            },
        }
    })?;
    let wrong = |reason: String| CredentialsError::Content {
        path: path.to_owned(),
        reason,
    };
    if file.credential.is_empty() {
        return Err(none_in(path));
    }
    let mut seen = HashSet::new();
    let mut list = Vec::with_capacity(file.credential.len());
    for (index, entry) in file.credential.into_iter().enumerate() {
        let id = entry.secret_id.clone();
        let credential = check(entry, path)
            .map_err(|reason| wrong(format!("credential {} (`{id}`): {reason}", index + 1)))?;
        if !seen.insert(id.clone()) {
            return Err(wrong(format!("secret_id `{id}` is there twice")));
        }
        list.push((id, credential));
    }
    Ok(list)
}

fn check(entry: Entry, path: &Path) -> Result<Credential, String> {
    // `/` separates the parts of a credential scope, so it cannot be in one.
    let id_is_fine = !entry.secret_id.is_empty()
        && entry
            .secret_id
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b','));
    if !id_is_fine {
        return Err("secret_id has to be printable ASCII without space, comma, slash".to_owned());
    }
    let secret_key = match (entry.secret_key, entry.secret_key_file) {
        (Some(key), None) => key,
        (None, Some(file)) => read_key(&file, path)?,
        _ => return Err("expected exactly one of secret_key and secret_key_file".to_owned()),
    };
    if secret_key.is_empty() {
        return Err("the secret key is empty".to_owned());
    }
    if entry.token.as_deref() == Some("") {
        return Err("token is empty; leave it out where none is wanted".to_owned());
    }
    Ok(Credential {
        secret_key,
        token: entry.token,
        scope: CredentialScope::new(entry.actions.as_deref(), entry.datahubs.as_deref()),
    })
}

/// A relative `secret_key_file` is meant beside the credentials file.
fn read_key(file: &Path, credentials: &Path) -> Result<String, String> {
    let file = credentials
        .parent()
        .map_or_else(|| file.to_owned(), |folder| folder.join(file));
    std::fs::read_to_string(&file)
        .map(|text| text.trim().to_owned())
        .map_err(|error| format!("cannot read secret_key_file {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use forebay_api::tc3::Credential as _;

    fn read_text(text: &str) -> Result<CredentialSet, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("key"), "from-a-file\n").unwrap();
        read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn every_field_is_read() {
        let set = read_text(
            r#"
            [[credential]]
            secret_id = "AKIDone"
            secret_key = "k1"
            token = "t"
            actions = ["Describe*"]
            datahubs = ["datahub-aaaaaaaa"]
            [[credential]]
            secret_id = "AKIDtwo"
            secret_key_file = "key"
            "#,
        )
        .unwrap();
        let one = &set["AKIDone"];
        assert_eq!((one.secret_key(), one.token()), ("k1", Some("t")));
        assert!(one.scope().allows_action("DescribeDatahubTask"));
        assert!(!one.scope().allows_action("SendMessage"));
        assert!(!one.scope().allows_datahub("datahub-bbbbbbbb"));
        assert_eq!(set["AKIDtwo"].secret_key(), "from-a-file");
        assert!(set["AKIDtwo"].scope().allows_action("SendMessage"));
    }

    #[test]
    fn wrong_files_are_refused_without_showing_secrets() {
        let cases = [
            ("", "at least one [[credential]]"),
            ("[[credential]]\nsecret_id = \"a\"", "exactly one of"),
            (
                "[[credential]]\nsecret_id = \"a\"\nsecret_key = \"hush\"\nsecret_key_file = \"key\"",
                "exactly one of",
            ),
            (
                "[[credential]]\nsecret_id = \"a/b\"\nsecret_key = \"hush\"",
                "slash",
            ),
            (
                "[[credential]]\nsecret_id = \"a\"\nsecret_key = \"\"",
                "empty",
            ),
            (
                "[[credential]]\nsecret_id = \"a\"\nsecret_key = hush",
                "line 3",
            ),
            (
                "[[credential]]\nsecret_id = \"a\"\nkey = \"hush\"",
                "unknown field `key`",
            ),
            (
                "[[credential]]\nsecret_id=\"a\"\nsecret_key=\"x\"\n[[credential]]\nsecret_id=\"a\"\nsecret_key=\"y\"",
                "twice",
            ),
        ];
        for (text, expected) in cases {
            let error = read_text(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
        for wrong_type in ["secret_key = 4711", "token = 4711", "secret_key = [4711]"] {
            let text = format!("[[credential]]\nsecret_id = \"a\"\n{wrong_type}");
            let error = read_text(&text).unwrap_err();
            assert!(error.contains("line 3"), "{error}");
            assert!(!error.contains("4711"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let set = read_text("[[credential]]\nsecret_id=\"a\"\nsecret_key=\"hush\"\ntoken=\"hush\"")
            .unwrap();
        assert!(!format!("{set:?}").contains("hush"));
    }
}
