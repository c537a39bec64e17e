//! Who may call: the credentials file and what is held of it.

mod file;
mod generate;
mod reload;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay_api::CredentialScope;
use parking_lot::RwLock;

pub use file::CredentialsError;
pub(crate) use file::first_credential;
pub(crate) use reload::keep_current;

/// One `[[credential]]`.
pub struct Credential {
    secret_key: String,
    token: Option<String>,
    scope: CredentialScope,
}

impl Credential {
    /// What this credential may do.
    pub fn scope(&self) -> &CredentialScope {
        &self.scope
    }
}

impl forebay_api::tc3::Credential for Credential {
    fn secret_key(&self) -> &str {
        &self.secret_key
    }

    fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

impl fmt::Debug for Credential {
    /// Never the secrets: a Debug print ends in a log sooner or later.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("secret_key", &"<redacted>")
            .field("token", &self.token.as_ref().map(|_| "<redacted>"))
            .finish_non_exhaustive()
    }
}

/// All credentials of one version of the file, by SecretId.
pub type CredentialSet = HashMap<String, Arc<Credential>>;

/// The credentials in force. Readers never wait for a reload's file access.
#[derive(Debug)]
pub struct CredentialStore {
    path: PathBuf,
    made_now: bool,
    current: RwLock<Arc<CredentialSet>>,
    generation: AtomicU64,
}

impl CredentialStore {
    /// Reads the file at `path`; with `make_if_missing` a missing one is made
    /// first, mode 0600, with one random credential.
    ///
    /// # Errors
    /// When the file cannot be made, read, or is not right.
    pub fn open(path: &Path, make_if_missing: bool) -> Result<Self, CredentialsError> {
        let made_now = make_if_missing && generate::make_if_missing(path)?;
        let set = file::read(path)?;
        Ok(Self {
            path: path.to_owned(),
            made_now,
            current: RwLock::new(Arc::new(set)),
            generation: AtomicU64::new(0),
        })
    }

    /// Reads the file at `path` as [`Self::open`] does, keeps nothing and makes
    /// nothing; it may be missing where `open` would make it. Warns where others
    /// can get at it, as the watch over the file does.
    ///
    /// # Errors
    /// When it cannot be read, or is not right.
    pub fn check(path: &Path, made_if_missing: bool) -> Result<(), CredentialsError> {
        if made_if_missing && !path.exists() {
            return Ok(());
        }
        file::read(path)?;
        reload::warn_if_open(path);
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether `open` has just made the file.
    pub fn made_now(&self) -> bool {
        self.made_now
    }

    /// The credential with this SecretId.
    pub fn get(&self, secret_id: &str) -> Option<Arc<Credential>> {
        self.current.read().get(secret_id).cloned()
    }

    /// Rises with every version of the file taken; whoever has derived
    /// something from a secret (signing keys) drops it when this changes.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Reads the file again; on an error the old credentials stay.
    ///
    /// # Errors
    /// What is wrong with the new version.
    pub fn reload(&self) -> Result<usize, CredentialsError> {
        let set = file::read(&self.path)?;
        let count = set.len();
        *self.current.write() = Arc::new(set);
        self.generation.fetch_add(1, Ordering::Release);
        Ok(count)
    }
}
