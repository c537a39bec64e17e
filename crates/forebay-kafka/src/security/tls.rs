//! Whom to trust, and our own certificate.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use parking_lot::Mutex;
use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{SecurityFileError, read_file};

/// Longest PEM file that is read: a system's whole bundle has 200 KiB.
const MAX_PEM_FILE: u64 = 4 << 20;

/// Who may vouch for brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedRoots {
    /// Whom the system trusts. Read once.
    System,
    /// The certificates of a PEM file, and nobody else.
    File(PathBuf),
}

/// Our own certificate, for brokers that want one (mTLS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// PEM file with the certificate, followed by those that vouch for it.
    pub cert: PathBuf,
    /// PEM file with its key, not encrypted: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// The files of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Who may vouch for brokers.
    pub ca: TrustedRoots,
    /// Our own certificate.
    pub identity: Option<ClientIdentity>,
}

/// TLS as the files say, read again when they have changed.
pub(crate) struct ClientTls {
    files: TlsFiles,
    state: Mutex<State>,
}

impl fmt::Debug for ClientTls {
    /// The files' names: what was read of them is a secret in part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.files, f)
    }
}

#[derive(Default)]
struct State {
    /// Of the files as they were last read, with success or without.
    stamps: Option<Vec<Stamp>>,
    /// What came of that.
    last: Option<Result<(), SecurityFileError>>,
    /// Of the last time that they were fine.
    config: Option<Arc<ClientConfig>>,
}

/// What changes with a file. `None` if it cannot be looked at.
type Stamp = Option<(u64, u64, SystemTime)>;

impl ClientTls {
    pub(super) fn new(files: TlsFiles) -> Self {
        Self {
            files,
            state: Mutex::default(),
        }
    }

    /// What to connect with. Blocks while it reads.
    ///
    /// Files that have become unusable since, such as half of a new version,
    /// are logged once and change nothing.
    ///
    /// # Errors
    /// If they never were usable.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, SecurityFileError> {
        let mut state = self.state.lock();
        let stamps = self.stamps();
        if state.stamps.as_ref() != Some(&stamps) {
            let loaded = load(&self.files);
            match (&loaded, &state.config) {
                (Ok(_), Some(_)) => tracing::info!("TLS certificates towards Kafka were read anew"),
                (Err(error), Some(_)) => tracing::warn!(
                    %error,
                    "changed TLS certificates towards Kafka are not usable, the old ones stay"
                ),
                _ => {}
            }
            state.stamps = Some(stamps);
            state.last = Some(loaded.map(|config| state.config = Some(Arc::new(config))));
        }
        match (&state.config, &state.last) {
            (Some(config), _) => Ok(Arc::clone(config)),
            (None, Some(Err(error))) => Err(error.clone()),
            (None, _) => Err(SecurityFileError("no certificates were read".to_owned())),
        }
    }

    fn stamps(&self) -> Vec<Stamp> {
        let ca = match &self.files.ca {
            TrustedRoots::System => None,
            TrustedRoots::File(path) => Some(path),
        };
        let identity = self.files.identity.iter();
        let own = identity.flat_map(|identity| [&identity.cert, &identity.key]);
        ca.into_iter().chain(own).map(|path| stamp(path)).collect()
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    let modified = metadata.modified().ok()?;
    Some((metadata.ino(), metadata.len(), modified))
}

fn load(files: &TlsFiles) -> Result<ClientConfig, SecurityFileError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots(&files.ca)?);
    let mut config = match &files.identity {
        None => builder.with_no_client_auth(),
        Some(ClientIdentity { cert, key }) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .map_err(|error| {
                SecurityFileError(format!(
                    "{} and {} do not go together: {error}",
                    cert.display(),
                    key.display()
                ))
            })?,
    };
    // A resumed session would not notice that a certificate has expired, and
    // connections are made seldom.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn roots(ca: &TrustedRoots) -> Result<RootCertStore, SecurityFileError> {
    let mut roots = RootCertStore::empty();
    match ca {
        TrustedRoots::System => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let first = found.errors.first().map(ToString::to_string);
                return Err(SecurityFileError(format!(
                    "the system trusts no certificate authority ({}); \
                     install its CA certificates, or name a PEM file",
                    first.unwrap_or_else(|| "none found".to_owned())
                )));
            }
        }
        TrustedRoots::File(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| {
                    SecurityFileError(format!(
                        "{}: not usable as a certificate authority: {error}",
                        path.display()
                    ))
                })?;
            }
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SecurityFileError> {
    let pem = read_file(path, MAX_PEM_FILE)?;
    let refuse = |reason: String| SecurityFileError(format!("{}: {reason}", path.display()));
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    // Not in the parser's words, here and below: they quote the line, and that
    // may be a whole key, of a file that has lost its line ends.
    let found = found.map_err(|_| {
        refuse(
            "not valid PEM: expected BEGIN and END in lines of their own, and base64 between them"
                .to_owned(),
        )
    })?;
    if found.is_empty() {
        return Err(refuse(
            "expected certificates as PEM (BEGIN CERTIFICATE), found none".to_owned(),
        ));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SecurityFileError> {
    let pem = read_file(path, MAX_PEM_FILE)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        SecurityFileError(format!(
            "{}: expected a private key as PEM, not encrypted (PKCS#8, PKCS#1 or SEC1)",
            path.display()
        ))
    })
}

/// Why a handshake failed, in words that say what to do.
pub(crate) fn explain(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(reason) => explain_certificate(reason),
        rustls::Error::InvalidMessage(_) => {
            format!("the broker does not speak TLS on this port ({error})")
        }
        rustls::Error::AlertReceived(_) => {
            format!(
                "the broker refuses: {error}; see its log, it may want another client certificate"
            )
        }
        other => other.to_string(),
    }
}

fn explain_certificate(reason: &CertificateError) -> String {
    use CertificateError as E;
    let what = match reason {
        E::Expired | E::ExpiredContext { .. } => "has expired",
        E::NotValidYet | E::NotValidYetContext { .. } => "is not valid yet (or our clock is slow)",
        E::NotValidForName | E::NotValidForNameContext { .. } => "is for another host",
        E::UnknownIssuer => "comes from an issuer that instance.tls.ca does not vouch for",
        _ => "is not acceptable",
    };
    format!("the broker's certificate {what}: {reason}")
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    struct Pair {
        cert: String,
        key: String,
    }

    fn pair() -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        Pair {
            cert: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    struct Fixture {
        dir: tempfile::TempDir,
        tls: ClientTls,
    }

    impl Fixture {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = |name: &str| dir.path().join(name);
            let tls = ClientTls::new(TlsFiles {
                ca: TrustedRoots::File(path("ca")),
                identity: Some(ClientIdentity {
                    cert: path("cert"),
                    key: path("key"),
                }),
            });
            Self { dir, tls }
        }

        fn write(&self, name: &str, text: &str) {
            let new = self.dir.path().join("new");
            fs::write(&new, text).unwrap();
            // Another file than the one before, whatever the clock says.
            fs::rename(new, self.dir.path().join(name)).unwrap();
        }

        fn error(&self) -> String {
            self.tls.config().unwrap_err().to_string()
        }
    }

    #[test]
    fn files_are_named_with_what_is_wrong_in_them() {
        let fixture = Fixture::new();
        let (one, other) = (pair(), pair());
        assert!(
            fixture.error().contains("ca: cannot be read"),
            "{}",
            fixture.error()
        );
        fixture.write("ca", "nothing");
        assert!(
            fixture.error().contains("BEGIN CERTIFICATE"),
            "{}",
            fixture.error()
        );
        fixture.write("ca", &one.cert);
        fixture.write("cert", &one.cert);
        let encrypted = one.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
        fixture.write("key", &encrypted);
        assert!(
            fixture.error().contains("not encrypted"),
            "{}",
            fixture.error()
        );
        let one_line = one.key.replace('\n', "");
        fixture.write("key", &one_line);
        assert!(fixture.error().len() < 300, "{}", fixture.error());
        fixture.write("cert", &one_line);
        assert!(fixture.error().len() < 300, "{}", fixture.error());
        assert!(
            fixture.error().contains("lines of their own"),
            "{}",
            fixture.error()
        );
        fixture.write("cert", &one.cert);
        fixture.write("key", &other.key);
        assert!(
            fixture.error().contains("do not go together"),
            "{}",
            fixture.error()
        );
        fixture.write("key", &one.key);
        fixture.tls.config().unwrap();
    }

    #[test]
    fn changed_files_are_read_anew_and_broken_ones_change_nothing() {
        let fixture = Fixture::new();
        let (one, other) = (pair(), pair());
        fixture.write("ca", &one.cert);
        fixture.write("cert", &one.cert);
        fixture.write("key", &one.key);
        let first = fixture.tls.config().unwrap();
        assert!(Arc::ptr_eq(&first, &fixture.tls.config().unwrap()));
        fixture.write("cert", &other.cert);
        let still = fixture.tls.config().unwrap();
        assert!(
            Arc::ptr_eq(&first, &still),
            "the new certificate has no key yet"
        );
        fixture.write("key", &other.key);
        assert!(!Arc::ptr_eq(&first, &fixture.tls.config().unwrap()));
    }
}
