//! A plain TCP load balancer, as people put before several replicas.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// How often each backend is asked whether it is ready.
const PROBE_EVERY: Duration = Duration::from_millis(50);

/// No answer within that is no.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// Where a server takes connections, and where it says whether it wants them:
/// by `GET /readyz` in HTTP/1.1, 200 or something else.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// What connections are passed on to.
    pub address: SocketAddr,
    /// What is asked.
    pub readiness: SocketAddr,
}

/// Passes each new connection on to the next backend that is ready, in turn;
/// knows nothing of what goes through. Everything of it ends when it is dropped.
#[derive(Debug)]
pub struct TcpBalancer {
    address: SocketAddr,
    pool: Arc<Pool>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Pool {
    slots: Vec<Slot>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Slot {
    backend: Mutex<Backend>,
    is_ready: AtomicBool,
    connections: AtomicUsize,
}

impl TcpBalancer {
    /// Listens on a free port of 127.0.0.1. Runs on the caller's runtime.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(backends: &[Backend]) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let slots = backends.iter().map(|backend| Slot {
            backend: Mutex::new(*backend),
            is_ready: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let pool = Arc::new(Pool {
            slots: slots.collect(),
            next: AtomicUsize::new(0),
        });
        let probes = (0..backends.len()).map(|index| tokio::spawn(probe(Arc::clone(&pool), index)));
        let mut tasks: Vec<_> = probes.collect();
        let address = listener.local_addr()?;
        tasks.push(tokio::spawn(accept(listener, Arc::clone(&pool))));
        Ok(Self {
            address,
            pool,
            tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts another backend in the place of one that is gone.
    pub fn replace(&self, index: usize, backend: Backend) {
        *self.pool.slots[index].backend.lock() = backend;
    }

    /// Whether backend `index` gets new connections.
    #[must_use]
    pub fn is_ready(&self, index: usize) -> bool {
        self.pool.slots[index].is_ready.load(Ordering::SeqCst)
    }

    /// Connections that were passed on to backend `index` so far.
    #[must_use]
    pub fn connections(&self, index: usize) -> usize {
        self.pool.slots[index].connections.load(Ordering::SeqCst)
    }
}

impl Drop for TcpBalancer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn probe(pool: Arc<Pool>, index: usize) {
    let slot = &pool.slots[index];
    loop {
        let readiness = slot.backend.lock().readiness;
        let answer = timeout(PROBE_LIMIT, ask(readiness)).await;
        let is_ready = matches!(answer, Ok(Ok(true)));
        slot.is_ready.store(is_ready, Ordering::SeqCst);
        sleep(PROBE_EVERY).await;
    }
}

async fn ask(readiness: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(readiness).await?;
    let request = b"GET /readyz HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}

async fn accept(listener: TcpListener, pool: Arc<Pool>) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let pool = Arc::clone(&pool);
        connections.spawn(async move {
            let Some(mut server) = pool.connect().await else {
                return;
            };
            if client.set_nodelay(true).is_ok() && server.set_nodelay(true).is_ok() {
                // Whichever side fails, both see the connection end.
                drop(copy_bidirectional(&mut client, &mut server).await);
            }
        });
    }
}

impl Pool {
    /// A connection to the next backend that is ready and takes one.
    async fn connect(&self) -> Option<TcpStream> {
        for _ in 0..self.slots.len() {
            let turn = self.next.fetch_add(1, Ordering::SeqCst);
            let slot = &self.slots[turn % self.slots.len()];
            if !slot.is_ready.load(Ordering::SeqCst) {
                continue;
            }
            let address = slot.backend.lock().address;
            if let Ok(stream) = TcpStream::connect(address).await {
                slot.connections.fetch_add(1, Ordering::SeqCst);
                return Some(stream);
            }
        }
        None
    }
}
