//! How connections to brokers are protected: TLS, and a login by SASL.
//!
//! Files are read when a connection is made, so that renewed certificates and
//! changed passwords are used without a restart.
//!
//! - `tls`: whom to trust, and our own certificate;
//! - `sasl`: who we are;
//! - `secret`: text that shows nowhere.

mod sasl;
mod secret;
mod tls;

use std::{fs::File, io, io::Read, path::Path, sync::Arc};

use thiserror::Error;
use tokio::task::spawn_blocking;

pub use sasl::{PasswordSource, SaslLogin, SaslMechanism, UnknownMechanism};
pub use secret::Secret;
pub use tls::{ClientIdentity, TlsFiles, TrustedRoots};

pub(crate) use tls::{ClientTls, explain};

/// How connections are protected; the default is not at all. Cheap to clone;
/// clones share what was read of the files.
#[derive(Debug, Clone, Default)]
pub struct Security {
    pub(crate) tls: Option<Arc<ClientTls>>,
    pub(crate) sasl: Option<Arc<SaslLogin>>,
}

/// Why a file with a certificate, a key or a password is of no use. Shows
/// nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SecurityFileError(pub(crate) String);

impl Security {
    /// Reads no file yet.
    pub fn new(tls: Option<TlsFiles>, sasl: Option<SaslLogin>) -> Self {
        Self {
            tls: tls.map(|files| Arc::new(ClientTls::new(files))),
            sasl: sasl.map(Arc::new),
        }
    }

    /// Reads all files once, to find mistakes before the first connection.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    ///
    /// # Cancellation
    /// Safe; the reading ends by itself.
    pub async fn check(&self) -> Result<(), SecurityFileError> {
        let security = self.clone();
        let read = move || {
            if let Some(tls) = &security.tls {
                tls.config()?;
            }
            if let Some(sasl) = &security.sasl {
                sasl.password()?;
            }
            Ok(())
        };
        spawn_blocking(read)
            .await
            .unwrap_or_else(|error| Err(SecurityFileError(error.to_string())))
    }
}

/// Reads a file of at most `limit` bytes.
fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, SecurityFileError> {
    let refuse = |reason: String| SecurityFileError(format!("{}: {reason}", path.display()));
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>| -> io::Result<usize> {
        File::open(path)?.take(limit + 1).read_to_end(bytes)
    };
    read(&mut bytes).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > limit {
        return Err(refuse(format!(
            "expected at most {limit} bytes, it has more"
        )));
    }
    Ok(bytes)
}
