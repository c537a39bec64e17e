//! Metrics: what is declared, and the handles that count.
//!
//! - `declarations`: names, units, help and labels of all of them;
//! - `task`, `instance`: what is counted of each.
//!
//! Handles are made once and kept, never looked up per request. Counters are
//! touched at each upkeep, so that an exporter with an idle timeout drops
//! exactly the series whose task is gone.

mod declarations;
mod instance;
mod task;

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use metrics::{Gauge, Histogram, gauge, histogram};

use declarations::{
    BATCH_BYTES, BATCH_RECORDS, INFLIGHT_BYTES, MEMORY_LIMIT_BYTES, REGISTRY_LAG_SECONDS,
    STAGE_SECONDS, TASKS,
};

pub use declarations::{
    BUCKETS, auth_seconds, build_info, certificate_not_after_seconds, clock_skew_seconds,
    connections, describe, embedded_broker_disk_free_bytes, panics, request_counter,
    request_seconds, shed,
};
pub use instance::InstanceMetrics;
pub use task::TaskMetrics;

/// Handles that the engine's parts share.
#[derive(Debug)]
pub struct Telemetry {
    tasks: DashMap<String, Arc<TaskMetrics>>,
    pub(crate) instances: DashMap<String, Arc<InstanceMetrics>>,
    pub(crate) batches: Arc<BatchMetrics>,
    inflight_bytes: Gauge,
    memory_limit_bytes: Gauge,
    registry_lag_seconds: Gauge,
    tasks_running: Gauge,
    tasks_paused: Gauge,
}

impl Telemetry {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            tasks: DashMap::new(),
            instances: DashMap::new(),
            batches: Arc::new(BatchMetrics {
                records: histogram!(BATCH_RECORDS),
                bytes: histogram!(BATCH_BYTES),
                received_to_sent: histogram!(STAGE_SECONDS, "stage" => "received_to_sent"),
                sent_to_acked: histogram!(STAGE_SECONDS, "stage" => "sent_to_acked"),
            }),
            inflight_bytes: gauge!(INFLIGHT_BYTES),
            memory_limit_bytes: gauge!(MEMORY_LIMIT_BYTES),
            registry_lag_seconds: gauge!(REGISTRY_LAG_SECONDS),
            tasks_running: gauge!(TASKS, "status" => "running"),
            tasks_paused: gauge!(TASKS, "status" => "paused"),
        })
    }

    /// The handles of a task, made at its first use.
    pub(crate) fn task(&self, task_id: &str) -> Arc<TaskMetrics> {
        let make = || Arc::new(TaskMetrics::new(task_id));
        Arc::clone(&self.tasks.entry(task_id.to_owned()).or_insert_with(make))
    }

    /// A task's metrics, if there was a request for it since the start.
    pub fn known_task(&self, task_id: &str) -> Option<Arc<TaskMetrics>> {
        self.tasks.get(task_id).map(|task| Arc::clone(&task))
    }

    /// Forgets a deleted task: its series go once the exporter finds them idle.
    pub(crate) fn forget_task(&self, task_id: &str) {
        self.tasks.remove(task_id);
    }

    pub(crate) fn instance(&self, instance: &str) -> Arc<InstanceMetrics> {
        let make = || Arc::new(InstanceMetrics::new(instance));
        Arc::clone(
            &self
                .instances
                .entry(instance.to_owned())
                .or_insert_with(make),
        )
    }

    pub(crate) fn set_memory(&self, in_flight: usize, limit: usize) {
        self.inflight_bytes.set(in_flight as f64);
        self.memory_limit_bytes.set(limit as f64);
    }

    pub(crate) fn set_registry(&self, lag: Option<Duration>, running: usize, paused: usize) {
        // Never confirmed yet: as stale as can be.
        self.registry_lag_seconds
            .set(lag.map_or(f64::INFINITY, |lag| lag.as_secs_f64()));
        self.tasks_running.set(running as f64);
        self.tasks_paused.set(paused as f64);
    }

    /// Keeps the series of all living tasks and instances from going idle.
    pub fn touch(&self) {
        for task in &self.tasks {
            task.touch();
        }
        for instance in &self.instances {
            instance.touch();
        }
    }
}

/// Of batches handed to Kafka.
#[derive(Debug)]
pub(crate) struct BatchMetrics {
    pub(crate) records: Histogram,
    pub(crate) bytes: Histogram,
    pub(crate) received_to_sent: Histogram,
    pub(crate) sent_to_acked: Histogram,
}
