//! Connections that are shared, and the gate before each broker.
//!
//! A broker that is down or silent is not asked again and again: after a failed
//! attempt everybody waits the same back-off, and one attempt serves all who
//! wait for one.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::{
    Error,
    connection::{ConnectOptions, Connection, Request, Throttling},
    error::CONNECTING,
};

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// After a refused login or certificate: brokers and what is behind them count
/// failed logins, and nothing changes within a moment.
const FIRST_SECURITY_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_SECURITY_BACKOFF: Duration = Duration::from_secs(10);

/// Lets through one attempt at a time to connect to a broker, and none for a
/// while after one has failed: 100 ms at first, 2 s at most; 1 s to 10 s if it
/// failed for a certificate or a password; ± 20 %.
#[derive(Debug)]
pub struct BrokerGate {
    address: String,
    options: ConnectOptions,
    turn: tokio::sync::Mutex<()>,
    state: Mutex<GateState>,
}

#[derive(Debug, Default)]
struct GateState {
    /// In a row.
    failures: u32,
    /// In all, to tell whether one came while somebody waited.
    failures_ever: u64,
    last: Option<(Arc<Error>, Instant)>,
}

impl BrokerGate {
    pub(crate) fn new(address: String, options: ConnectOptions) -> Self {
        let (turn, state) = (tokio::sync::Mutex::default(), Mutex::default());
        Self {
            address,
            options,
            turn,
            state,
        }
    }

    /// Connects; waits for a back-off to end first.
    ///
    /// Takes at most the back-off and one attempt: if an attempt of somebody
    /// else fails meanwhile, its error is returned.
    ///
    /// # Errors
    /// As [`Connection::open`].
    ///
    /// # Cancellation
    /// An attempt that is dropped counts as failed, so that impatient callers
    /// cannot get around the back-off.
    pub async fn connect(&self) -> Result<Connection, Error> {
        let failures = self.state.lock().failures_ever;
        let _turn = self.turn.lock().await;
        self.share_failure_since(failures)?;
        if let Some((_, until)) = self.backing_off() {
            sleep_until(until).await;
        }
        self.attempt().await
    }

    /// Connects, unless an attempt failed a moment ago.
    ///
    /// # Errors
    /// [`Error::BackingOff`] at once; else as [`connect`](Self::connect).
    ///
    /// # Cancellation
    /// As [`connect`](Self::connect).
    pub async fn try_connect(&self) -> Result<Connection, Error> {
        let failures = self.state.lock().failures_ever;
        self.refuse_while_backing_off()?;
        let _turn = self.turn.lock().await;
        self.share_failure_since(failures)?;
        self.refuse_while_backing_off()?;
        self.attempt().await
    }

    fn share_failure_since(&self, failures: u64) -> Result<(), Error> {
        let state = self.state.lock();
        match &state.last {
            Some((error, _)) if state.failures_ever != failures => Err(Error::clone(error)),
            _ => Ok(()),
        }
    }

    fn refuse_while_backing_off(&self) -> Result<(), Error> {
        match self.backing_off() {
            Some((last, until)) => Err(Error::BackingOff {
                address: self.address.clone(),
                remaining: until.saturating_duration_since(Instant::now()),
                last,
            }),
            None => Ok(()),
        }
    }

    fn backing_off(&self) -> Option<(Arc<Error>, Instant)> {
        self.state
            .lock()
            .last
            .clone()
            .filter(|(_, until)| *until > Instant::now())
    }

    async fn attempt(&self) -> Result<Connection, Error> {
        let mut attempt = Attempt {
            gate: self,
            started: Instant::now(),
            ended: false,
        };
        let result = Connection::open(&self.address, &self.options).await;
        attempt.ended = true;
        match &result {
            Ok(_) => self.note_success(),
            Err(error) => self.note_failure(error),
        }
        result
    }

    fn note_success(&self) {
        let mut state = self.state.lock();
        if state.failures > 0 {
            tracing::info!(broker = %self.address, attempts = state.failures + 1, "broker answers again");
        } else {
            tracing::debug!(broker = %self.address, "connected to broker");
        }
        state.failures = 0;
        state.last = None;
    }

    fn note_failure(&self, error: &Error) {
        let mut state = self.state.lock();
        if state.failures == 0 && error.is_about_security() {
            tracing::warn!(broker = %self.address, %error, "broker cannot be connected to");
        } else if state.failures == 0 {
            tracing::info!(broker = %self.address, %error, "broker cannot be connected to");
        } else {
            tracing::debug!(broker = %self.address, %error, "broker cannot be connected to");
        }
        let backoff = if error.is_about_security() {
            backoff(
                state.failures,
                FIRST_SECURITY_BACKOFF,
                LONGEST_SECURITY_BACKOFF,
            )
        } else {
            backoff(state.failures, FIRST_BACKOFF, LONGEST_BACKOFF)
        };
        state.failures = state.failures.saturating_add(1);
        state.failures_ever += 1;
        state.last = Some((Arc::new(error.clone()), Instant::now() + backoff));
    }
}

/// Counts as a failure when it is dropped before its end.
struct Attempt<'a> {
    gate: &'a BrokerGate,
    started: Instant,
    ended: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let after = self.started.elapsed();
            self.gate.note_failure(&Error::Timeout {
                what: CONNECTING,
                after,
            });
        }
    }
}

fn backoff(failures: u32, first: Duration, longest: Duration) -> Duration {
    let plain = (first * 2u32.pow(failures.min(10))).min(longest);
    plain.mul_f64(0.8 + 0.4 * random_fraction())
}

/// At least 0 and less than 1. Randomly keyed hashers are the standard
/// library's source of randomness.
pub(crate) fn random_fraction() -> f64 {
    let random = RandomState::new().build_hasher().finish() % 1000;
    random as f64 / 1000.0
}

/// What a shared connection is for: answers come in order, so short requests
/// must not wait behind long polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Control,
    Fetch,
}

/// One connection per broker and purpose.
#[derive(Debug)]
pub(crate) struct ConnectionPool {
    options: ConnectOptions,
    brokers: Mutex<HashMap<String, Arc<PooledBroker>>>,
}

#[derive(Debug)]
struct PooledBroker {
    gate: Arc<BrokerGate>,
    control: Slot,
    fetch: Slot,
}

#[derive(Debug, Default)]
struct Slot {
    connection: Mutex<Option<Arc<Connection>>>,
    making: tokio::sync::Mutex<()>,
}

impl ConnectionPool {
    pub(crate) fn new(options: ConnectOptions) -> Self {
        Self {
            options,
            brokers: Mutex::default(),
        }
    }

    /// The gate before the broker at this address.
    pub(crate) fn gate(&self, address: &str) -> Arc<BrokerGate> {
        Arc::clone(&self.broker(address).gate)
    }

    /// Forgets brokers that are not among `addresses`.
    pub(crate) fn retain(&self, addresses: &HashSet<String>) {
        self.brokers
            .lock()
            .retain(|address, _| addresses.contains(address));
    }

    /// Whether a connection to the broker is open, as far as we know.
    pub(crate) fn is_connected(&self, address: &str) -> bool {
        let broker = self.brokers.lock().get(address).cloned();
        broker.is_some_and(|broker| broker.control.open().is_some())
    }

    /// Sends a request over the shared connection, connecting if need be.
    /// `limit` is for the answer.
    ///
    /// If a connection that was open before turns out to be dead, a second
    /// attempt is made on a new one, so requests must bear being sent twice.
    pub(crate) async fn request<R>(
        &self,
        address: &str,
        purpose: Purpose,
        request: &R,
        limit: Duration,
    ) -> Result<R::Answer, Error>
    where
        R: Request,
        R::Answer: Throttling,
    {
        let broker = self.broker(address);
        let slot = match purpose {
            Purpose::Control => &broker.control,
            Purpose::Fetch => &broker.fetch,
        };
        if let Some(connection) = slot.open() {
            match Self::request_on(&connection, request, limit).await {
                Err(Error::Io(_) | Error::Closed) => {}
                result => return result,
            }
        }
        let connection = slot.get(&broker.gate).await?;
        Self::request_on(&connection, request, limit).await
    }

    async fn request_on<R>(
        connection: &Connection,
        request: &R,
        limit: Duration,
    ) -> Result<R::Answer, Error>
    where
        R: Request,
        R::Answer: Throttling,
    {
        let result = connection.request_throttled(request, limit).await;
        if result.as_ref().is_err_and(Error::is_connection_fault) {
            // Also after a timeout: who comes next must not wait for the late answer.
            connection.close();
        }
        result
    }

    fn broker(&self, address: &str) -> Arc<PooledBroker> {
        let mut brokers = self.brokers.lock();
        if let Some(broker) = brokers.get(address) {
            return Arc::clone(broker);
        }
        let gate = BrokerGate::new(address.to_owned(), self.options.clone());
        let broker = Arc::new(PooledBroker {
            gate: Arc::new(gate),
            control: Slot::default(),
            fetch: Slot::default(),
        });
        brokers.insert(address.to_owned(), Arc::clone(&broker));
        broker
    }
}

impl Slot {
    fn open(&self) -> Option<Arc<Connection>> {
        self.connection
            .lock()
            .clone()
            .filter(|connection| !connection.is_closed())
    }

    async fn get(&self, gate: &BrokerGate) -> Result<Arc<Connection>, Error> {
        let _making = self.making.lock().await;
        if let Some(connection) = self.open() {
            return Ok(connection);
        }
        let connection = Arc::new(gate.try_connect().await?);
        *self.connection.lock() = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_limit_and_stays_there() {
        for failures in 0..100 {
            let millis = backoff(failures, FIRST_BACKOFF, LONGEST_BACKOFF).as_millis();
            let plain = (100 << failures.min(20)).min(2000);
            assert!(
                (plain * 8 / 10..=plain * 12 / 10).contains(&millis),
                "{failures}: {millis}"
            );
        }
    }
}
