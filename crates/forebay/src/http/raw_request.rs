//! A request as it came in, complete, on its way to its worker's actor.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::{Method, Uri};
use bytes::Bytes;
use forebay_api::tc3::{HeaderValue, Headers};
use forebay_engine::admission::Permit;
use tokio::time::Instant;

/// The parts of a request's head that its signature and dispatch need.
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
}

/// A complete request. The permit inside is what bounds memory: a mailbox's
/// capacity does not.
pub(super) struct RawRequest {
    pub(super) head: Head,
    pub(super) body: Bytes,
    /// Unix ms when the last byte of the body arrived.
    pub(super) received_ms: i64,
    /// When the answer has to be there.
    pub(super) deadline: Instant,
    pub(super) permit: Arc<Permit>,
}

impl Headers for Head {
    /// Straight from the wire: what proxies say about the host
    /// (X-Forwarded-Host, Forwarded) is not what the client signed, and
    /// anybody can send it.
    fn get(&self, lower_case_name: &str) -> HeaderValue<'_> {
        let mut values = match known(lower_case_name) {
            Some(name) => self.headers.get_all(name),
            None => self.headers.get_all(lower_case_name),
        };
        match (values.next(), values.next()) {
            (Some(value), None) => HeaderValue::One(value.as_bytes()),
            (Some(_), Some(_)) => HeaderValue::Repeated,
            (None, _) => match self.uri.authority() {
                // HTTP/2 has no Host header but `:authority`.
                Some(authority) if lower_case_name == "host" => {
                    HeaderValue::One(authority.as_str().as_bytes())
                }
                _ => HeaderValue::Absent,
            },
        }
    }
}

/// The names that every request is asked for. Looking a header up by a text
/// checks and hashes the text as a name first, which costs more than the look.
fn known(lower_case_name: &str) -> Option<HeaderName> {
    const ACTION: HeaderName = HeaderName::from_static("x-tc-action");
    const VERSION: HeaderName = HeaderName::from_static("x-tc-version");
    const TIMESTAMP: HeaderName = HeaderName::from_static("x-tc-timestamp");
    const TOKEN: HeaderName = HeaderName::from_static("x-tc-token");
    const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-tc-content-sha256");
    match lower_case_name {
        "authorization" => Some(header::AUTHORIZATION),
        "host" => Some(header::HOST),
        "content-type" => Some(header::CONTENT_TYPE),
        "x-tc-action" => Some(ACTION),
        "x-tc-version" => Some(VERSION),
        "x-tc-timestamp" => Some(TIMESTAMP),
        "x-tc-token" => Some(TOKEN),
        "x-tc-content-sha256" => Some(CONTENT_SHA256),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HOST, HeaderValue as Value};

    fn head(uri: &'static str, headers: &[(&'static str, &'static str)]) -> Head {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), Value::from_static(value));
        }
        Head {
            method: Method::POST,
            uri: Uri::from_static(uri),
            headers: map,
        }
    }

    #[test]
    fn the_host_is_the_wires_and_never_a_proxys_word() {
        let plain = head("/", &[("host", "a:1"), ("x-forwarded-host", "evil")]);
        assert!(matches!(plain.get(HOST.as_str()), HeaderValue::One(b"a:1")));
        let http2 = head("https://b:2/", &[]);
        assert!(matches!(http2.get("host"), HeaderValue::One(b"b:2")));
        assert!(matches!(http2.get("content-type"), HeaderValue::Absent));
    }

    #[test]
    fn repeated_headers_show() {
        let twice = head("/", &[("host", "a"), ("host", "b")]);
        assert!(matches!(twice.get("host"), HeaderValue::Repeated));
    }
}
