//! Where requests go.

use std::net::{SocketAddr, ToSocketAddrs};

/// An address over plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The Host header, as it is signed and sent.
    pub(crate) host: String,
    /// Path of the URL; `/` if it has none.
    pub(crate) path: String,
}

impl Endpoint {
    /// Reads `http://host[:port][/path]`; the scheme may be left out.
    ///
    /// # Errors
    /// What was expected; `https` is not supported.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rest = match text.split_once("://") {
            None => text,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
                return Err(
                    "https is not supported: the cost of TLS would hide what is measured; \
                            use the gateway's http listener"
                        .to_owned(),
                );
            }
            Some(_) => return Err(format!("expected http://host:port, got {text:?}")),
        };
        let (host, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let visible = |part: &str| part.bytes().all(|b| b.is_ascii_graphic());
        if host.is_empty() || host.contains(['@', '?', '#']) || !visible(host) || !visible(path) {
            return Err(format!("expected http://host:port, got {text:?}"));
        }
        Ok(Self {
            host: host.to_owned(),
            path: path.to_owned(),
        })
    }

    /// The first address of the host; port 80 if none is given.
    ///
    /// # Errors
    /// What the resolver says.
    pub(crate) fn resolve(&self) -> Result<SocketAddr, String> {
        let has_port = match self.host.rfind(']') {
            Some(end) => self.host[end..].contains(':'),
            None => self.host.contains(':'),
        };
        let authority = if has_port {
            self.host.clone()
        } else {
            format!("{}:80", self.host)
        };
        let found = authority.to_socket_addrs();
        let mut found = found.map_err(|error| format!("cannot resolve {}: {error}", self.host))?;
        found
            .next()
            .ok_or_else(|| format!("{} has no address", self.host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_path_and_default_port() {
        let parsed = |text| Endpoint::parse(text).unwrap();
        assert_eq!(parsed("http://127.0.0.1:8080").host, "127.0.0.1:8080");
        assert_eq!(parsed("http://127.0.0.1:8080").path, "/");
        assert_eq!(parsed("127.0.0.1:1/post/it").path, "/post/it");
        let port = |text| parsed(text).resolve().unwrap().port();
        assert_eq!(port("http://127.0.0.1"), 80);
        assert_eq!(port("http://[::1]:81"), 81);
        assert_eq!(port("[::1]"), 80);
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for text in [
            "https://a",
            "ftp://a",
            "http://",
            "",
            "u@h",
            "a b",
            "h\r\n:1",
        ] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }
}
