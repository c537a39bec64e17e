//! Signing by v1, as the Python SDK does it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SignatureMethod;
use super::string_to_sign::StringToSign;
use crate::action::VERSION;
use crate::error_code::ApiError;
use crate::flattened::{Flattened, encode};

/// Signs a client's requests by signature v1.
#[derive(Clone)]
pub struct Signer {
    secret_id: String,
    secret_key: String,
    token: Option<String>,
    method: SignatureMethod,
}

/// What differs from request to request.
#[derive(Clone, Copy, Debug)]
pub struct ToSign<'a> {
    /// `POST` or `GET`.
    pub http_method: &'a str,
    /// The Host header as it will be sent, with its port.
    pub host: &'a str,
    /// Name of the action.
    pub action: &'a str,
    /// The action's parameters, flattened; none of the common ones.
    pub parameters: &'a [(String, String)],
    /// The present time in Unix seconds.
    pub timestamp: i64,
    /// Any number, another one for each request.
    pub nonce: u64,
}

impl Signer {
    /// A signer without token.
    pub fn new(
        secret_id: impl Into<String>,
        secret_key: impl Into<String>,
        method: SignatureMethod,
    ) -> Self {
        Self {
            secret_id: secret_id.into(),
            secret_key: secret_key.into(),
            token: None,
            method,
        }
    }

    /// Sends this token as `Token`.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The signed request's query or form, Signature included.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValue` for more parameters than a request may have.
    pub fn sign(&self, request: &ToSign<'_>) -> Result<String, ApiError> {
        let (timestamp, nonce) = (request.timestamp.to_string(), request.nonce.to_string());
        let mut common = vec![
            ("Action", request.action),
            ("Nonce", &nonce),
            ("SecretId", &self.secret_id),
            ("SignatureMethod", self.method.as_str()),
            ("Timestamp", &timestamp),
            ("Version", VERSION),
        ];
        common.extend(self.token.as_deref().map(|token| ("Token", token)));
        let own = request.parameters.iter();
        let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
        let encoded = encode(own.chain(common));
        let signature = StringToSign {
            http_method: request.http_method,
            parameters: &Flattened::decode(encoded.as_bytes())?,
        }
        .sign(request.host.as_bytes(), self.method, &self.secret_key);
        let signature = encode([("Signature", STANDARD.encode(signature).as_str())]);
        Ok(format!("{encoded}&{signature}"))
    }
}

/// Shows no secrets.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("secret_id", &self.secret_id)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secrets() {
        let signer = Signer::new("AKIDx", "topsecret", SignatureMethod::HmacSha1);
        let shown = format!("{:?}", signer.with_token("alsosecret"));
        assert!(
            shown.contains("AKIDx")
                && !shown.contains("topsecret")
                && !shown.contains("alsosecret"),
            "{shown}"
        );
    }
}
