//! TLS of the listeners: certificate files, kept current while connections
//! stay open.
//!
//! rustls with ring, TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN. Clients are
//! not asked for certificates: requests are signed.

mod certificates;
mod expiry;
mod load;
mod watch;

pub(crate) use certificates::Certificates;
pub use load::TlsError;
pub(crate) use watch::WatchedCertificates;
