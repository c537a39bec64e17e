//! Who may vouch for a service that is called by `https`.

use std::path::PathBuf;

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::error::ClientError;
use crate::config::CLIENT_CACERT;

/// The certificates in the file that `--cacert` or the environment names, else
/// those that this machine trusts.
///
/// # Errors
/// Usage: a file that cannot be read, or no certificate anywhere.
pub(super) fn roots(
    flag: Option<PathBuf>,
    environment: &[(String, String)],
) -> Result<RootCerts, ClientError> {
    let variable = || {
        let found = environment.iter().find(|(name, _)| name == CLIENT_CACERT);
        // What is set to nothing is not set: that is how scripts unset.
        found
            .filter(|(_, value)| !value.is_empty())
            .map(|(_, value)| (CLIENT_CACERT, PathBuf::from(value)))
    };
    let Some((origin, path)) = flag.map(|path| ("--cacert", path)).or_else(variable) else {
        return of_the_machine();
    };
    let wrong = |reason: String| {
        let path = path.display();
        ClientError::Usage(format!("{origin} {path}: {reason}"))
    };
    let bytes = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&bytes) {
        // Not in the parser's words: they quote the line, which may be a key's.
        let broken = |_| {
            let expected = "expected PEM, with BEGIN and END in lines of their own";
            wrong(expected.to_owned())
        };
        if let PemItem::Certificate(certificate) = item.map_err(broken)? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(wrong(
            "expected CA certificates in PEM, found none".to_owned(),
        ));
    }
    Ok(RootCerts::from(certificates))
}

fn of_the_machine() -> Result<RootCerts, ClientError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(ClientError::Usage(format!(
            "this machine has no CA certificates to trust ({}); name some by --cacert",
            reasons.join(", ")
        )));
    }
    let certificates = found.certs.iter();
    let certificates = certificates.map(|one| Certificate::from_der(one).to_owned());
    Ok(RootCerts::from(certificates.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_stands_above_the_environment() {
        let named = |name: &str| vec![(CLIENT_CACERT.to_owned(), name.to_owned())];
        let of_nothing = roots(None, &named(""));
        assert_eq!(of_nothing.is_ok(), roots(None, &[]).is_ok());
        let error = |flag: Option<&str>| {
            let flag = flag.map(PathBuf::from);
            roots(flag, &named("/none/env")).unwrap_err().to_string()
        };
        assert!(error(None).starts_with("FOREBAY_CLIENT_CACERT /none/env: "));
        assert!(error(Some("/none/flag")).starts_with("--cacert /none/flag: "));
        let empty = tempfile::NamedTempFile::new().unwrap();
        let empty = Some(empty.path().to_owned());
        let error = roots(empty, &[]).unwrap_err().to_string();
        assert!(error.contains("found none"), "{error}");
        let key = tempfile::NamedTempFile::new().unwrap();
        let one_line = "-----BEGIN PRIVATE KEY-----MIGH-----END PRIVATE KEY-----";
        std::fs::write(key.path(), one_line).unwrap();
        let error = roots(Some(key.path().to_owned()), &[]).unwrap_err();
        let error = error.to_string();
        assert!(error.ends_with("in lines of their own"), "{error}");
    }
}
