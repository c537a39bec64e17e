//! Who we are towards brokers that want a login by SASL.

use std::{fmt, path::PathBuf, str::FromStr};

use thiserror::Error;

use super::{Secret, SecurityFileError, read_file};

/// Longest password that a file may hold, in bytes.
const MAX_PASSWORD_FILE: u64 = 64 << 10;

/// How the password is shown to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// In the clear (RFC 4616): to be used over TLS only.
    Plain,
    /// By a proof that goes both ways (RFC 5802, RFC 7677).
    ScramSha256,
    /// The same with a longer hash.
    ScramSha512,
}

/// No mechanism has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")]
pub struct UnknownMechanism;

impl SaslMechanism {
    /// The name that brokers know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl fmt::Display for SaslMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SaslMechanism {
    type Err = UnknownMechanism;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|mechanism| mechanism.name() == text)
            .ok_or(UnknownMechanism)
    }
}

/// Where the password is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// In the configuration.
    Inline(Secret),
    /// In a file of its own, read anew for each login; a line's end at the end
    /// of the file is no part of it.
    File(PathBuf),
}

/// A user of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslLogin {
    /// How the password is shown.
    pub mechanism: SaslMechanism,
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: PasswordSource,
}

impl SaslLogin {
    /// The password of now. Blocks if it is in a file.
    ///
    /// # Errors
    /// If the file cannot be read or holds no password.
    pub(crate) fn password(&self) -> Result<Secret, SecurityFileError> {
        let path = match &self.password {
            PasswordSource::Inline(secret) => return Ok(secret.clone()),
            PasswordSource::File(path) => path,
        };
        let refuse = |reason| SecurityFileError(format!("{}: {reason}", path.display()));
        let bytes = read_file(path, MAX_PASSWORD_FILE)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| refuse("expected the password as UTF-8 text"))?;
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Err(refuse("expected a password, the file is empty"));
        }
        Ok(Secret::new(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_file(content: &[u8]) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, content).unwrap();
        let login = SaslLogin {
            mechanism: SaslMechanism::Plain,
            username: "u".to_owned(),
            password: PasswordSource::File(path),
        };
        match login.password() {
            Ok(secret) => Ok(secret.reveal().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_password_file_ends_with_its_line() {
        assert_eq!(from_file(b"pass word \n").unwrap(), "pass word ");
        assert_eq!(from_file(b"geheim\r\n").unwrap(), "geheim");
        assert_eq!(from_file(b"a\nb").unwrap(), "a\nb");
        assert!(from_file(b"\n").unwrap_err().contains("is empty"));
        assert!(from_file(b"\xff").unwrap_err().contains("UTF-8"));
        let long = vec![b'x'; 70 << 10];
        assert!(from_file(&long).unwrap_err().contains("at most"));
    }

    #[test]
    fn a_login_shows_no_password() {
        let login = SaslLogin {
            mechanism: SaslMechanism::ScramSha512,
            username: "ann".to_owned(),
            password: PasswordSource::Inline(Secret::new("hunter2")),
        };
        let shown = format!("{login:?}");
        assert!(
            shown.contains("ann") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[test]
    fn mechanisms_have_the_names_that_brokers_use() {
        for name in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            assert_eq!(name.parse::<SaslMechanism>().unwrap().name(), name);
        }
        for other in ["plain", "GSSAPI", ""] {
            other.parse::<SaslMechanism>().unwrap_err();
        }
    }
}
