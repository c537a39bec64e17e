//! What can be counted without simulating.

use super::{costs::Costs, setup::Setup, simulation::Measured};

/// Connections that one broker has from all replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Shared produce lanes: one for each producer thread of each replica.
    pub lanes: usize,
    /// Metadata, producer ids, offsets, settings: one for each replica, at most.
    pub control: usize,
    /// Message queries have a client of their own: control and fetch.
    pub queries: usize,
    /// Only at the broker that leads the registry's topic: each replica has a
    /// lane to write it and a connection to read it.
    pub registry: usize,
    /// If every partition that the broker leads timed out: one lane for each
    /// and each replica that writes it.
    pub isolated: usize,
}

impl Connections {
    /// Of one broker of the setup, each kind at its most.
    pub fn of(setup: &Setup) -> Self {
        Self {
            lanes: setup.lanes_per_broker(),
            control: setup.replicas,
            queries: 2 * setup.replicas,
            registry: 2 * setup.replicas,
            isolated: setup.replicas * setup.partitions.div_ceil(setup.brokers),
        }
    }

    /// Of a broker that leads the registry, without isolated partitions.
    pub fn healthy(&self) -> usize {
        self.lanes + self.control + self.queries + self.registry
    }
}

/// What the tasks and partitions themselves cost a replica; measured, see the
/// table of inputs of `docs/scaling.md`.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Resident bytes of a replica at rest.
    pub base_bytes: f64,
    /// Resident bytes for each task, its metrics included.
    pub task_bytes: f64,
    /// Resident bytes for each partition that was written to.
    pub partition_bytes: f64,
    /// Resident bytes for each idle HTTP connection.
    pub connection_bytes: f64,
    /// Bytes of the registry's log for each task.
    pub log_bytes: f64,
    /// Microseconds to load a task from the log at start.
    pub load_us: f64,
    /// Milliseconds of creating a task after another at one topic: two appends,
    /// and metadata that is asked for at most every 100 ms.
    pub change_ms: f64,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            base_bytes: 21e6,
            task_bytes: 3900.0,
            partition_bytes: 10_400.0,
            connection_bytes: 21_400.0,
            log_bytes: 640.0,
            load_us: 9.0,
            change_ms: 100.0,
        }
    }
}

/// Series that a task has: three outcomes and bytes (`telemetry/task.rs`).
const SERIES_PER_TASK: usize = 4;

/// Requests for each topic and round of upkeep: metadata, settings.
const REQUESTS_PER_TOPIC: usize = 2;

/// Seconds between rounds of upkeep, a topic's at most (`upkeep.rs`): 30 and
/// the second before it.
const UPKEEP_SECONDS: f64 = 31.0;

/// What a number of tasks, each with a topic of its own, asks of one replica.
#[derive(Clone, Copy, Debug)]
pub struct TaskLoad {
    /// Bytes of the registry's log, compacted.
    pub log_bytes: f64,
    /// Seconds to load it at start.
    pub load_seconds: f64,
    /// Seconds to create all tasks, one change after another.
    pub create_seconds: f64,
    /// Series at `/metrics`, without those that are always there.
    pub series: usize,
    /// Seconds of one round of upkeep: topics are looked at one by one.
    pub upkeep_seconds: f64,
    /// Metadata and settings requests a second of all replicas.
    pub upkeep_requests: f64,
}

impl TaskLoad {
    /// Of `tasks` tasks that write to `topics` topics.
    pub fn of(tasks: usize, topics: usize, setup: &Setup, standing: &Standing) -> Self {
        let requests = (topics * REQUESTS_PER_TOPIC) as f64;
        // Half a millisecond for the broker's own work: assumed.
        let upkeep_seconds = requests * (setup.round_trip_us / 1e6 + 5e-4);
        Self {
            log_bytes: tasks as f64 * standing.log_bytes,
            load_seconds: tasks as f64 * standing.load_us / 1e6,
            create_seconds: tasks as f64 * standing.change_ms / 1e3,
            series: tasks * SERIES_PER_TASK,
            upkeep_seconds,
            upkeep_requests: setup.replicas as f64 * requests / (UPKEEP_SECONDS + upkeep_seconds),
        }
    }
}

/// Resident bytes of a replica that writes to all partitions, has this many
/// tasks and HTTP connections, and nothing under way.
pub fn resident_bytes(setup: &Setup, tasks: usize, http: usize, standing: &Standing) -> f64 {
    standing.base_bytes
        + tasks as f64 * standing.task_bytes
        + setup.partitions as f64 * standing.partition_bytes
        + http as f64 * standing.connection_bytes
}

/// CPU of one replica.
#[derive(Clone, Copy, Debug)]
pub struct GatewayLoad {
    /// Cores busy, all threads together.
    pub cores: f64,
    /// Share of one producer thread's time that goes into batches and frames
    /// alone, HTTP not counted. Above 1 the model has no solution: such a
    /// thread would fall behind.
    pub producer_thread: f64,
}

impl GatewayLoad {
    /// What the simulated load means for each replica. All brokers together
    /// send what one does, times their number.
    pub fn of(setup: &Setup, costs: &Costs, measured: &Measured) -> Self {
        let share = setup.brokers as f64 / setup.replicas as f64 / measured.seconds;
        let batches = measured.batches as f64;
        // n batches are n(n-1)/2 comparisons.
        let pairs = (measured.squares as f64 - batches) / 2.0;
        let producing =
            share * (batches * costs.gateway_batch_us + pairs * costs.gateway_pair_us) / 1e6;
        let messages = share * measured.records as f64;
        let serving = messages
            * (costs.gateway_message_us + costs.gateway_request_us / setup.messages as f64)
            / 1e6;
        Self {
            cores: producing + serving,
            producer_thread: producing / setup.threads() as f64,
        }
    }
}
