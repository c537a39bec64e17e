//! The broker's settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Reads Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Settings of a [`Broker`](crate::Broker); [`BrokerConfig::new`] has the defaults.
#[derive(Clone)]
pub struct BrokerConfig {
    /// Directory of all files; created if missing. One broker at a time.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 is a free one. Clients are told this address
    /// (if it is a wildcard, the one they came to).
    pub listen: SocketAddr,
    /// Acknowledge after an fdatasync, shared by all that wait. Without it,
    /// records survive the process but not the machine.
    pub fsync: bool,
    /// Connections in all; more are closed at accept.
    pub max_connections: usize,
    /// Largest request in bytes; a connection that sends a larger one is closed.
    pub max_frame_bytes: usize,
    /// Connections without a request for so long are closed.
    pub idle_timeout: Duration,
    /// Partitions of a topic created without a number.
    pub default_partitions: i32,
    /// Whether Metadata requests that ask for it create missing topics. Off: a
    /// misspelt name should be an error.
    pub auto_create_topics: bool,
    /// How often retention and compaction run.
    pub upkeep_interval: Duration,
    /// How long [`Broker::stop`](crate::Broker::stop) waits for requests under way.
    pub stop_grace: Duration,
    /// The time; passed in, so that one place reads it.
    pub clock: Clock,
}

impl BrokerConfig {
    /// The defaults, with files in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>, clock: Clock) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            fsync: true,
            max_connections: 1000,
            max_frame_bytes: 16 << 20,
            idle_timeout: Duration::from_secs(600),
            default_partitions: 4,
            auto_create_topics: false,
            upkeep_interval: Duration::from_secs(30),
            stop_grace: Duration::from_secs(5),
            clock,
        }
    }
}

impl std::fmt::Debug for BrokerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BrokerConfig")
            .field("data_dir", &self.data_dir)
            .field("listen", &self.listen)
            .field("fsync", &self.fsync)
            .finish_non_exhaustive()
    }
}
