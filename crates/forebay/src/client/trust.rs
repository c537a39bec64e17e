//! Who may vouch for a service that is called by `https`.

use std::path::PathBuf;

use ureq::tls::{PemItem, RootCerts, parse_pem};

use super::error::ClientError;
use crate::config::CLIENT_CACERT;

/// The certificates in the file that `--cacert` or the environment names, else
/// the public CAs that this program comes with (Mozilla's).
///
/// # Errors
/// Usage: a file that cannot be read, or has no certificate.
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
        return Ok(RootCerts::WebPki);
    };
    let wrong = |reason: String| {
        let path = path.display();
        ClientError::Usage(format!("{origin} {path}: {reason}"))
    };
    let bytes = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&bytes) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| wrong(format!("expected PEM: {error}")))?
        {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_stands_above_the_environment() {
        let named = |name: &str| vec![(CLIENT_CACERT.to_owned(), name.to_owned())];
        assert!(matches!(roots(None, &[]), Ok(RootCerts::WebPki)));
        assert!(matches!(roots(None, &named("")), Ok(RootCerts::WebPki)));
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
    }
}
