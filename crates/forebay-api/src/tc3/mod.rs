//! TC3-HMAC-SHA256, the signature all genuine SDKs use by default: verifying and signing.
//!
//! The scheme as the SDKs really do it, where that differs from the vendor's text:
//!
//! - The service comes from the credential scope. With an overridden endpoint Java and Node put
//!   there whatever stands before the first dot, even `localhost:8080`.
//! - Header values are signed as sent; hand-written clients lower-case them, as the text asks. Both
//!   are accepted.
//! - Node signs the host without its port, the others verbatim. Both are accepted, and lower-cased.
//! - A GET signs exactly the raw bytes after `?`; every SDK encodes and orders them differently.
//! - There is no nonce, and equal requests of one second are equal to the byte: a signature is no
//!   key against replays or duplicates.

mod authorization;
mod canonical;
mod headers;
mod host_forms;
mod sign;
mod signed_headers;
mod signing_key;
mod verify;

pub(crate) use authorization::invalid_authorization;
pub use headers::{HeaderValue, Headers, RequestHead};
pub(crate) use host_forms::{host_forms, without_port};
pub use sign::{GetToSign, RequestToSign, Signer};
pub use signing_key::SigningKeyCache;
pub use verify::{Credential, SecretRef, Verified, Verifier};
pub(crate) use verify::{check_skew, check_token, parse_seconds};

/// Name of the algorithm, the first word of Authorization and of the string to sign.
const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// Last part of every credential scope.
const TERMINATOR: &str = "tc3_request";

/// Stands for the payload where a client does not hash it, in the header
/// `X-TC-Content-SHA256` and in the canonical request.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
