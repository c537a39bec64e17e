//! A TCP proxy that makes a broker's network misbehave on demand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use crate::ports::free_port;
use crate::proxy_relay::relay;

/// A direction through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Towards {
    /// Requests.
    Broker,
    /// Responses.
    Client,
}

/// What happens to a connection whose produce response was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterDrop {
    /// It is closed at once.
    Close,
    /// It stays open and never carries another response.
    Silence,
}

/// What the proxy does to connections, old ones as well as new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Carries everything.
    Pass,
    /// Swallows each `every`-th produce response (1 means all), counted over
    /// all connections: the broker has appended, the client never hears of it.
    DropProduceResponses {
        /// Which responses; at least 1.
        every: u64,
        /// What becomes of the connection.
        then: AfterDrop,
    },
    /// Each frame in one direction arrives later by this much; frames overtake
    /// nothing and do not wait for each other's delay.
    Delay {
        /// The slow direction.
        towards: Towards,
        /// The time added.
        by: Duration,
    },
    /// Requests arrive, responses wait until the mode changes.
    HoldResponses,
    /// Nothing gets through in either direction until the mode changes; new
    /// connections are accepted and never answered.
    Blackhole,
    /// Connections are reset (TCP RST), new ones right after they are accepted.
    Reset,
    /// Connections are closed and new ones refused: nobody listens.
    Refuse,
}

/// A proxy on a free port of 127.0.0.1 for one upstream that speaks Kafka
/// without TLS. Starts in [`Mode::Pass`]; works on a thread of its own, so that
/// tests may block; ends when dropped, closing all connections.
#[derive(Debug)]
pub struct FaultProxy {
    state: Arc<ProxyState>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(crate) struct ProxyState {
    address: SocketAddr,
    pub(crate) upstream: SocketAddr,
    pub(crate) mode: watch::Sender<Mode>,
    /// Counts the calls that cut all connections; `u64::MAX` ends the proxy.
    pub(crate) cuts: watch::Sender<u64>,
    accepted: AtomicU64,
    open: AtomicU64,
    pub(crate) produce_requests: AtomicU64,
    pub(crate) produce_responses: AtomicU64,
    pub(crate) dropped: AtomicU64,
}

const END: u64 = u64::MAX;

impl FaultProxy {
    /// Listens; connects to `upstream` for each connection that it accepts.
    ///
    /// # Errors
    /// When no port can be bound or no thread be started.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = listen_on_free_port()?;
        let state = Arc::new(ProxyState {
            address: listener.local_addr()?,
            upstream,
            mode: watch::Sender::new(Mode::Pass),
            cuts: watch::Sender::new(0),
            accepted: AtomicU64::new(0),
            open: AtomicU64::new(0),
            produce_requests: AtomicU64::new(0),
            produce_responses: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || runtime.block_on(accept_all(shared, listener)))?;
        Ok(Self {
            state,
            thread: Some(thread),
        })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.state.address
    }

    /// Changes the mode; takes effect within milliseconds, between frames.
    ///
    /// # Panics
    /// When `every` is 0.
    pub fn set_mode(&self, mode: Mode) {
        if let Mode::DropProduceResponses { every, .. } = mode {
            assert!(every > 0, "expected every >= 1, got 0");
        }
        self.state.mode.send_replace(mode);
    }

    /// Closes all present connections; the mode stays.
    pub fn close_all(&self) {
        self.state.cuts.send_modify(|count| *count += 1);
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::Relaxed)
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.state.open.load(Ordering::Relaxed)
    }

    /// How many produce requests were passed on so far.
    #[must_use]
    pub fn produce_requests(&self) -> u64 {
        self.state.produce_requests.load(Ordering::Relaxed)
    }

    /// How many produce responses the broker has given so far, dropped or not.
    #[must_use]
    pub fn produce_responses(&self) -> u64 {
        self.state.produce_responses.load(Ordering::Relaxed)
    }

    /// How many produce responses were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.state.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.state.cuts.send_replace(END);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            drop(thread.join());
        }
    }
}

fn listen_on_free_port() -> io::Result<TcpListener> {
    const ATTEMPTS: u32 = 20;
    let mut attempt = 1;
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())) {
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

async fn accept_all(state: Arc<ProxyState>, listener: TcpListener) {
    let mut modes = state.mode.subscribe();
    let mut cuts = state.cuts.subscribe();
    let mut listening = Some(into_tokio(listener));
    loop {
        if *cuts.borrow_and_update() == END {
            return;
        }
        if *modes.borrow_and_update() == Mode::Refuse {
            listening = None;
        } else if listening.is_none() {
            listening = Some(listen_again(state.address).await);
        }
        tokio::select! {
            biased;
            _ = cuts.changed() => {}
            _ = modes.changed() => {}
            Some(client) = accept(listening.as_ref()) => {
                state.accepted.fetch_add(1, Ordering::Relaxed);
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    state.open.fetch_add(1, Ordering::Relaxed);
                    // How a connection ends is for its two ends to see.
                    drop(relay(client, &state).await);
                    state.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        }
    }
}

fn into_tokio(listener: TcpListener) -> tokio::net::TcpListener {
    listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener))
        .expect("a fresh listener can be registered with this thread's runtime")
}

async fn accept(listener: Option<&tokio::net::TcpListener>) -> Option<tokio::net::TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// Binds the address that clients know again, as often as it takes.
async fn listen_again(address: SocketAddr) -> tokio::net::TcpListener {
    loop {
        match tokio::net::TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
