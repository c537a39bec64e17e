//! Free TCP ports that stay free while a broker is down.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::Mutex;

/// Ports given out by this process; never given out twice.
static TAKEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());

/// A free port of 127.0.0.1 that no other caller in this process gets.
///
/// It lies below the range from which the system takes the ports of outgoing
/// connections: in that range, a client that keeps trying to reach a broker
/// that is down would sooner or later hold the broker's port itself. Another
/// process may still take it, so starting on it can fail and is to be retried.
///
/// # Panics
/// When a thousand attempts found no free port.
#[must_use]
pub fn free_port() -> u16 {
    let range = below_ephemeral();
    let span = u64::from(range.end - range.start);
    for _ in 0..1000 {
        let offset = u16::try_from(random() % span).expect("less than a span of ports");
        let port = range.start + offset;
        let mut taken = TAKEN.lock().expect("no panic while it is held");
        if !taken.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            taken.push(port);
            return port;
        }
    }
    panic!("no free port of 127.0.0.1 in {range:?}");
}

fn below_ephemeral() -> Range<u16> {
    let first_ephemeral = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse::<u16>().ok())
        // Where the system does not say, the lowest common default.
        .unwrap_or(32_768);
    // Low ports belong to services; a range without room below it is overlapped.
    if first_ephemeral > 12_000 {
        10_000..first_ephemeral
    } else {
        20_000..60_000
    }
}

/// A random number, without a dependency: the hasher's keys are random.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
