//! A connection to one broker.
//!
//! rskafka's messenger matches answers to requests; the stream below it is
//! ours, because what we promise depends on it: nothing waits without a limit,
//! and closing frees everything, also when the broker is silent.
//!
//! - `dial`: making a connection;
//! - `login`: by SASL;
//! - `stream`: a byte stream that can be closed from outside;
//! - `frame_ledger`: how many bytes of frames it holds;
//! - `request`: what can be sent.

mod dial;
mod frame_ledger;
mod login;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use std::{fmt, future::Future, pin::pin, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rskafka::{
    messenger::{Messenger, RequestError},
    protocol::api_key::ApiKey,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout, timeout_at},
};

pub(crate) use request::{Request, Throttling};

use crate::{Error, error::HANDSHAKE, pool::random_fraction, security::Security};
use frame_ledger::FrameLedger;
use request::Booked;
use stream::{CloseSwitch, Stream};

/// How connections are made.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Name under which the broker logs us and applies quotas.
    pub client_id: Arc<str>,
    /// Limit on name resolution and TCP connection together.
    pub connect_timeout: Duration,
    /// Limit on TLS, the exchange of versions, and the login together.
    pub handshake_timeout: Duration,
    /// Answers longer than this break the connection, in bytes.
    pub max_answer_bytes: usize,
    /// How it is protected.
    pub security: Security,
}

/// A connection to a broker that has told us its versions.
///
/// It closes when it is dropped.
pub struct Connection {
    address: String,
    messenger: Messenger<Stream>,
    switch: Arc<CloseSwitch>,
    ledger: Arc<FrameLedger>,
    /// Until when the broker does not read from the connection (KIP-219).
    muted_until: Mutex<Instant>,
    /// When nothing more is to be sent, because the login ends soon after.
    retires_at: Option<Instant>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects to `address` (`host:port`), with TLS if `options` say so,
    /// exchanges versions and logs in.
    ///
    /// Prefer [`BrokerGate::connect`](crate::pool::BrokerGate::connect), which
    /// keeps attempts at a broken broker apart.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Timeout`], [`Error::Tls`], [`Error::Login`],
    /// [`Error::Io`], [`Error::Protocol`].
    ///
    /// # Cancellation
    /// Dropping the future closes whatever was opened.
    pub async fn open(address: &str, options: &ConnectOptions) -> Result<Self, Error> {
        let stream = dial::connect(address, options.connect_timeout).await?;
        let limit = options.handshake_timeout;
        timeout(limit, Self::shake_hands(address, stream, options))
            .await
            .map_err(|_| Error::Timeout {
                what: HANDSHAKE,
                after: limit,
            })?
    }

    async fn shake_hands(
        address: &str,
        stream: TcpStream,
        options: &ConnectOptions,
    ) -> Result<Self, Error> {
        let Security { tls, sasl } = &options.security;
        let transport = dial::secure(address, stream, tls.as_ref()).await?;
        let switch = Arc::new(CloseSwitch::default());
        let ledger = Arc::new(FrameLedger::default());
        let stream = Stream::new(transport, Arc::clone(&switch), Arc::clone(&ledger));
        let mut connection = Self {
            address: address.to_owned(),
            messenger: Messenger::new(
                stream,
                options.max_answer_bytes,
                Arc::clone(&options.client_id),
            ),
            switch,
            ledger,
            muted_until: Mutex::new(Instant::now()),
            retires_at: None,
        };
        match dial::handshake(&mut connection.messenger).await {
            Err(error) if tls.is_some() => return Err(dial::explain_refusal(error, address)),
            result => result?,
        }
        if let Some(login) = sasl {
            let started = Instant::now();
            let lifetime = login::log_in(&connection.messenger, address, login).await?;
            connection.retires_at = lifetime.map(|lifetime| started + part_of(lifetime));
        }
        Ok(connection)
    }

    /// The broker's address as it was asked for, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether it is closed, by [`close`](Self::close) or by the broker as far
    /// as that was noticed, or about to be: a broker closes a connection whose
    /// login has ended (KIP-368), so somewhat earlier nothing more must be sent
    /// over it. What is under way then is still answered.
    pub fn is_closed(&self) -> bool {
        self.switch.is_closed() || self.retires_at.is_some_and(|at| at <= Instant::now())
    }

    /// Resolves once it [is closed](Self::is_closed).
    pub(crate) async fn closed(&self) {
        match self.retires_at {
            None => self.switch.closed().await,
            Some(at) => drop(timeout_at(at, self.switch.closed()).await),
        }
    }

    /// Closes the connection at once: requests under way fail with
    /// [`Error::Closed`], and the frames and the socket that unfinished writes
    /// hold are freed, also if the broker is silent. Idempotent.
    pub fn close(&self) {
        self.switch.close();
    }

    /// Bytes of request frames that are held in memory on behalf of this
    /// connection: built, and not yet taken by the operating system in full.
    ///
    /// Exact but for the instant between the last write and the freeing of the
    /// buffer. Frames of requests whose futures were dropped are included for
    /// as long as somebody goes on writing them. The system's own send buffer
    /// is not.
    pub fn pending_frame_bytes(&self) -> usize {
        self.ledger.bytes()
    }

    /// Sends a request and waits for its answer, at most `limit`.
    ///
    /// After [`Error::Timeout`] the connection is still open: the broker
    /// answers in order, so whoever cannot wait for the late answer should
    /// close it. After any other error than [`Error::UnsupportedVersion`] it
    /// is of no more use.
    ///
    /// # Cancellation
    /// Dropping the future before the frame is complete leaves a task that
    /// finishes it (see [`pending_frame_bytes`](Self::pending_frame_bytes));
    /// a late answer is discarded. It must be dropped inside a tokio runtime.
    pub(crate) async fn request<R: Request>(
        &self,
        request: R,
        limit: Duration,
    ) -> Result<R::Answer, Error> {
        self.within(limit, api_name(R::API_KEY), self.exchange(&request))
            .await
    }

    /// Like [`request`](Self::request), and heeds the throttle that answers
    /// carry: while the broker has muted the connection, time stands still for
    /// `limit`.
    pub(crate) async fn request_throttled<R>(
        &self,
        request: R,
        limit: Duration,
    ) -> Result<R::Answer, Error>
    where
        R: Request,
        R::Answer: Throttling,
    {
        let answer = self.request(request, limit).await?;
        self.note_throttle(answer.throttle());
        Ok(answer)
    }

    /// The broker said that it will not read from this connection for so long.
    pub(crate) fn note_throttle(&self, pause: Duration) {
        if !pause.is_zero() {
            let mut muted_until = self.muted_until.lock();
            *muted_until = (*muted_until).max(Instant::now() + pause);
        }
    }

    async fn exchange<R: Request>(&self, request: &R) -> Result<R::Answer, RequestError> {
        // Lives as long as this future, outside of the messenger's.
        let guard = Mutex::new(None);
        let booked = Booked {
            request,
            ledger: &self.ledger,
            guard: &guard,
        };
        self.messenger.request(booked).await
    }

    /// Waits for `answer`. The limit begins anew when a throttle ends that was
    /// noted while waiting: the broker did not read until then.
    async fn within<T>(
        &self,
        limit: Duration,
        what: &'static str,
        answer: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, Error> {
        let mut answer = pin!(answer);
        let mut end = self.begin_of_time() + limit;
        loop {
            tokio::select! {
                biased;
                result = &mut answer => {
                    return result.map_err(|error| Error::from_request(&error, what));
                }
                () = sleep_until(end) => {
                    let muted_until = *self.muted_until.lock();
                    if muted_until + limit <= end {
                        return Err(Error::Timeout { what, after: limit });
                    }
                    end = muted_until + limit;
                }
            }
        }
    }

    fn begin_of_time(&self) -> Instant {
        Instant::now().max(*self.muted_until.lock())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The messenger only stops its reader: a write that hangs would keep
        // its frame and the socket.
        self.close();
    }
}

/// How much of a login's time is used: 80 to 90 %, so that what was sent last
/// arrives in time, and not all connections of a replica end together.
fn part_of(lifetime: Duration) -> Duration {
    lifetime.mul_f64(0.8 + 0.1 * random_fraction())
}

/// The API's name in errors.
fn api_name(key: ApiKey) -> &'static str {
    match key {
        ApiKey::Produce => "Produce",
        ApiKey::Fetch => "Fetch",
        ApiKey::ListOffsets => "ListOffsets",
        ApiKey::Metadata => "Metadata",
        ApiKey::CreateTopics => "CreateTopics",
        ApiKey::DeleteTopics => "DeleteTopics",
        ApiKey::InitProducerId => "InitProducerId",
        ApiKey::DescribeConfigs => "DescribeConfigs",
        _ => "a request",
    }
}
