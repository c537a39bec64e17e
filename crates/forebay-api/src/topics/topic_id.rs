//! The API's ids of topics.

use sha2::{Digest as _, Sha256};

const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// `topic-` and 8 of `[a-z0-9]`: the same for the same instance and name at every replica, also
/// for topics that others made. Nothing takes it in place of a name.
pub fn topic_id(instance: &str, name: &str) -> String {
    // Neither has a slash where it matters: names of topics have none at all.
    let hash = Sha256::digest(format!("{instance}/{name}"));
    let digits = hash.iter().take(8);
    let digits = digits.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
    "topic-".chars().chain(digits).collect()
}
