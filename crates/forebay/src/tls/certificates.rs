//! The certificate that a listener shows, exchanged while it serves.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use forebay_engine::clock::unix_millis;
use forebay_engine::telemetry;
use metrics::Gauge;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::load::{Loaded, TlsError, load};
use crate::config::TlsFiles;

/// One listener's certificate and key. What is exchanged holds for the next
/// handshake; connections that are open know nothing of it.
pub(crate) struct Certificates {
    section: &'static str,
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Loaded>,
    not_after: Gauge,
}

impl Certificates {
    /// Reads `files`, which `section` (`http.tls`, `admin.tls`) names, for
    /// `listener` (`api`, `admin`).
    ///
    /// # Errors
    /// See [`TlsError`].
    pub(crate) fn open(
        section: &'static str,
        listener: &'static str,
        files: &TlsFiles,
    ) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let loaded = load(section, files, &provider)?;
        let certificates = Self {
            section,
            files: files.clone(),
            provider,
            current: ArcSwap::from_pointee(loaded),
            not_after: telemetry::certificate_not_after_seconds(listener),
        };
        certificates.show();
        Ok(Arc::new(certificates))
    }

    /// Takes the files as they are now.
    ///
    /// # Errors
    /// See [`TlsError`]; what was shown before is shown on.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let loaded = load(self.section, &self.files, &self.provider)?;
        self.current.store(Arc::new(loaded));
        self.show();
        Ok(())
    }

    /// The files that make it up.
    pub(super) fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// When the present one expires, Unix seconds.
    pub(crate) fn not_after(&self) -> i64 {
        self.current.load().validity.not_after
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "seconds of this millennium are exact in a float"
    )]
    fn show(&self) {
        self.not_after.set(self.not_after() as f64);
    }

    /// Says so if it has expired, or soon will have.
    pub(crate) fn warn_of_its_end(&self) {
        let problem = self.current.load().validity.problem(unix_millis() / 1000);
        if let Some(problem) = problem {
            tracing::warn!(
                file = %self.files.cert.display(),
                setting = format_args!("{}.cert", self.section),
                "{problem}; put a new one there, no restart is needed"
            );
        }
    }

    /// How handshakes are done.
    pub(crate) fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("ring has suites for TLS 1.2 and 1.3");
        let mut config = config
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        // In the order of preference.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().pair))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = &self.files;
        f.debug_struct("Certificates")
            .field("files", files)
            .finish_non_exhaustive()
    }
}
