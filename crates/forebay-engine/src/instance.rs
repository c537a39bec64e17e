//! A Kafka cluster known to Forebay, and the threads that write to it.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix::{Actor, Addr, ArbiterHandle};
use actix_rt::Arbiter;
use dashmap::DashMap;
use forebay_kafka::{
    Broker,
    cluster::{Cluster, ClusterConfig},
    produce::ProduceLanes,
    record_batch::compress::Codec,
    security::Security,
    writer::IdempotentWriter,
};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{
    admission::{Admission, MemoryLimitReached, Permit},
    outage::Outage,
    producer::{PartitionQueue, ProducerActor},
    telemetry::{BatchMetrics, InstanceMetrics, Telemetry},
    topic::Topic,
    topic_admin::TopicAdminTurns,
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
    /// What batches of messages are compressed with; `None` is not at all. The
    /// registry's records never are.
    pub compression: Option<Codec>,
    /// How connections to it are protected.
    pub security: Security,
}

impl InstanceConfig {
    /// How it is reached.
    pub(crate) fn cluster(&self) -> ClusterConfig {
        ClusterConfig {
            security: self.security.clone(),
            ..ClusterConfig::new(self.brokers.clone())
        }
    }
}

/// What the requests to one of `instances` may hold of the memory limit: of
/// several an equal part, so that those that are away leave the others theirs.
/// See `docs/adr/0008-an-equal-share-of-memory-for-each-instance.md`.
pub(crate) fn memory_share(limit: usize, instances: usize) -> Option<Admission> {
    (instances > 1).then(|| Admission::new(limit / instances))
}

/// An instance as it is now, for people.
#[derive(Clone, Debug)]
pub struct InstanceState {
    /// The API's instance id.
    pub id: String,
    /// See [`InstanceConfig::embedded`].
    pub embedded: bool,
    /// Whether a broker of it answered within the last minute.
    pub reachable: bool,
    /// Why the last question to it was not answered; `None` if it was.
    pub problem: Option<String>,
    /// See [`InstanceConfig::compression`].
    pub compression: Option<Codec>,
    /// The brokers that the cluster named last, by id.
    pub brokers: Vec<BrokerState>,
}

/// A broker of an instance.
#[derive(Clone, Debug)]
pub struct BrokerState {
    /// Its node id.
    pub id: i32,
    /// `host:port`.
    pub address: String,
    /// Whether a produce connection to it is open; there is none before the
    /// first message.
    pub connected: bool,
}

/// The threads on which producers run: few, since a thread's connections are
/// shared by all its partitions, and batches grow with what shares them.
///
/// They are HTTP workers where there are some ([`ProducerThreads::offer`]),
/// because waking another thread is the dearest part of a small request: see
/// `docs/adr/0005-producers-on-http-workers.md`.
#[derive(Debug, Default)]
pub(crate) struct ProducerThreads {
    count: usize,
    offered: Mutex<Vec<ArbiterHandle>>,
    /// Settled with the first producer.
    chosen: OnceLock<Vec<ArbiterHandle>>,
    /// Threads of our own, where none was offered.
    own: Mutex<Vec<Arbiter>>,
}

impl ProducerThreads {
    /// At most `count` of them.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            count: count.max(1),
            ..Self::default()
        }
    }

    /// Producers may run on this arbiter. Without effect once one was started.
    pub(crate) fn offer(&self, thread: ArbiterHandle) {
        self.offered.lock().push(thread);
    }

    fn chosen(&self) -> &[ArbiterHandle] {
        self.chosen.get_or_init(|| {
            let mut offered = self.offered.lock();
            offered.truncate(self.count);
            if !offered.is_empty() {
                return std::mem::take(&mut *offered);
            }
            let own: Vec<_> = (0..self.count).map(|_| Arbiter::new()).collect();
            let handles = own.iter().map(Arbiter::handle).collect();
            *self.own.lock() = own;
            handles
        })
    }

    /// Stops threads of our own and waits for them; what is under way there
    /// is dropped.
    pub(crate) fn stop(&self) {
        for arbiter in self.own.lock().drain(..) {
            arbiter.stop();
            // A thread that has panicked has already said so.
            drop(arbiter.join());
        }
    }

    /// The thread of a partition: neighbours on different ones.
    fn of(&self, topic: &str, partition: i32) -> (usize, &ArbiterHandle) {
        let chosen = self.chosen();
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        let index = (hasher.finish() as usize).wrapping_add(partition as usize) % chosen.len();
        (index, &chosen[index])
    }
}

/// A running instance.
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) embedded: bool,
    pub(crate) cluster: Cluster,
    pub(crate) metrics: Arc<InstanceMetrics>,
    pub(crate) topics: DashMap<String, Arc<Topic>>,
    pub(crate) topic_turns: TopicAdminTurns,
    threads: Arc<ProducerThreads>,
    compression: Option<Codec>,
    /// One set for each producer thread; those in use.
    lanes: Mutex<HashMap<usize, ProduceLanes>>,
    batches: Arc<BatchMetrics>,
    last_contact: Mutex<Option<Instant>>,
    /// Why the last question was not answered.
    problem: Mutex<Option<String>>,
    /// What its requests may hold of the memory limit; `None` is all of it.
    share: Option<Admission>,
    outage: Mutex<Outage>,
    /// Told when a partition seems to be gone, or its leader lost.
    pub(crate) suspicion: Arc<Notify>,
}

impl Instance {
    pub(crate) fn new(
        config: &InstanceConfig,
        threads: Arc<ProducerThreads>,
        telemetry: &Telemetry,
        share: Option<Admission>,
    ) -> Self {
        let cluster = Cluster::new(config.cluster());
        let metrics = telemetry.instance(&config.id);
        Self {
            id: config.id.clone(),
            embedded: config.embedded,
            cluster,
            metrics,
            topics: DashMap::new(),
            topic_turns: TopicAdminTurns::default(),
            threads,
            compression: config.compression,
            lanes: Mutex::default(),
            batches: telemetry.batches.clone(),
            last_contact: Mutex::default(),
            problem: Mutex::default(),
            share,
            outage: Mutex::default(),
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

    /// Why the last question to it was not answered.
    pub(crate) fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }

    /// Counts a request against what the instance's requests may hold.
    ///
    /// # Errors
    /// If they hold that much already.
    pub(crate) fn count(&self, permit: &Permit) -> Result<(), MemoryLimitReached> {
        match &self.share {
            Some(share) => permit.count_against(share),
            None => Ok(()),
        }
    }

    pub(crate) fn state(&self) -> InstanceState {
        let broker = |broker: Broker| BrokerState {
            id: broker.id,
            connected: self.metrics.is_connected(broker.id),
            address: broker.address(),
        };
        let mut brokers: Vec<_> = self.cluster.brokers().into_iter().map(broker).collect();
        brokers.sort_by_key(|broker| broker.id);
        InstanceState {
            id: self.id.clone(),
            embedded: self.embedded,
            reachable: self.is_reachable(),
            problem: self.problem(),
            compression: self.compression,
            brokers,
        }
    }

    /// Asks whether any broker answers.
    pub(crate) async fn check_contact(&self) -> bool {
        match self.cluster.check().await {
            Ok(()) => {
                let now = Instant::now();
                *self.last_contact.lock() = Some(now);
                *self.problem.lock() = None;
                if let Some(away) = self.outage.lock().worked(now) {
                    tracing::info!(instance = self.id, ?away, "instance is reachable again");
                }
                true
            }
            Err(error) => {
                *self.problem.lock() = Some(error.to_string());
                if let Some(away) = self.outage.lock().failed(Instant::now()) {
                    tracing::warn!(instance = self.id, %error, ?away, "instance is not reachable");
                }
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
        let (index, thread) = self.threads.of(topic, partition);
        let make = || {
            let (cluster, metrics) = (self.cluster.clone(), self.metrics.clone());
            ProduceLanes::compressing(cluster, metrics, self.compression)
        };
        let lanes = self.lanes.lock().entry(index).or_insert_with(make).clone();
        let writer = IdempotentWriter::new(Arc::clone(topic), partition, lanes);
        let writer = Box::new(writer.reporting_to(queue.failing_flag()));
        let (queue, batches) = (Arc::clone(queue), self.batches.clone());
        let suspicion = Arc::clone(&self.suspicion);
        Actor::start_in_arbiter(thread, move |_| {
            ProducerActor::new(queue, writer, batches, suspicion)
        })
    }
}
