//! The broker's life: threads, opening, stopping.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

use crate::config::BrokerConfig;
use crate::disk::Disk;
use crate::error::StartError;
use crate::log::{LogServices, SyncPool};
use crate::producer_ids::ProducerIds;
use crate::services::Services;
use crate::topics::Topics;
use crate::{listener, upkeep};

const LOCK_FILE: &str = "broker.lock";
const PRODUCER_IDS_FILE: &str = "producer-ids";
/// Network threads. They also write to the page cache, which may block for a
/// moment when the disk cannot follow; two keep other connections going.
const WORKERS: usize = 2;

/// A running broker. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Broker {
    local_addr: SocketAddr,
    disk: Arc<Disk>,
    stop: watch::Sender<bool>,
    /// Closed when the broker's thread has ended.
    running: watch::Receiver<()>,
}

/// Free space of a broker's file system; outlives the broker.
#[derive(Clone, Debug)]
pub struct DiskSpace(Arc<Disk>);

impl DiskSpace {
    /// Bytes that can still be written to the data directory's file system.
    ///
    /// # Errors
    /// What the system's `statvfs` says.
    pub fn free_bytes(&self) -> io::Result<u64> {
        self.0.free_bytes()
    }

    /// Whether records are refused for want of space.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }
}

impl Broker {
    /// Opens the data directory, recovering what a crash left, and listens.
    /// Everything runs on threads of its own; no file is touched on the
    /// caller's. Opening reads at most the newest segment of each partition,
    /// unless an index file is missing.
    ///
    /// # Errors
    /// See [`StartError`].
    ///
    /// # Cancellation
    /// Dropping the future stops what has been started.
    pub async fn start(config: BrokerConfig) -> Result<Self, StartError> {
        let (stop, stop_receiver) = watch::channel(false);
        let (running_sender, running) = watch::channel(());
        let (started_sender, started) = oneshot::channel();
        std::thread::Builder::new()
            .name("broker".to_owned())
            .spawn(move || {
                run(config, stop_receiver, started_sender);
                drop(running_sender);
            })
            .map_err(StartError::Threads)?;
        let ended = || StartError::Threads(io::Error::other("the broker's thread has ended"));
        let (local_addr, disk) = started.await.map_err(|_| ended())??;
        Ok(Self {
            local_addr,
            disk,
            stop,
            running,
        })
    }

    /// The address clients connect to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The file system that the data directory is on.
    #[must_use]
    pub fn disk_space(&self) -> DiskSpace {
        DiskSpace(Arc::clone(&self.disk))
    }

    /// Waits until the broker has ended, which it does by itself only by a bug.
    pub async fn ended(&self) {
        // Nothing is ever sent: an error means that the thread is gone.
        let _closed = self.running.clone().changed().await.is_err();
    }

    /// Stops accepting, answers what has been received (for at most
    /// `stop_grace`), syncs and saves everything, and lets go of the directory.
    ///
    /// # Cancellation
    /// Stopping goes on; only the waiting ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.ended().await;
    }
}

/// The broker's thread, from opening to the last file closed.
fn run(
    config: BrokerConfig,
    stop: watch::Receiver<bool>,
    started: oneshot::Sender<Result<(SocketAddr, Arc<Disk>), StartError>>,
) {
    let opened = match open(config) {
        Ok(opened) => opened,
        Err(error) => {
            let _listened = started.send(Err(error)).is_ok();
            return;
        }
    };
    let Opened {
        services,
        runtime,
        listener,
        local_addr,
        lock,
        sync_pool,
    } = opened;
    if started
        .send(Ok((local_addr, Arc::clone(&services.disk))))
        .is_err()
    {
        return;
    }
    runtime.block_on(async {
        let upkeep = tokio::spawn(upkeep::run(Arc::clone(&services), stop.clone()));
        listener::run(Arc::clone(&services), listener, stop).await;
        if upkeep.await.is_err() {
            tracing::error!("retention and compaction have ended by a panic");
        }
    });
    drop(runtime);
    drop(sync_pool);
    services.topics.close();
    drop(lock);
}

struct Opened {
    services: Arc<Services>,
    runtime: Runtime,
    listener: TcpListener,
    local_addr: SocketAddr,
    lock: DirectoryLock,
    sync_pool: SyncPool,
}

fn open(config: BrokerConfig) -> Result<Opened, StartError> {
    let lock = lock_directory(&config.data_dir)?;
    let sync_pool = SyncPool::start().map_err(StartError::Threads)?;
    let disk = Arc::new(Disk::of(config.data_dir.clone()));
    disk.keep_reserve();
    let log_services = LogServices {
        fsync: config.fsync,
        disk: Arc::clone(&disk),
        sync_queue: sync_pool.queue(),
    };
    let topics = Topics::open(config.data_dir.clone(), log_services, (config.clock)())?;
    let ids_path = config.data_dir.join(PRODUCER_IDS_FILE);
    let producer_ids = ProducerIds::open(ids_path.clone()).map_err(|source| StartError::Io {
        path: ids_path,
        source,
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("broker-net")
        .enable_io()
        .enable_time()
        .build()
        .map_err(StartError::Threads)?;
    let address = config.listen;
    let listened = runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let local_addr = listener.local_addr()?;
        Ok((listener, local_addr))
    });
    let (listener, local_addr) =
        listened.map_err(|source: io::Error| StartError::Listen { address, source })?;
    let services = Arc::new(Services {
        config,
        disk,
        topics,
        producer_ids,
    });
    Ok(Opened {
        services,
        runtime,
        listener,
        local_addr,
        lock,
        sync_pool,
    })
}

/// Two brokers on one directory would overwrite each other's records.
struct DirectoryLock(File);

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing alone does not unlock while a child process that is just being
        // started still has a copy of the file: the next start would be refused.
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "closing has to unlock the data directory");
        }
    }
}

fn lock_directory(data_dir: &Path) -> Result<DirectoryLock, StartError> {
    let path = data_dir.join(LOCK_FILE);
    let failed = |source| StartError::Io {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(data_dir).map_err(failed)?;
    let lock = File::create(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(DirectoryLock(lock)),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
