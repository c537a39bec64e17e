//! How often somebody may try to sign in: per address, and all together.
//!
//! Keys that Forebay makes cannot be guessed; ones that people make may be.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Tries in a row of one address, and how soon there is another.
const PER_ADDRESS: Rule = Rule {
    burst: 10,
    refill: Duration::from_secs(6),
};

/// The same for all addresses together.
const IN_ALL: Rule = Rule {
    burst: 100,
    refill: Duration::from_millis(600),
};

/// Addresses that are remembered; the longest unseen is forgotten first.
const MAX_ADDRESSES: usize = 4096;

#[derive(Clone, Copy)]
struct Rule {
    burst: u32,
    refill: Duration,
}

/// Generic cell rate algorithm: when the next try would be due at an even pace.
#[derive(Clone, Copy)]
struct Due(Instant);

impl Due {
    /// How long to wait, if it is not allowed now.
    fn wait(self, rule: Rule, now: Instant) -> Option<Duration> {
        let ahead = self.0.saturating_duration_since(now);
        let most = rule.refill * (rule.burst - 1);
        (ahead > most).then(|| ahead - most)
    }

    fn taken(self, rule: Rule, now: Instant) -> Self {
        Self(self.0.max(now) + rule.refill)
    }

    fn given_back(self, rule: Rule) -> Self {
        Self(self.0.checked_sub(rule.refill).unwrap_or(self.0))
    }
}

struct State {
    by_address: HashMap<IpAddr, Due>,
    in_all: Due,
}

/// See the module.
pub(super) struct LoginAttempts(Mutex<State>);

impl LoginAttempts {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            by_address: HashMap::new(),
            in_all: Due(now),
        }))
    }

    /// Counts a try before it is looked at, so that many at once count too.
    ///
    /// # Errors
    /// How long to wait before the next.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let address = network(address);
        let mut state = self.0.lock();
        let own = state.by_address.get(&address).copied().unwrap_or(Due(now));
        let wait = own.wait(PER_ADDRESS, now);
        if let Some(wait) = wait.max(state.in_all.wait(IN_ALL, now)) {
            return Err(wait);
        }
        state.in_all = state.in_all.taken(IN_ALL, now);
        if state.by_address.len() >= MAX_ADDRESSES && !state.by_address.contains_key(&address) {
            state.by_address.retain(|_, due| due.0 > now);
            let first = state.by_address.iter().min_by_key(|(_, due)| due.0);
            let first = first.map(|(address, _)| *address);
            if state.by_address.len() >= MAX_ADDRESSES {
                first.and_then(|address| state.by_address.remove(&address));
            }
        }
        state
            .by_address
            .insert(address, own.taken(PER_ADDRESS, now));
        Ok(())
    }

    /// The try was right: it does not count.
    pub(super) fn give_back(&self, address: IpAddr) {
        let mut state = self.0.lock();
        state.in_all = state.in_all.given_back(IN_ALL);
        if let Some(due) = state.by_address.get_mut(&network(address)) {
            *due = due.given_back(PER_ADDRESS);
        }
    }
}

/// Whoever has one IPv6 address usually has the 2⁶⁴ around it.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8, third: u8) -> IpAddr {
        IpAddr::from([10, 0, third, last])
    }

    #[test]
    fn one_address_is_slowed_down_and_others_are_not() {
        let now = Instant::now();
        let attempts = LoginAttempts::new(now);
        for _ in 0..10 {
            attempts.take(v4(1, 0), now).unwrap();
        }
        let wait = attempts.take(v4(1, 0), now).unwrap_err();
        assert!(wait <= PER_ADDRESS.refill, "{wait:?}");
        attempts.take(v4(2, 0), now).unwrap();
        attempts.take(v4(1, 0), now + wait).unwrap();
        attempts.give_back(v4(1, 0));
        attempts.take(v4(1, 0), now + wait).unwrap();
    }

    #[test]
    fn all_addresses_together_are_bounded_and_so_is_the_memory() {
        let now = Instant::now();
        let attempts = LoginAttempts::new(now);
        let tried = (0..=255).filter(|last| attempts.take(v4(*last, 0), now).is_ok());
        assert_eq!(tried.count(), IN_ALL.burst as usize);
        for minute in 1..=200_u32 {
            let at = now + Duration::from_secs(60) * minute;
            for last in 0..=255 {
                let third = u8::try_from(minute).unwrap();
                attempts.take(v4(last, third), at).ok();
            }
        }
        assert!(attempts.0.lock().by_address.len() <= MAX_ADDRESSES);
    }

    #[test]
    fn a_whole_ipv6_network_is_one_address() {
        let now = Instant::now();
        let attempts = LoginAttempts::new(now);
        let refused = (0..20_u128).filter(|host| {
            let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | host);
            attempts.take(IpAddr::V6(address), now).is_err()
        });
        assert_eq!(refused.count(), 10);
    }
}
