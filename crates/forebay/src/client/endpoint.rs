//! Where the service is.

use std::fmt;

use ureq::http::uri::Authority;

use super::error::ClientError;

/// An address of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    is_https: bool,
    authority: String,
}

impl Endpoint {
    /// Reads `host`, `host:port`, `http://host:port/` and `https://host:port/`.
    ///
    /// # Errors
    /// Usage: what else was found.
    pub(super) fn parse(text: &str) -> Result<Self, ClientError> {
        let wrong = |reason: &str| ClientError::Usage(format!("--endpoint {text:?}: {reason}"));
        let (is_https, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some(_) => return Err(wrong("expected http://host:port or https://host:port")),
            None => (false, text),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let parsed: Authority = authority
            .parse()
            .map_err(|_| wrong("expected http://host:port, without a path"))?;
        let port_is_fine = match parsed.as_str().strip_prefix(parsed.host()) {
            Some("") => true,
            Some(_) => parsed.port_u16().is_some_and(|port| port > 0),
            // User and password stand before the host.
            None => return Err(wrong("expected no user name")),
        };
        if parsed.host().is_empty() || !port_is_fine {
            return Err(wrong("expected a host and a port from 1 to 65535"));
        }
        Ok(Self {
            is_https,
            authority: authority.to_owned(),
        })
    }

    /// Whether it is called over TLS.
    pub(super) fn is_https(&self) -> bool {
        self.is_https
    }

    /// The Host header, as it is signed and sent.
    pub(super) fn host(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_optional() {
        for (text, shown) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://forebay.test:80/", "http://forebay.test:80"),
            ("HTTP://localhost", "http://localhost"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("HTTPS://forebay.test", "https://forebay.test"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for (text, reason) in [
            ("https://127.0.0.1/path", "without a path"),
            ("ftp://a", "expected http://"),
            ("", "expected"),
            ("http://", "expected"),
            ("http://a/path", "without a path"),
            ("http://a?query", "without a path"),
            ("user@host", "user name"),
            ("host:0", "port"),
            ("host:65536", "port"),
            ("host:", "port"),
            ("a b", "expected"),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(matches!(error, ClientError::Usage(_)), "{text}");
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }
}
