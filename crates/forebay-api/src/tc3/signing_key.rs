//! Signing keys, and a bounded cache of those that have proved right.

use std::collections::HashMap;
use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::TERMINATOR;

/// A key of one secret, date and service, as an HMAC state that has already taken it in.
#[derive(Clone)]
pub(super) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// `HMAC(HMAC(HMAC("TC3" + secret key, date), service), "tc3_request")`.
    pub(super) fn derive(secret_key: &str, date: &str, service: &str) -> Self {
        let mut first = Vec::with_capacity(3 + secret_key.len());
        first.extend_from_slice(b"TC3");
        first.extend_from_slice(secret_key.as_bytes());
        let dated = keyed(&first).sign(&[date.as_bytes()]);
        let serviced = keyed(&dated).sign(&[service.as_bytes()]);
        keyed(&keyed(&serviced).sign(&[TERMINATOR.as_bytes()]))
    }

    pub(super) fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn keyed(key: &[u8]) -> SigningKey {
    SigningKey(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
}

/// Signing keys that have verified a request, so that the next one costs one HMAC and not four.
///
/// Bounded, and filled only by [`Verifier::verify`](super::Verifier::verify) after a signature was
/// right, so that strangers can neither fill nor flush it. An entry remembers the secret key it was
/// made from: a changed key of the same id is noticed at once. One cache per worker, no locks.
pub struct SigningKeyCache {
    capacity: usize,
    /// By the whole Credential, `<SecretId>/<date>/<service>/tc3_request`.
    entries: HashMap<Box<str>, Entry>,
}

struct Entry {
    secret_key: Box<str>,
    date: Box<str>,
    key: SigningKey,
}

impl SigningKeyCache {
    /// A cache of at most `capacity` keys, about 0.5 KiB each.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: HashMap::new(),
        }
    }

    /// Forgets all keys.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Number of keys held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get(&self, credential: &str, secret_key: &str) -> Option<&SigningKey> {
        let entry = self.entries.get(credential)?;
        let same: bool = entry
            .secret_key
            .as_bytes()
            .ct_eq(secret_key.as_bytes())
            .into();
        same.then_some(&entry.key)
    }

    /// Keeps a key that was right. A full cache first lets go of other dates, then of everything:
    /// only someone with a valid secret can bring that about, and it costs no more than the keys'
    /// being derived again.
    pub(super) fn keep(&mut self, credential: &str, secret_key: &str, date: &str, key: SigningKey) {
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() >= self.capacity && !self.entries.contains_key(credential) {
            self.entries.retain(|_, entry| &*entry.date == date);
            if self.entries.len() >= self.capacity {
                self.entries.clear();
            }
        }
        let entry = Entry {
            secret_key: secret_key.into(),
            date: date.into(),
            key,
        };
        self.entries.insert(credential.into(), entry);
    }
}

impl Default for SigningKeyCache {
    fn default() -> Self {
        Self::new(1024)
    }
}

/// Shows no keys.
impl fmt::Debug for SigningKeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyCache")
            .field("capacity", &self.capacity)
            .field("len", &self.entries.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(cache: &mut SigningKeyCache, id: &str, date: &str, secret: &str) {
        let key = SigningKey::derive(secret, date, "s");
        cache.keep(&format!("{id}/{date}/s/tc3_request"), secret, date, key);
    }

    #[test]
    fn bounded_and_old_dates_go_first() {
        let mut cache = SigningKeyCache::new(3);
        keep(&mut cache, "a", "2026-11-22", "k");
        keep(&mut cache, "b", "2026-11-22", "k");
        keep(&mut cache, "a", "2026-11-23", "k");
        keep(&mut cache, "b", "2026-11-23", "k");
        assert_eq!(cache.len(), 2);
        assert!(cache.get("a/2026-11-23/s/tc3_request", "k").is_some());
        assert!(cache.get("a/2026-11-22/s/tc3_request", "k").is_none());
        for id in 0..100 {
            keep(&mut cache, &id.to_string(), "2026-11-23", "k");
            assert!(cache.len() <= 3);
        }
    }

    #[test]
    fn a_changed_secret_is_a_miss() {
        let mut cache = SigningKeyCache::default();
        keep(&mut cache, "a", "2026-11-23", "old");
        assert!(cache.get("a/2026-11-23/s/tc3_request", "old").is_some());
        assert!(cache.get("a/2026-11-23/s/tc3_request", "new").is_none());
        keep(&mut cache, "a", "2026-11-23", "new");
        assert_eq!(cache.len(), 1);
        assert!(cache.get("a/2026-11-23/s/tc3_request", "new").is_some());
    }

    #[test]
    fn capacity_zero_keeps_nothing() {
        let mut cache = SigningKeyCache::new(0);
        keep(&mut cache, "a", "2026-11-23", "k");
        assert!(cache.is_empty());
    }

    #[test]
    fn debug_shows_no_keys() {
        let mut cache = SigningKeyCache::default();
        keep(&mut cache, "AKIDx", "2026-11-23", "topsecret");
        let text = format!("{cache:?}");
        assert!(
            !text.contains("topsecret") && text.contains("len: 1"),
            "{text}"
        );
    }
}
