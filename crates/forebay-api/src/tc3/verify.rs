//! Verification of a request's signature.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::UNSIGNED_PAYLOAD;
use super::authorization::{Authorization, invalid_authorization};
use super::canonical::{CanonicalRequest, hash_payload, hash_unsigned_payload, signature};
use super::headers::{HeaderValue, Headers, RequestHead};
use super::signed_headers::SignedHeaderValues;
use super::signing_key::{SigningKey, SigningKeyCache};
use crate::echo::clipped;
use crate::error_code::{ApiError, ErrorCode};
use crate::limits::DEFAULT_CLOCK_SKEW_SECONDS;
use crate::utc_time::utc_date;

/// A credential as verification needs it.
pub trait Credential {
    /// The secret key.
    fn secret_key(&self) -> &str;
    /// The token that `X-TC-Token` must equal. Without one, whatever a request sends is ignored.
    fn token(&self) -> Option<&str>;
}

impl<C: Credential + ?Sized> Credential for &C {
    fn secret_key(&self) -> &str {
        (**self).secret_key()
    }

    fn token(&self) -> Option<&str> {
        (**self).token()
    }
}

impl<C: Credential + ?Sized> Credential for Arc<C> {
    fn secret_key(&self) -> &str {
        self.deref().secret_key()
    }

    fn token(&self) -> Option<&str> {
        self.deref().token()
    }
}

/// The plainest credential.
#[derive(Clone, Copy)]
pub struct SecretRef<'a> {
    /// The secret key.
    pub secret_key: &'a str,
    /// The token, if the credential has one.
    pub token: Option<&'a str>,
}

impl Credential for SecretRef<'_> {
    fn secret_key(&self) -> &str {
        self.secret_key
    }

    fn token(&self) -> Option<&str> {
        self.token
    }
}

/// Shows no secrets.
impl fmt::Debug for SecretRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretRef").finish_non_exhaustive()
    }
}

/// A request whose signature was right.
#[derive(Debug)]
pub struct Verified<'a, C> {
    /// The id the request was signed with.
    pub secret_id: &'a str,
    /// What `lookup` gave for it.
    pub credential: C,
    /// The request's own time, in Unix seconds.
    pub timestamp: i64,
    /// Our clock minus the request's, in seconds.
    pub skew_seconds: i64,
}

/// The rules of verification.
#[derive(Clone, Copy, Debug)]
pub struct Verifier {
    /// Distance allowed between a request's timestamp and our clock, both ways, in seconds.
    pub skew_seconds: u64,
    /// Whether a request may leave its body unsigned (`X-TC-Content-SHA256: UNSIGNED-PAYLOAD`).
    pub allow_unsigned_payload: bool,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            skew_seconds: DEFAULT_CLOCK_SKEW_SECONDS,
            allow_unsigned_payload: false,
        }
    }
}

impl Verifier {
    /// Verifies a request over its raw body bytes.
    ///
    /// # Errors
    ///
    /// In this order: `AuthFailure.InvalidAuthorization` (no, malformed or `SKIP` Authorization,
    /// no usable `X-TC-Timestamp`, a signed header that is absent or repeated, host or on POST
    /// content-type not signed), `.SignatureExpire`, `.SignatureFailure` (the scope's date),
    /// `.SecretIdNotFound`, `.SignatureFailure`, `.TokenFailure`.
    pub fn verify<'a, H: Headers + ?Sized, C: Credential>(
        &self,
        head: &RequestHead<'a, H>,
        body: &[u8],
        now_unix_seconds: i64,
        lookup: impl FnOnce(&str) -> Option<C>,
        cache: &mut SigningKeyCache,
    ) -> Result<Verified<'a, C>, ApiError> {
        let claim = self.read_claim(head, now_unix_seconds)?;
        let authorization = &claim.authorization;
        let payload = if self.is_unsigned(head)? {
            hash_unsigned_payload()
        } else {
            hash_payload(body)
        };
        let request = CanonicalRequest {
            method: head.method,
            query: head.query,
            signed_headers: authorization.signed_headers,
            payload: &payload,
        };
        let Some(credential) = lookup(authorization.secret_id) else {
            // An unknown id costs what a known one costs.
            let key = authorization.derive_key("no such secret id");
            std::hint::black_box(claim.is_right(&request, &key));
            return Err(ApiError::new(
                ErrorCode::AuthFailureSecretIdNotFound,
                format!("no such SecretId: [{}]", clipped(authorization.secret_id)),
            ));
        };
        let secret_key = credential.secret_key();
        let is_right = match cache.get(authorization.credential, secret_key) {
            Some(key) => claim.is_right(&request, key),
            None => {
                let key = authorization.derive_key(secret_key);
                let is_right = claim.is_right(&request, &key);
                if is_right {
                    cache.keep(
                        authorization.credential,
                        secret_key,
                        authorization.date,
                        key,
                    );
                }
                is_right
            }
        };
        if !is_right {
            return Err(signature_failure(WRONG_SIGNATURE));
        }
        let token = head.headers.get("x-tc-token");
        check_token("X-TC-Token", credential.token(), token.single())?;
        Ok(Verified {
            secret_id: authorization.secret_id,
            credential,
            timestamp: claim.timestamp,
            skew_seconds: claim.skew_seconds,
        })
    }

    /// Everything that can be refused without a key.
    fn read_claim<'a, H: Headers + ?Sized>(
        &self,
        head: &RequestHead<'a, H>,
        now: i64,
    ) -> Result<Claim<'a>, ApiError> {
        let authorization = Authorization::parse(head.headers.get("authorization"))?;
        let headers = SignedHeaderValues::collect(head, authorization.signed_headers)?;
        let (timestamp_text, timestamp) = parse_timestamp(head.headers.get("x-tc-timestamp"))?;
        let skew_seconds = check_skew("X-TC-Timestamp", timestamp, now, self.skew_seconds)?;
        check_scope_date(authorization.date, timestamp)?;
        Ok(Claim {
            authorization,
            headers,
            timestamp_text,
            timestamp,
            skew_seconds,
        })
    }

    fn is_unsigned<H: Headers + ?Sized>(
        &self,
        head: &RequestHead<'_, H>,
    ) -> Result<bool, ApiError> {
        // Any other value says nothing: the body itself is hashed.
        let value = head.headers.get("x-tc-content-sha256").single();
        if value != Some(UNSIGNED_PAYLOAD.as_bytes()) {
            return Ok(false);
        }
        if self.allow_unsigned_payload {
            return Ok(true);
        }
        Err(signature_failure(
            "UNSIGNED-PAYLOAD is not allowed by this server: let the client sign its body",
        ))
    }
}

/// A request's claim to be signed, well formed and in time.
struct Claim<'a> {
    authorization: Authorization<'a>,
    headers: SignedHeaderValues<'a>,
    timestamp_text: &'a [u8],
    timestamp: i64,
    skew_seconds: i64,
}

impl Claim<'_> {
    /// Whether the signature is this key's over any form of the request.
    fn is_right(&self, request: &CanonicalRequest<'_>, key: &SigningKey) -> bool {
        let scope = self.authorization.scope();
        self.headers.any_form(|values| {
            let hash = request.hash(values);
            let computed = signature(key, self.timestamp_text, scope, &hash);
            computed.ct_eq(&self.authorization.signature).into()
        })
    }
}

const WRONG_SIGNATURE: &str = "the signature does not match: check the secret key, and that nothing on the way changes Host, Content-Type, query or body";

fn signature_failure(message: &'static str) -> ApiError {
    ApiError::new(ErrorCode::AuthFailureSignatureFailure, message)
}

/// The timestamp as it stands in the string to sign, and as a number.
fn parse_timestamp(header: HeaderValue<'_>) -> Result<(&[u8], i64), ApiError> {
    let text = header
        .single()
        .ok_or_else(|| invalid_authorization("expected one X-TC-Timestamp header"))?;
    parse_seconds(text)
        .map(|timestamp| (text, timestamp))
        .ok_or_else(|| {
            invalid_authorization("X-TC-Timestamp: expected Unix seconds as a decimal number")
        })
}

/// Unix seconds: digits and nothing else.
pub(crate) fn parse_seconds(text: &[u8]) -> Option<i64> {
    let is_plain = text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_plain);
    text.and_then(|digits| digits.parse().ok())
}

/// Our clock minus the request's, in seconds, if that is at most `allowed` both ways. `field` is
/// where the request says its time.
pub(crate) fn check_skew(
    field: &str,
    timestamp: i64,
    now: i64,
    allowed: u64,
) -> Result<i64, ApiError> {
    let skew = now.saturating_sub(timestamp);
    if skew.unsigned_abs() <= allowed {
        return Ok(skew);
    }
    let direction = if skew > 0 { "behind" } else { "ahead of" };
    Err(ApiError::new(
        ErrorCode::AuthFailureSignatureExpire,
        format!(
            "{field} is {} s {direction} the server's clock, {allowed} s are allowed",
            skew.unsigned_abs(),
        ),
    ))
}

fn check_scope_date(date: &str, timestamp: i64) -> Result<(), ApiError> {
    if date.as_bytes() == utc_date(timestamp) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::AuthFailureSignatureFailure,
        format!(
            "the credential scope's date is [{}], X-TC-Timestamp is of {} UTC",
            clipped(date),
            String::from_utf8_lossy(&utc_date(timestamp))
        ),
    ))
}

/// Compares in constant time. `field` is where the request gives its token.
pub(crate) fn check_token(
    field: &str,
    expected: Option<&str>,
    given: Option<&[u8]>,
) -> Result<(), ApiError> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let given = given.unwrap_or_default();
    if expected.as_bytes().ct_eq(given).into() {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::AuthFailureTokenFailure,
        format!("{field} is missing or is not the credential's token"),
    ))
}
