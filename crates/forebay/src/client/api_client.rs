//! One call of the API: signed as the SDKs sign.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use forebay_api::Action;
use forebay_api::tc3::{RequestToSign, Signer};
use forebay_engine::clock::unix_millis;
use rustls::crypto::ring;
use serde_json::Value;
use ureq::Timeout;
use ureq::tls::{RootCerts, TlsConfig};

use super::endpoint::Endpoint;
use super::error::CallError;

/// From the start of a call to the end of its answer; the SDKs' default. Above
/// the service's longest deadline (50 s).
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// Until there is a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Above the largest answer there is: a record of 12 MiB, each byte of it
/// escaped as six characters.
const ANSWER_LIMIT: u64 = 128 << 20;

/// Calls one service as one caller. Clones share connections.
#[derive(Clone, Debug)]
pub(super) struct ApiClient {
    agent: ureq::Agent,
    endpoint: Endpoint,
    signer: Signer,
}

impl ApiClient {
    /// Keeps up to `connections` idle ones. Connects when called.
    /// `roots` is who may vouch for an `https` endpoint.
    pub(super) fn new(
        endpoint: Endpoint,
        roots: RootCerts,
        signer: Signer,
        connections: usize,
    ) -> Self {
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(roots)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            // A proxy meant for browsing cannot reach a service on loopback.
            .proxy(None)
            // A redirected POST would become another request.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_LIMIT))
            .timeout_global(Some(CALL_LIMIT))
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .build();
        Self {
            agent: config.new_agent(),
            endpoint,
            signer,
        }
    }

    /// `Response` of the answer. Blocks, at most 60 s. Sends once: nothing is
    /// tried again.
    ///
    /// # Errors
    /// See [`CallError`]; an answer that is the API's error is one.
    pub(super) fn call(&mut self, action: Action, body: &[u8]) -> Result<Value, CallError> {
        let headers = self.signer.sign(&RequestToSign {
            host: self.endpoint.host(),
            action: action.as_str(),
            body,
            timestamp: unix_millis() / 1000,
        });
        let mut request = self.agent.post(format!("{}/", self.endpoint));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut answer = request.send(body).map_err(|error| self.failure(&error))?;
        let status = answer.status();
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_LIMIT)
            .read_to_vec()
            .map_err(|error| self.no_answer(&error))?;
        if status != 200 {
            return Err(self.not_the_api(format!("HTTP status {status}")));
        }
        self.response(&bytes)
    }

    fn response(&self, bytes: &[u8]) -> Result<Value, CallError> {
        let mut answer: Value = serde_json::from_slice(bytes)
            .map_err(|error| self.not_the_api(format!("not JSON: {error}")))?;
        let response = answer
            .get_mut("Response")
            .filter(|response| response.is_object())
            .map(Value::take)
            .ok_or_else(|| self.not_the_api("JSON without Response".to_owned()))?;
        let Some(error) = response.get("Error") else {
            return Ok(response);
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Err(CallError::Refused {
            code: text(&error["Code"]),
            message: text(&error["Message"]),
            request_id: text(&response["RequestId"]),
        })
    }

    /// An answer in the API's envelope that lacks what it should have.
    pub(super) fn not_the_api(&self, reason: String) -> CallError {
        CallError::NotTheApi {
            endpoint: self.endpoint.clone(),
            reason,
        }
    }

    fn no_answer(&self, error: &ureq::Error) -> CallError {
        CallError::NoAnswer {
            endpoint: self.endpoint.clone(),
            reason: error.to_string(),
        }
    }

    /// *Not connected* and *not trusted* only where it is certain that nothing
    /// was sent.
    fn failure(&self, error: &ureq::Error) -> CallError {
        if let Some(reason) = bad_certificate(error) {
            return CallError::NotTrusted {
                endpoint: self.endpoint.clone(),
                reason,
            };
        }
        if is_other_protocol(error) {
            return self.not_the_api(error.to_string());
        }
        let before_connected = match error {
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
            ureq::Error::Timeout(limit) => matches!(limit, Timeout::Resolve | Timeout::Connect),
            // What connect(2) alone says; the others also come later.
            ureq::Error::Io(error) => {
                error.kind() == ErrorKind::ConnectionRefused || is_unknown_host(error)
            }
            _ => false,
        };
        if before_connected {
            return CallError::NotConnected {
                endpoint: self.endpoint.clone(),
                reason: match error {
                    ureq::Error::Io(error) => error.to_string(),
                    other => other.to_string(),
                },
            };
        }
        self.no_answer(error)
    }
}

/// The standard library has no kind for a failed look-up, only this text.
fn is_unknown_host(error: &std::io::Error) -> bool {
    error
        .to_string()
        .starts_with("failed to lookup address information")
}

/// Found during the handshake, before any request.
fn bad_certificate(error: &ureq::Error) -> Option<String> {
    let of_tls = of_tls(error)?;
    matches!(of_tls, rustls::Error::InvalidCertificate(_)).then(|| of_tls.to_string())
}

/// `http` where TLS is spoken, or the other way round: what came is neither.
fn is_other_protocol(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Protocol(_))
        || matches!(of_tls(error), Some(rustls::Error::InvalidMessage(_)))
}

fn of_tls(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}
