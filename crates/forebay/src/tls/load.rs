//! Reads a certificate chain and its private key.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::expiry::Validity;
use crate::config::TlsFiles;

/// No chain and no key is longer; whatever is, is the wrong file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Why a listener has no certificate, or does not take a new one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {} (`{key}`): {source}", path.display())]
    Read {
        /// The setting.
        key: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{} (`{key}`): expected {expected}, {found}", path.display())]
    Content {
        /// The setting.
        key: String,
        /// The file.
        path: PathBuf,
        /// What has to be in it.
        expected: &'static str,
        /// What is.
        found: String,
    },
    /// Both are fine, but not for each other.
    #[error(
        "the private key {} (`{section}.key`) does not belong to the first certificate of {} \
         (`{section}.cert`): {reason}",
        key.display(),
        cert.display()
    )]
    Mismatch {
        /// `http.tls` or `admin.tls`.
        section: &'static str,
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls says.
        reason: String,
    },
}

/// A chain with its key, which fit each other.
pub(super) struct Loaded {
    pub(super) pair: Arc<CertifiedKey>,
    /// Of the chain's first certificate.
    pub(super) validity: Validity,
}

/// Reads both files; `section` is where they were named.
///
/// # Errors
/// See [`TlsError`]. No error holds any of the key.
pub(super) fn load(
    section: &'static str,
    files: &TlsFiles,
    provider: &CryptoProvider,
) -> Result<Loaded, TlsError> {
    let chain = chain(section, &files.cert)?;
    let validity = validity(&chain[0]).map_err(|found| TlsError::Content {
        key: format!("{section}.cert"),
        path: files.cert.clone(),
        expected: "an X.509 certificate",
        found,
    })?;
    let key = private_key(section, &files.key)?;
    let pair = CertifiedKey::from_der(chain, key, provider);
    let pair = pair.map_err(|error| TlsError::Mismatch {
        section,
        cert: files.cert.clone(),
        key: files.key.clone(),
        reason: error.to_string(),
    })?;
    Ok(Loaded {
        pair: Arc::new(pair),
        validity,
    })
}

/// At least one certificate.
fn chain(section: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let key = format!("{section}.cert");
    let bytes = read(&key, path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = match chain {
        Ok(chain) if !chain.is_empty() => return Ok(chain),
        Ok(_) => "found no certificate".to_owned(),
        Err(error) => pem_problem(&error).to_owned(),
    };
    Err(TlsError::Content {
        key,
        path: path.to_owned(),
        expected: "the server's certificate in PEM, followed by those that lead to its CA",
        found,
    })
}

fn private_key(section: &str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let key = format!("{section}.key");
    let bytes = read(&key, path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| TlsError::Content {
        key,
        path: path.to_owned(),
        expected: "a private key in PEM (PKCS#8, PKCS#1 or SEC 1), not encrypted",
        found: pem_problem(&error).to_owned(),
    })
}

/// Not in the parser's words: they quote the line, and in a file that has lost
/// its line ends that is the key.
fn pem_problem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "found none",
        pem::Error::Base64Decode(_) => "found what is no base64 between its BEGIN and END",
        _ => "found a BEGIN without its END; each has to stand in a line of its own",
    }
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let read = || {
        let mut bytes = Vec::new();
        let file = File::open(path)?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            let problem = format!("it has more than {MAX_FILE_BYTES} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        Ok(bytes)
    };
    read().map_err(|source| TlsError::Read {
        key: key.to_owned(),
        path: path.to_owned(),
        source,
    })
}

fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, String> {
    let parsed = Certificate::from_der(certificate);
    let parsed = parsed.map_err(|error| format!("found what cannot be read: {error}"))?;
    let validity = parsed.tbs_certificate.validity;
    let seconds = |time: x509_cert::time::Time| {
        i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
    };
    Ok(Validity {
        not_before: seconds(validity.not_before),
        not_after: seconds(validity.not_after),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_quotes_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
        for (text, expected) in [
            (format!("{begin}MIGHAgEA{end}"), "a line of its own"),
            (format!("{begin} MIGHAgEA {end}\n"), "a line of its own"),
            (format!("{begin}MIGHAgEA"), "a line of its own"),
            (format!("{begin}\nMIGHAgEA\n"), "a line of its own"),
            (format!("{begin}\nMIGH!AgEA\n{end}\n"), "no base64"),
            ("MIGHAgEA".to_owned(), "found n"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let errors = [
                private_key("http.tls", &path).unwrap_err(),
                chain("http.tls", &path).unwrap_err(),
            ];
            let quoted = format!("{:?}", b"MIGH");
            for error in errors {
                let (shown, debug) = (error.to_string(), format!("{error:?}"));
                assert!(shown.contains(expected), "{text}: {shown}");
                for said in [shown, debug] {
                    let quotes =
                        said.contains("MIGH") || said.contains(quoted.trim_matches(['[', ']']));
                    assert!(!quotes, "{text}: {said}");
                }
            }
        }
    }
}
