//! A Kafka cluster known to Forebay, and the threads that write to it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use actix::{Actor, Addr, ArbiterHandle};
use actix_rt::Arbiter;
use dashmap::DashMap;
use forebay_kafka::{
    cluster::{Cluster, ClusterConfig},
    produce::ProduceLanes,
    writer::IdempotentWriter,
};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{
    producer::{PartitionQueue, ProducerActor},
    telemetry::{BatchMetrics, InstanceMetrics, Telemetry},
    topic::Topic,
};

/// For how long a broker's answer proves that its cluster is reachable.
const REACHABLE_FOR: Duration = Duration::from_secs(60);

/// An instance of the configuration.
#[derive(Clone, Debug)]
pub struct InstanceConfig {
    /// The API's instance id, such as `ckafka-forebay0`.
    pub id: String,
    /// `host:port` of some of its brokers.
    pub brokers: Vec<String>,
    /// The development store in this process, whose topics' lack of replicas
    /// is not worth a warning.
    pub embedded: bool,
}

/// The threads on which producers run: few, since waking another thread is
/// what costs, and a thread's connections are shared by all its partitions.
#[derive(Debug)]
pub(crate) struct ProducerThreads {
    handles: Vec<ArbiterHandle>,
    arbiters: Mutex<Vec<Arbiter>>,
}

impl ProducerThreads {
    pub(crate) fn start(count: usize) -> Self {
        let arbiters: Vec<_> = (0..count.max(1)).map(|_| Arbiter::new()).collect();
        let handles = arbiters.iter().map(Arbiter::handle).collect();
        Self {
            handles,
            arbiters: Mutex::new(arbiters),
        }
    }

    /// Stops the threads and waits for them; what is under way is dropped.
    pub(crate) fn stop(&self) {
        for arbiter in self.arbiters.lock().drain(..) {
            arbiter.stop();
            // A thread that has panicked has already said so.
            drop(arbiter.join());
        }
    }

    fn index(&self, topic: &str, partition: i32) -> usize {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        (hasher.finish() as usize).wrapping_add(partition as usize) % self.handles.len()
    }
}

/// A running instance.
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) embedded: bool,
    pub(crate) cluster: Cluster,
    pub(crate) metrics: Arc<InstanceMetrics>,
    pub(crate) topics: DashMap<String, Arc<Topic>>,
    threads: Arc<ProducerThreads>,
    /// One set for each producer thread.
    lanes: Vec<ProduceLanes>,
    batches: BatchMetrics,
    last_contact: Mutex<Option<Instant>>,
    /// Told when a partition seems to be gone, or its leader lost.
    pub(crate) suspicion: Arc<Notify>,
}

impl Instance {
    pub(crate) fn new(
        config: &InstanceConfig,
        threads: Arc<ProducerThreads>,
        telemetry: &Telemetry,
    ) -> Self {
        let cluster = Cluster::new(ClusterConfig::new(config.brokers.clone()));
        let metrics = telemetry.instance(&config.id);
        let lanes = threads.handles.iter();
        let lanes = lanes
            .map(|_| ProduceLanes::new(cluster.clone(), metrics.clone()))
            .collect();
        Self {
            id: config.id.clone(),
            embedded: config.embedded,
            cluster,
            metrics,
            topics: DashMap::new(),
            threads,
            lanes,
            batches: telemetry.batches.clone(),
            last_contact: Mutex::default(),
            suspicion: Arc::default(),
        }
    }

    /// The topic's handle, made at its first use.
    pub(crate) fn topic(self: &Arc<Self>, name: &str) -> Arc<Topic> {
        if let Some(topic) = self.topics.get(name) {
            return Arc::clone(&topic);
        }
        let make = || Arc::new(Topic::new(name, Arc::clone(self)));
        Arc::clone(&self.topics.entry(name.to_owned()).or_insert_with(make))
    }

    /// Whether a broker of it answered within the last minute.
    pub(crate) fn is_reachable(&self) -> bool {
        self.last_contact
            .lock()
            .is_some_and(|at| at.elapsed() < REACHABLE_FOR)
    }

    /// Asks whether any broker answers.
    pub(crate) async fn check_contact(&self) -> bool {
        match self.cluster.check().await {
            Ok(()) => {
                *self.last_contact.lock() = Some(Instant::now());
                true
            }
            Err(error) => {
                tracing::warn!(instance = self.id, %error, "instance is not reachable");
                false
            }
        }
    }

    /// Starts the producer of a partition on its thread.
    pub(crate) fn start_producer(
        &self,
        topic: &Arc<str>,
        queue: &Arc<PartitionQueue>,
    ) -> Addr<ProducerActor> {
        let partition = queue.partition();
        let thread = self.threads.index(topic, partition);
        let lanes = self.lanes[thread].clone();
        let writer = IdempotentWriter::new(Arc::clone(topic), partition, lanes);
        let writer = Box::new(writer.reporting_to(queue.failing_flag()));
        let (queue, batches) = (Arc::clone(queue), self.batches.clone());
        let suspicion = Arc::clone(&self.suspicion);
        Actor::start_in_arbiter(&self.threads.handles[thread], move |_| {
            ProducerActor::new(queue, writer, batches, suspicion)
        })
    }
}
