//! Connections: made, lost, and made again.

use std::time::{Duration, Instant};

use mio::Token;

use super::{LONGEST_WAIT, LoadThread};
use crate::connection::{Connection, Received, State};

/// Connections that are being made at a time; more would overflow the other
/// side's queue.
const CONNECTING: usize = 128;
/// After a connection was lost; without it an endpoint that is down would be
/// hammered.
const RECONNECT_DELAY: Duration = Duration::from_millis(100);
/// A connection that is not there by then fails the run.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

impl LoadThread {
    /// Makes all connections; each idle one sends a request and is answered,
    /// as servers do not count those that never did as idle.
    pub(super) fn connect_all(&mut self) -> Result<(), String> {
        let limit = Instant::now() + CONNECT_LIMIT + self.settings.timeout;
        let mut next = 0;
        loop {
            let now = Instant::now();
            let room = CONNECTING.saturating_sub(self.connecting());
            let until = self.connections.len().min(next + room);
            for index in next..until {
                self.connect(index, now);
            }
            next = until;
            let load = &self.connections[..self.settings.connections];
            if next >= load.len() && load.iter().any(|one| one.state == State::Closed) {
                let reasons = self.tally.connections.kinds.keys().cloned();
                let reasons = reasons.collect::<Vec<_>>().join("; ");
                return Err(format!(
                    "cannot connect to {}: {reasons}",
                    self.settings.address
                ));
            }
            let all_begun = next == self.connections.len();
            if all_begun && self.connecting() == 0 && self.in_flight == 0 || self.cancelled() {
                return Ok(());
            }
            if now > limit {
                let address = self.settings.address;
                return Err(format!(
                    "not all connections to {address} were made in time"
                ));
            }
            self.waiter
                .wait(LONGEST_WAIT)
                .map_err(|error| error.to_string())?;
            self.handle_events();
        }
    }

    fn connecting(&self) -> usize {
        let connecting = |one: &&Connection| one.state == State::Connecting;
        self.connections.iter().filter(connecting).count()
    }

    pub(super) fn connect(&mut self, index: usize, now: Instant) {
        let made = self.connections[index].connect(
            self.settings.address,
            self.waiter.registry(),
            Token(index),
        );
        if let Err(error) = made {
            self.lose(index, &error.to_string(), now);
        }
    }

    pub(super) fn opened(&mut self, index: usize) {
        let now = Instant::now();
        if index >= self.settings.connections {
            self.send(index, now, now);
            return;
        }
        self.free.push_back(index);
        if self.sending {
            self.issue(now);
        }
    }

    /// A connection is of no use any more; what it carried is unknown.
    pub(super) fn lose(&mut self, index: usize, reason: &str, now: Instant) {
        let flight = self.connections[index].flight;
        self.connections[index].close();
        if flight.is_some() {
            self.in_flight -= 1;
            self.tally.unknown_messages += self.settings.messages;
            self.tally.unknown.note(reason, String::new);
            self.measuring.note_failure(now);
        }
        self.tally.connections.note(reason, String::new);
        if index < self.settings.connections {
            self.lost.push_back((now + RECONNECT_DELAY, index));
        }
    }

    /// Idle connections that the other side has not closed.
    pub(super) fn idle_open(&mut self) -> u32 {
        let mut open = 0;
        let mut scratch = [0; 1];
        for one in &mut self.connections[self.settings.connections..] {
            let alive = one.state == State::Open
                && matches!(one.receive(&mut scratch, true), Ok(Received::Pending));
            open += u32::from(alive);
        }
        open
    }
}
