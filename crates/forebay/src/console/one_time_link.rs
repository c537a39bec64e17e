//! The link that signs a newcomer in: printed once, used once.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use subtle::ConstantTimeEq as _;

use super::random_token::random_token;
use super::session::hash;

/// How long it holds: from the start's output to a browser, with a break.
pub(super) const LIFETIME: Duration = Duration::from_secs(15 * 60);

struct Pending {
    token: [u8; 32],
    secret_id: String,
    until: Instant,
}

/// At most one link that can still be used.
#[derive(Default)]
pub(super) struct OneTimeLink(Mutex<Option<Pending>>);

impl OneTimeLink {
    /// Makes the link's token, for a session of that credential; an earlier
    /// one is worth nothing from now on.
    pub(super) fn make(&self, secret_id: &str, now: Instant) -> String {
        let token = random_token();
        *self.0.lock() = Some(Pending {
            token: hash(&token),
            secret_id: secret_id.to_owned(),
            until: now + LIFETIME,
        });
        token
    }

    /// The SecretId that the token signs in, once.
    pub(super) fn redeem(&self, token: &str, now: Instant) -> Option<String> {
        let mut pending = self.0.lock();
        let fits = pending.as_ref().is_some_and(|pending| {
            bool::from(hash(token).ct_eq(&pending.token)) && now < pending.until
        });
        if fits {
            pending.take().map(|used| used.secret_id)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_works_once_and_not_for_ever() {
        let link = OneTimeLink::default();
        let now = Instant::now();
        assert_eq!(link.redeem("", now), None);
        let token = link.make("AKID", now);
        assert_eq!(link.redeem("guess", now), None);
        assert_eq!(link.redeem(&token, now).as_deref(), Some("AKID"));
        assert_eq!(link.redeem(&token, now), None);
        let late = link.make("AKID", now);
        assert_eq!(link.redeem(&late, now + LIFETIME), None);
        let replaced = link.make("AKID", now);
        link.make("AKID", now);
        assert_eq!(link.redeem(&replaced, now), None);
    }
}
