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
    pub(super) fn hash<'h>(
        &self,
        headers: impl Iterator<Item = (&'h str, impl AsRef<[u8]>)>,
    ) -> HexHash {
        let mut text = Text::default();
        text.push(self.method.as_bytes());
        text.push(b"\n/\n");
        text.push(self.query.as_bytes());
        text.push(b"\n");
        for (name, value) in headers {
            text.push(name.as_bytes());
            text.push(b":");
            text.push(value.as_ref());
            text.push(b"\n");
        }
        text.push(b"\n");
        text.push(self.signed_headers.as_bytes());
        text.push(b"\n");
        text.push(self.payload);
        hex_hash(text.finish())
    }
}

/// A text that is hashed as it grows. Its many short pieces are gathered first:
/// each one given to the hash by itself costs more than its hashing.
struct Text {
    hash: Sha256,
    gathered: [u8; 256],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            hash: Sha256::new(),
            gathered: [0; 256],
            len: 0,
        }
    }
}

impl Text {
    fn push(&mut self, piece: &[u8]) {
        if self.gathered.len() - self.len < piece.len() {
            self.hash.update(&self.gathered[..self.len]);
            self.len = 0;
        }
        match self.gathered.get_mut(self.len..self.len + piece.len()) {
            Some(room) => {
                room.copy_from_slice(piece);
                self.len += piece.len();
            }
            None => self.hash.update(piece),
        }
    }

    fn finish(mut self) -> Sha256 {
        self.hash.update(&self.gathered[..self.len]);
        self.hash
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
