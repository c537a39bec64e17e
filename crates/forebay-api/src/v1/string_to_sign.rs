//! What is signed, handed to the HMAC piece by piece.

use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::SignatureMethod;
use crate::flattened::Flattened;

/// The parts of a string to sign that do not change from one form of the host to the next.
#[derive(Clone, Copy)]
pub(super) struct StringToSign<'a> {
    /// `POST` or `GET`.
    pub(super) http_method: &'a str,
    pub(super) parameters: &'a Flattened<'a>,
}

impl StringToSign<'_> {
    /// The raw signature, before base64: 20 or 32 bytes.
    pub(super) fn sign(&self, host: &[u8], method: SignatureMethod, secret_key: &str) -> Vec<u8> {
        match method {
            SignatureMethod::HmacSha1 => self.hmac::<Hmac<Sha1>>(host, secret_key),
            SignatureMethod::HmacSha256 => self.hmac::<Hmac<Sha256>>(host, secret_key),
        }
    }

    fn hmac<M: Mac + hmac::digest::KeyInit>(&self, host: &[u8], secret_key: &str) -> Vec<u8> {
        let key = secret_key.as_bytes();
        let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
        for piece in [self.http_method.as_bytes(), host, b"/"] {
            mac.update(piece);
        }
        let mut separator: &[u8] = b"?";
        for (name, value) in self.parameters.iter() {
            if name == b"Signature" {
                continue;
            }
            for piece in [separator, name, b"=", value] {
                mac.update(piece);
            }
            separator = b"&";
        }
        mac.finalize().into_bytes().to_vec()
    }
}
