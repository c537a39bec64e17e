//! Why the broker does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::topic_catalog::CatalogError;

/// Why [`Broker::start`](crate::Broker::start) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another process (or another broker of this one) has the directory open.
    #[error("{} is in use by another broker", .0.display())]
    InUse(PathBuf),
    /// A file or directory cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file that names the topics is damaged.
    #[error("{0}")]
    Catalog(String),
    /// There are logs, but no file that says whose. Starting would delete them.
    #[error("{} is missing, but there are logs beside it; restore it from a copy", .0.display())]
    CatalogMissing(PathBuf),
    /// The listening address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No thread or runtime could be made.
    #[error("cannot start the broker's threads: {0}")]
    Threads(io::Error),
}

impl From<CatalogError> for StartError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Io { path, source } => Self::Io { path, source },
            damaged @ CatalogError::Damaged { .. } => Self::Catalog(damaged.to_string()),
        }
    }
}
