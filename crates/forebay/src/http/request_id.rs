//! Request ids: UUIDs of version 4 (RFC 9562 §5.4), made without locks.

use std::cell::Cell;

/// One worker's generator. Request ids have to be distinct, not secret, so a
/// random start and splitmix64 do (Steele, Lea, Flood: "Fast splittable
/// pseudorandom number generators", 2014).
pub(crate) struct RequestIds(Cell<u64>, u64);

impl RequestIds {
    /// Starts at random: two workers or replicas never share a sequence.
    pub(crate) fn new() -> Self {
        let seed = || {
            getrandom::u64().unwrap_or_else(|_| {
                // No entropy: the address of a fresh allocation and the time.
                let here = Box::new(0_u8);
                (std::ptr::from_ref(&*here) as u64) ^ forebay_engine::clock::unix_millis() as u64
            })
        };
        Self(Cell::new(seed()), seed() | 1)
    }

    /// The next id, 36 characters.
    pub(crate) fn next(&self) -> RequestId {
        let high = self.random();
        let low = self.random();
        let mut bytes = [0_u8; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        RequestId(text(&bytes))
    }

    fn random(&self) -> u64 {
        let state = self.0.get().wrapping_add(self.1);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// An id as text, without an allocation.
#[derive(Clone, Copy)]
pub(crate) struct RequestId([u8; 36]);

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits and hyphens are UTF-8")
    }
}

fn text(bytes: &[u8; 16]) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut out = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        out[at] = HEX[usize::from(byte >> 4)];
        out[at + 1] = HEX[usize::from(byte & 0x0f)];
        at += 2;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_distinct_and_of_version_4() {
        let (one, other) = (RequestIds::new(), RequestIds::new());
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            for ids in [&one, &other] {
                let id = ids.next();
                let text = id.as_str();
                assert_eq!(text.len(), 36);
                assert_eq!(
                    text.split('-').map(str::len).collect::<Vec<_>>(),
                    [8, 4, 4, 4, 12]
                );
                assert_eq!(&text[14..15], "4");
                assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"));
                assert!(seen.insert(text.to_owned()));
            }
        }
    }
}
