//! Verification of signature v1.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::SignatureMethod;
use super::string_to_sign::StringToSign;
use crate::echo::clipped;
use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::Flattened;
use crate::tc3::{
    Credential, HeaderValue, check_skew, check_token, host_forms, invalid_authorization,
    parse_seconds, without_port,
};

/// The rules of verification.
#[derive(Clone, Copy, Debug)]
pub struct Verifier {
    /// Distance allowed between Timestamp and our clock, both ways, in seconds.
    pub skew_seconds: u64,
}

/// A request whose signature was right.
#[derive(Debug)]
pub struct Verified<C> {
    /// What `lookup` gave for its SecretId.
    pub credential: C,
    /// Our clock minus the request's Timestamp, in seconds.
    pub skew_seconds: i64,
}

impl Verifier {
    /// Verifies a request: `http_method` is `POST` with the parameters of its form or `GET` with
    /// those of its query, `host` its Host header or `:authority`.
    ///
    /// # Errors
    ///
    /// In this order: `AuthFailure.InvalidAuthorization` (no or malformed Signature, SecretId or
    /// Timestamp, one of them or SignatureMethod or Token repeated, another SignatureMethod, not
    /// one Host, a Host with `?`, a name with `&` or `=`), `.SignatureExpire`, `.SecretIdNotFound`, `.SignatureFailure`, `.TokenFailure`.
    pub fn verify<C: Credential>(
        &self,
        http_method: &str,
        host: HeaderValue<'_>,
        parameters: &Flattened<'_>,
        now_unix_seconds: i64,
        lookup: impl FnOnce(&str) -> Option<C>,
    ) -> Result<Verified<C>, ApiError> {
        let claim = Claim::read(http_method, host, parameters)?;
        let skew_seconds = check_skew(
            "Timestamp",
            claim.timestamp,
            now_unix_seconds,
            self.skew_seconds,
        )?;
        let Some(credential) = lookup(claim.secret_id) else {
            // An unknown id costs what a known one costs.
            std::hint::black_box(claim.is_right("no such secret id"));
            return Err(ApiError::new(
                ErrorCode::AuthFailureSecretIdNotFound,
                format!("no such SecretId: [{}]", clipped(claim.secret_id)),
            ));
        };
        if !claim.is_right(credential.secret_key()) {
            return Err(ApiError::new(
                ErrorCode::AuthFailureSignatureFailure,
                WRONG_SIGNATURE,
            ));
        }
        check_token("Token", credential.token(), claim.token)?;
        Ok(Verified {
            credential,
            skew_seconds,
        })
    }
}

/// What Node leaves out of its Host header and signs nevertheless.
const DEFAULT_PORTS: [&[u8]; 2] = [b":80", b":443"];

const WRONG_SIGNATURE: &str = "the signature does not match: check the secret key, that the parameters are signed decoded and in the byte order of their names, and that nothing on the way changes Host or a parameter";

/// A request's claim to be signed, well formed.
struct Claim<'a> {
    to_sign: StringToSign<'a>,
    host: &'a [u8],
    secret_id: &'a str,
    timestamp: i64,
    token: Option<&'a [u8]>,
    method: SignatureMethod,
    signature: Vec<u8>,
}

impl<'a> Claim<'a> {
    fn read(
        http_method: &'a str,
        host: HeaderValue<'a>,
        parameters: &'a Flattened<'a>,
    ) -> Result<Self, ApiError> {
        let signature = single(parameters, "Signature")?.ok_or_else(|| {
            invalid_authorization("there is neither an Authorization header nor a Signature")
        })?;
        let signature = STANDARD.decode(signature).map_err(|_| {
            invalid_authorization("Signature: expected base64, percent-encoded in query and form")
        })?;
        let method = match single(parameters, "SignatureMethod")? {
            None => SignatureMethod::HmacSha1,
            Some(name) => std::str::from_utf8(name)
                .ok()
                .and_then(SignatureMethod::from_name)
                .ok_or_else(|| {
                    invalid_authorization("SignatureMethod: expected HmacSHA1 or HmacSHA256")
                })?,
        };
        let secret_id = single(parameters, "SecretId")?
            .and_then(|id| std::str::from_utf8(id).ok())
            .filter(|id| !id.is_empty())
            .ok_or_else(|| invalid_authorization("SecretId: expected an id"))?;
        let timestamp = single(parameters, "Timestamp")?
            .and_then(parse_seconds)
            .ok_or_else(|| {
                invalid_authorization("Timestamp: expected Unix seconds as a decimal number")
            })?;
        let token = single(parameters, "Token")?;
        let host = host
            .single()
            .ok_or_else(|| invalid_authorization("expected one Host header"))?;
        check_unambiguous(host, parameters)?;
        Ok(Self {
            to_sign: StringToSign {
                http_method,
                parameters,
            },
            host,
            secret_id,
            timestamp,
            token,
            method,
            signature,
        })
    }

    /// Whether the signature is this key's over any form of the host.
    fn is_right(&self, secret_key: &str) -> bool {
        // Each form hashes all parameters again: only such as a client may have signed.
        let default_ports = match without_port(self.host) {
            Some(_) => [].iter(),
            None => DEFAULT_PORTS.iter(),
        };
        let default_ports = default_ports.map(|port| Cow::Owned([self.host, port].concat()));
        host_forms(self.host).chain(default_ports).any(|host| {
            let computed = self.to_sign.sign(&host, self.method, secret_key);
            computed.ct_eq(&self.signature).into()
        })
    }
}

/// Refuses what would let one signature stand for other requests than the one that was signed.
///
/// With a `?` in the host, whoever saw a request could move all before some `/?` inside a message
/// into the Host header, and make an action of what follows. With `&` or `=` in names, other
/// parameters could be hidden in a name that nobody asks for. No client sends either. Values have
/// to hold anything, so what they allow is left; see the module.
fn check_unambiguous(host: &[u8], parameters: &Flattened<'_>) -> Result<(), ApiError> {
    if host.contains(&b'?') {
        return Err(invalid_authorization("Host: expected no [?] in it"));
    }
    let is_separator = |byte: &u8| matches!(byte, b'&' | b'=');
    match parameters
        .iter()
        .find(|(name, _)| name.iter().any(is_separator))
    {
        None => Ok(()),
        Some((name, _)) => Err(invalid_authorization(format!(
            "{}: expected a parameter's name without [&] and [=]",
            clipped(&String::from_utf8_lossy(name))
        ))),
    }
}

/// The value of a parameter that says who signed: there at most once, or it is anybody's guess
/// which one was meant.
fn single<'p>(parameters: &'p Flattened<'_>, name: &str) -> Result<Option<&'p [u8]>, ApiError> {
    let mut values = parameters.all(name);
    match (values.next(), values.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(invalid_authorization(format!(
            "{name} is there more than once"
        ))),
    }
}
