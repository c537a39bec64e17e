//! Signature v1, HmacSHA1 and HmacSHA256: verifying and signing.
//!
//! All parameters, the common ones too (Action, Version, SecretId, Timestamp, Nonce,
//! SignatureMethod, Token), stand in the query of a GET or in the form of a POST. What is signed is
//!
//! ```text
//! <METHOD><host>/?<name>=<value>&<name>=<value>…
//! ```
//!
//! with every parameter but Signature in the byte order of the names, decoded. As the SDKs really
//! do it:
//!
//! - The host is the Host header verbatim; Node signs its endpoint's text, of which a default port
//!   does not reach the header. Each form is accepted.
//! - SignatureMethod may be absent, which is HmacSHA1.
//! - Values are joined undecorated, so a value may contain what looks like another parameter, and
//!   the signature cannot tell the two requests apart. That is the scheme's weakness, not one that
//!   a server can mend: prefer TC3-HMAC-SHA256, and TLS. What a server can do is to take no host
//!   with `?` and no name with `&` or `=`, so that at least action and host stay what they were.
//! - Nonce keeps two requests apart and is not remembered: okhttp resends a request by itself with
//!   its Nonce, so refusing the second would refuse legitimate calls.

mod sign;
mod string_to_sign;
mod verify;

pub use sign::{Signer, ToSign};
pub use verify::{Verified, Verifier};

/// The hash of the HMAC, which SignatureMethod names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureMethod {
    /// `HmacSHA1`, also where SignatureMethod is absent.
    HmacSha1,
    /// `HmacSHA256`.
    HmacSha256,
}

impl SignatureMethod {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HmacSHA1",
            Self::HmacSha256 => "HmacSHA256",
        }
    }

    /// The method of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::HmacSha1, Self::HmacSha256];
        all.into_iter().find(|method| method.as_str() == name)
    }
}
