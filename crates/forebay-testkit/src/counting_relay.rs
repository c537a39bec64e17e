//! A TCP relay that counts what goes through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Passes connections on to another address, unchanged, and counts them and the
/// bytes that their clients send. Its connections end when it is dropped.
#[derive(Debug)]
pub struct CountingRelay {
    address: SocketAddr,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    bytes: AtomicU64,
}

impl CountingRelay {
    /// Listens on `listen` and passes on to `target`. Runs on the caller's
    /// runtime.
    ///
    /// # Errors
    /// When `listen` cannot be listened on.
    pub async fn start(listen: SocketAddr, target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let counts = Arc::new(Counts::default());
        Ok(Self {
            address: listener.local_addr()?,
            counts: Arc::clone(&counts),
            accepting: tokio::spawn(accept(listener, target, counts)),
        })
    }

    /// Where it listens; the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::Acquire)
    }

    /// Bytes that clients have sent so far, over all connections.
    #[must_use]
    pub fn bytes_from_clients(&self) -> u64 {
        self.counts.bytes.load(Ordering::Acquire)
    }
}

impl Drop for CountingRelay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        counts.connections.fetch_add(1, Ordering::AcqRel);
        let counts = Arc::clone(&counts);
        connections.spawn(async move {
            // Whichever side fails, both see the connection end.
            drop(pass_on(client, target, &counts).await);
        });
    }
}

async fn pass_on(client: TcpStream, target: SocketAddr, counts: &Counts) -> std::io::Result<()> {
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let uncounted = AtomicU64::new(0);
    tokio::try_join!(
        copy(from_client, to_server, &counts.bytes),
        copy(from_server, to_client, &uncounted),
    )?;
    Ok(())
}

/// Passes on until `from` ends. Bytes are counted before the other side can
/// answer them.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    count: &AtomicU64,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        count.fetch_add(read as u64, Ordering::AcqRel);
        to.write_all(&buffer[..read]).await?;
    }
}
