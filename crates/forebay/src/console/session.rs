//! Who is signed in: sessions, in memory, bounded in number and in time.
//!
//! A session is known by 256 random bits, of which only the hash is kept. It
//! ends with its credential: it holds no right of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_api::tc3::Credential as _;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::random_token::random_token;
use crate::credentials::{Credential, CredentialStore};

/// Sessions at once, of all credentials.
const MAX_SESSIONS: usize = 1000;

type Hash = [u8; 32];

/// How long sessions live.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionRules {
    /// Without a sign of the person.
    pub(super) idle: Duration,
    /// In any case.
    pub(super) max: Duration,
}

struct Session {
    secret_id: String,
    /// Of the secrets that it was begun with.
    secrets: Hash,
    csrf: String,
    began: Instant,
    used: Instant,
}

/// All sessions of a replica.
pub(super) struct Sessions {
    rules: SessionRules,
    by_id: Mutex<HashMap<Hash, Session>>,
}

/// A session that has just begun.
pub(super) struct Begun {
    /// For the cookie; nobody else learns it.
    pub(super) id: String,
}

/// A session that holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) secret_id: String,
    pub(super) credential: Arc<Credential>,
    /// What every change has to bring along.
    pub(super) csrf: String,
}

impl Sessions {
    pub(super) fn new(rules: SessionRules) -> Self {
        Self {
            rules,
            by_id: Mutex::default(),
        }
    }

    /// How long a cookie is worth keeping.
    pub(super) fn max_age(&self) -> Duration {
        self.rules.max
    }

    /// Begins one for whoever has proved to own the credential.
    pub(super) fn begin(&self, secret_id: &str, credential: &Credential, now: Instant) -> Begun {
        let id = random_token();
        let session = Session {
            secret_id: secret_id.to_owned(),
            secrets: secrets(credential),
            csrf: random_token(),
            began: now,
            used: now,
        };
        let mut by_id = self.by_id.lock();
        if by_id.len() >= MAX_SESSIONS {
            by_id.retain(|_, session| self.is_young(session, now));
        }
        if by_id.len() >= MAX_SESSIONS {
            let oldest = by_id.iter().min_by_key(|(_, session)| session.used);
            let oldest = oldest.map(|(hash, _)| *hash);
            oldest.and_then(|hash| by_id.remove(&hash));
        }
        by_id.insert(hash(&id), session);
        Begun { id }
    }

    /// The session of that id, unless it has ended: by time, or because its
    /// credential is gone or has other secrets now. `active` says that the
    /// person did something, which puts off its end.
    pub(super) fn find(
        &self,
        id: &str,
        active: bool,
        credentials: &CredentialStore,
        now: Instant,
    ) -> Option<Held> {
        let mut by_id = self.by_id.lock();
        let hash = hash(id);
        let session = by_id.get_mut(&hash)?;
        let credential = credentials
            .get(&session.secret_id)
            .filter(|credential| bool::from(secrets(credential).ct_eq(&session.secrets)))
            .filter(|_| self.is_young(session, now));
        let Some(credential) = credential else {
            by_id.remove(&hash);
            return None;
        };
        if active {
            session.used = now;
        }
        Some(Held {
            secret_id: session.secret_id.clone(),
            credential,
            csrf: session.csrf.clone(),
        })
    }

    pub(super) fn end(&self, id: &str) {
        self.by_id.lock().remove(&hash(id));
    }

    fn is_young(&self, session: &Session, now: Instant) -> bool {
        now.saturating_duration_since(session.used) < self.rules.idle
            && now.saturating_duration_since(session.began) < self.rules.max
    }
}

/// Whether these are the credential's secrets, in a time that tells nothing
/// about how much of them is right, or whether there is such a credential.
pub(super) fn proves(
    credential: Option<&Credential>,
    secret_key: &str,
    token: Option<&str>,
) -> bool {
    let given = hash_secrets(secret_key, token);
    let expected = credential.map_or_else(|| hash_secrets("", None), secrets);
    bool::from(given.ct_eq(&expected)) && credential.is_some()
}

fn secrets(credential: &Credential) -> Hash {
    hash_secrets(credential.secret_key(), credential.token())
}

fn hash_secrets(secret_key: &str, token: Option<&str>) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update((secret_key.len() as u64).to_be_bytes());
    hasher.update(secret_key);
    hasher.update(token.unwrap_or(""));
    hasher.finalize().into()
}

pub(super) fn hash(token: &str) -> Hash {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: SessionRules = SessionRules {
        idle: Duration::from_secs(60),
        max: Duration::from_secs(600),
    };

    fn store(text: &str) -> (tempfile::TempDir, CredentialStore) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        std::fs::write(&path, text).unwrap();
        let store = CredentialStore::open(&path, false).unwrap();
        (folder, store)
    }

    fn credential(key: &str) -> String {
        format!("[[credential]]\nsecret_id = \"a\"\nsecret_key = \"{key}\"\n")
    }

    #[test]
    fn idle_and_old_sessions_end() {
        let (_folder, store) = store(&credential("k"));
        let sessions = Sessions::new(RULES);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let own = store.get("a").unwrap();
        let id = sessions.begin("a", &own, start).id;
        let held = sessions.find(&id, true, &store, at(59)).unwrap();
        assert_eq!((held.secret_id.as_str(), held.csrf.len()), ("a", 43));
        assert!(sessions.find(&id, false, &store, at(118)).is_some());
        assert!(sessions.find(&id, true, &store, at(119)).is_none());
        let id = sessions.begin("a", &own, start).id;
        for second in (0..600).step_by(30) {
            assert!(sessions.find(&id, true, &store, at(second)).is_some());
        }
        assert!(sessions.find(&id, true, &store, at(600)).is_none());
        let id = sessions.begin("a", &own, start).id;
        assert!(sessions.find("another", true, &store, start).is_none());
        sessions.end(&id);
        assert!(sessions.find(&id, true, &store, start).is_none());
    }

    #[test]
    fn a_session_ends_with_its_credential_and_with_its_key() {
        let (folder, store) = store(&credential("k"));
        let path = folder.path().join("credentials.toml");
        for changed in [
            credential("other"),
            credential("k").replace("\"a\"", "\"b\""),
        ] {
            std::fs::write(&path, credential("k")).unwrap();
            store.reload().unwrap();
            let sessions = Sessions::new(RULES);
            let now = Instant::now();
            let id = sessions.begin("a", &store.get("a").unwrap(), now).id;
            assert!(sessions.find(&id, true, &store, now).is_some());
            std::fs::write(&path, changed).unwrap();
            store.reload().unwrap();
            assert!(sessions.find(&id, true, &store, now).is_none());
        }
    }

    #[test]
    fn the_number_is_bounded_and_the_least_used_goes_first() {
        let (_folder, store) = store(&credential("k"));
        let sessions = Sessions::new(RULES);
        let start = Instant::now();
        let own = store.get("a").unwrap();
        let ids: Vec<_> = (0..=MAX_SESSIONS as u64)
            .map(|at| {
                sessions
                    .begin("a", &own, start + Duration::from_millis(at))
                    .id
            })
            .collect();
        assert_eq!(sessions.by_id.lock().len(), MAX_SESSIONS);
        assert!(sessions.find(&ids[0], true, &store, start).is_none());
        assert!(sessions.find(&ids[1], true, &store, start).is_some());
    }

    #[test]
    fn only_the_right_secrets_prove() {
        let with_token = credential("k") + "token = \"t\"\n";
        let (_folder, store) = store(&with_token);
        let own = store.get("a");
        let own = own.as_deref();
        assert!(proves(own, "k", Some("t")));
        for (key, token) in [
            ("k", None),
            ("k", Some("x")),
            ("kt", None),
            ("", Some("kt")),
        ] {
            assert!(!proves(own, key, token), "{key} {token:?}");
        }
        assert!(!proves(None, "", None));
    }
}
