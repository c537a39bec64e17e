//! Why a replica did not start.

use std::io;
use std::net::SocketAddr;

use forebay_engine::security::SecurityFileError;

use crate::credentials::CredentialsError;
use crate::embedded::EmbeddedError;
use crate::tls::TlsError;

/// Why a replica did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The embedded broker.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The credentials file.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (`{key}`): {source}")]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A file of `instance.tls` or `instance.sasl`.
    #[error("instance `{instance}`: {source}")]
    Security {
        /// The instance's id.
        instance: String,
        /// The file and what is wrong with it.
        source: SecurityFileError,
    },
    /// A listener's certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The metrics recorder.
    #[error("cannot install the metrics recorder: {0}")]
    Metrics(String),
}

impl StartError {
    pub(super) fn listen(key: &'static str, address: SocketAddr, source: io::Error) -> Self {
        Self::Listen {
            key,
            address,
            source,
        }
    }
}
