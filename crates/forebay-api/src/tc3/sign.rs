//! Signing, as the Python SDK does it.

use std::fmt;

use super::canonical::{CanonicalRequest, hash_payload, signature};
use super::signing_key::SigningKey;
use super::{ALGORITHM, TERMINATOR};
use crate::action::VERSION;
use crate::utc_time::{DateText, utc_date};

const CONTENT_TYPE: &str = "application/json";
/// All SDKs send and sign it on a GET too.
const CONTENT_TYPE_OF_GET: &str = "application/x-www-form-urlencoded";
const SIGNED_HEADERS: &str = "content-type;host";
const REQUEST_CLIENT: &str = concat!("FOREBAY_", env!("CARGO_PKG_VERSION"));

/// Signs a client's requests. Keeps the day's signing key, so that a load generator pays for one
/// HMAC a request.
#[derive(Clone)]
pub struct Signer {
    secret_id: String,
    secret_key: String,
    token: Option<String>,
    region: Option<String>,
    service: String,
    todays_key: Option<(DateText, SigningKey)>,
}

/// What differs from request to request by POST: always `POST /` with a JSON body.
#[derive(Clone, Copy, Debug)]
pub struct RequestToSign<'a> {
    /// The Host header as it will be sent, with its port.
    pub host: &'a str,
    /// Name of the action.
    pub action: &'a str,
    /// The raw body.
    pub body: &'a [u8],
    /// The present time in Unix seconds.
    pub timestamp: i64,
}

/// What differs from request to request by GET: always `GET /?<query>` without a body.
#[derive(Clone, Copy, Debug)]
pub struct GetToSign<'a> {
    /// The Host header as it will be sent, with its port.
    pub host: &'a str,
    /// Name of the action.
    pub action: &'a str,
    /// The query as it will be sent, without its `?`.
    pub query: &'a str,
    /// The present time in Unix seconds.
    pub timestamp: i64,
}

impl Signer {
    /// A signer for service `ckafka`, without token and region.
    pub fn new(secret_id: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            secret_id: secret_id.into(),
            secret_key: secret_key.into(),
            token: None,
            region: None,
            service: "ckafka".to_owned(),
            todays_key: None,
        }
    }

    /// Sends this token as `X-TC-Token`.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sends this region as `X-TC-Region`.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Signs for another service name, as Java and Node do with an overridden endpoint.
    #[must_use]
    pub fn with_service(mut self, service: impl Into<String>) -> Self {
        self.service = service.into();
        self.todays_key = None;
        self
    }

    /// The headers of a signed POST, Host and Content-Type included, Content-Length not.
    pub fn sign(&mut self, request: &RequestToSign<'_>) -> Vec<(&'static str, String)> {
        let canonical = CanonicalRequest {
            method: "POST",
            query: "",
            signed_headers: SIGNED_HEADERS,
            payload: &hash_payload(request.body),
        };
        let (host, action) = (request.host, request.action);
        self.headers(&canonical, CONTENT_TYPE, host, action, request.timestamp)
    }

    /// The headers of a signed GET, Host and Content-Type included.
    pub fn sign_get(&mut self, request: &GetToSign<'_>) -> Vec<(&'static str, String)> {
        let canonical = CanonicalRequest {
            method: "GET",
            query: request.query,
            signed_headers: SIGNED_HEADERS,
            payload: &hash_payload(b""),
        };
        let (host, action) = (request.host, request.action);
        self.headers(
            &canonical,
            CONTENT_TYPE_OF_GET,
            host,
            action,
            request.timestamp,
        )
    }

    fn headers(
        &mut self,
        request: &CanonicalRequest<'_>,
        content_type: &'static str,
        host: &str,
        action: &str,
        timestamp: i64,
    ) -> Vec<(&'static str, String)> {
        let date = utc_date(timestamp);
        let key = self.key_of(date);
        let date = String::from_utf8_lossy(&date);
        let scope = format!("{date}/{}/{TERMINATOR}", self.service);
        let timestamp = timestamp.to_string();
        let hash = request.hash([("content-type", content_type), ("host", host)].into_iter());
        let signature = hex::encode(signature(&key, timestamp.as_bytes(), &scope, &hash));
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}",
            self.secret_id
        );
        let mut headers = vec![
            ("Content-Type", content_type.to_owned()),
            ("Host", host.to_owned()),
            ("X-TC-Action", action.to_owned()),
            ("X-TC-RequestClient", REQUEST_CLIENT.to_owned()),
            ("X-TC-Timestamp", timestamp),
            ("X-TC-Version", VERSION.to_owned()),
        ];
        if let Some(region) = &self.region {
            headers.push(("X-TC-Region", region.clone()));
        }
        if let Some(token) = &self.token {
            headers.push(("X-TC-Token", token.clone()));
        }
        headers.push(("Authorization", authorization));
        headers
    }

    fn key_of(&mut self, date: DateText) -> SigningKey {
        match &self.todays_key {
            Some((day, key)) if *day == date => key.clone(),
            _ => {
                let text = String::from_utf8_lossy(&date);
                let key = SigningKey::derive(&self.secret_key, &text, &self.service);
                self.todays_key = Some((date, key.clone()));
                key
            }
        }
    }
}

/// Shows no secrets.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("secret_id", &self.secret_id)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
