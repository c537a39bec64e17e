//! The question: how many of everything.

use super::costs::{BATCH_BYTES, MAX_IN_FLIGHT};

/// How messages find their partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// Each message has its own key: all partitions alike.
    Keyed,
    /// A request's messages go to one partition, the least burdened as its
    /// replica sees it.
    Keyless,
}

/// Replicas, brokers, partitions, and the load on them.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Forebay processes, loaded alike.
    pub replicas: usize,
    /// Cores of each replica's machine.
    pub cores: usize,
    /// Producer threads of a replica; `None`: a quarter of its cores, at least 1.
    pub producer_threads: Option<usize>,
    /// Brokers, leading equal shares of the partitions.
    pub brokers: usize,
    /// Cores of each broker that serve produce requests.
    pub broker_cores: usize,
    /// Copies of each partition, the leader's included.
    pub replication_factor: usize,
    /// Partitions of all topics together, all written to.
    pub partitions: usize,
    /// Messages per second, all replicas together.
    pub rate: f64,
    /// Messages of each SendMessage request.
    pub messages: usize,
    /// How messages find their partition.
    pub routing: Routing,
    /// Bytes of a record in a batch: value, key, some ten bytes of its own.
    pub record_bytes: usize,
    /// Network round trip between replica and broker.
    pub round_trip_us: f64,
    /// From a broker's append until all in-sync replicas have fetched it.
    pub replication_us: f64,
    /// Produce requests under way on a lane; another number than Forebay's is a
    /// what-if.
    pub in_flight: usize,
    /// How long a lane waits for more batches before it sends. Forebay has no
    /// such setting: a what-if.
    pub linger_us: f64,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            replicas: 10,
            cores: 16,
            producer_threads: None,
            brokers: 6,
            broker_cores: 8,
            replication_factor: 3,
            partitions: 10_000,
            rate: 1e6,
            messages: 10,
            routing: Routing::Keyed,
            record_bytes: 226,
            round_trip_us: 200.0,
            replication_us: 1000.0,
            in_flight: MAX_IN_FLIGHT,
            linger_us: 0.0,
        }
    }
}

impl Setup {
    /// Producer threads of a replica, as `forebay-engine/src/engine.rs` chooses.
    pub fn threads(&self) -> usize {
        self.producer_threads.unwrap_or(self.cores / 4).max(1)
    }

    /// Shared produce lanes that lead to one broker.
    pub fn lanes_per_broker(&self) -> usize {
        self.replicas * self.threads()
    }

    /// Partitions that one broker leads and one producer thread writes to; at
    /// least one.
    pub fn partitions_per_lane(&self) -> usize {
        self.partitions
            .div_ceil(self.brokers * self.threads())
            .max(1)
    }

    /// Records that a batch may have.
    pub fn batch_limit(&self) -> usize {
        (BATCH_BYTES / self.record_bytes).max(1)
    }
}
