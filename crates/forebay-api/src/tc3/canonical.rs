//! The canonical request and the string to sign.

use sha2::{Digest, Sha256};

use super::UNSIGNED_PAYLOAD;
use super::signing_key::SigningKey;

/// A lower-hex SHA-256.
pub(super) type HexHash = [u8; 64];

/// The hash of the raw body bytes.
pub(super) fn hash_payload(body: &[u8]) -> HexHash {
    hex_hash(Sha256::new_with_prefix(body))
}

/// The hash that stands for a payload the client did not hash.
pub(super) fn hash_unsigned_payload() -> HexHash {
    hash_payload(UNSIGNED_PAYLOAD.as_bytes())
}

fn hex_hash(hash: Sha256) -> HexHash {
    let mut text = [0; 64];
    hex::encode_to_slice(hash.finalize(), &mut text).expect("64 digits of 32 bytes");
    text
}

/// The parts of a canonical request that do not change from one attempt to the next.
#[derive(Clone, Copy)]
pub(super) struct CanonicalRequest<'a> {
    pub(super) method: &'a str,
    pub(super) query: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) payload: &'a HexHash,
}

impl CanonicalRequest<'_> {
    /// The hash of the canonical request with these headers, in the order of `signed_headers`.
    ///
    /// The text is hashed piece by piece and never exists as a whole.
    pub(super) fn hash<'h>(
        &self,
        headers: impl Iterator<Item = (&'h str, impl AsRef<[u8]>)>,
    ) -> HexHash {
        let mut hash = Sha256::new_with_prefix(self.method);
        hash.update(b"\n/\n");
        hash.update(self.query);
        hash.update(b"\n");
        for (name, value) in headers {
            hash.update(name);
            hash.update(b":");
            hash.update(value);
            hash.update(b"\n");
        }
        hash.update(b"\n");
        hash.update(self.signed_headers);
        hash.update(b"\n");
        hash.update(self.payload);
        hex_hash(hash)
    }
}

/// Signs the string to sign. `scope` is `<date>/<service>/tc3_request`.
pub(super) fn signature(
    key: &SigningKey,
    timestamp: &[u8],
    scope: &str,
    request: &HexHash,
) -> [u8; 32] {
    key.sign(&[
        super::ALGORITHM.as_bytes(),
        b"\n",
        timestamp,
        b"\n",
        scope.as_bytes(),
        b"\n",
        request,
    ])
}
