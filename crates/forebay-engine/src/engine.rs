//! The engine: everything wired together.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::Addr;
use forebay_kafka::produce::ProduceLanes;
use tokio::time::Instant;

use crate::{
    admission::{Admission, Permit},
    delivery::Delivery,
    instance::{Instance, InstanceConfig, InstanceState, ProducerThreads, memory_share},
    query::MessageQueries,
    rate_limit::RateLimit,
    registry::{
        Registry, RegistryConfig, RegistryStatus, ReplicaSign, TaskChange, TaskObserver, TaskRef,
        TaskRegistryActor, TaskTable,
    },
    registry_log::KafkaLog,
    submit::{OutgoingMessage, Request, SubmitError, check_sizes, submit},
    telemetry::{TaskMetrics, Telemetry},
    topic::Topic,
    upkeep,
};

/// How stale the registry's tail may be for a ready replica.
const TAIL_FRESH: Duration = Duration::from_secs(5);

/// Between two looks at whether everything has been settled.
const SETTLE_INTERVAL: Duration = Duration::from_millis(10);

/// What the engine needs to know.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The clusters; the first is home of the registry.
    pub instances: Vec<InstanceConfig>,
    /// Topic of the registry's log.
    pub registry_topic: String,
    /// Bytes of requests between their head and their answer.
    pub memory_limit: usize,
}

/// The ingestion engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) instances: BTreeMap<String, Arc<Instance>>,
    pub(crate) registry: Registry,
    pub(crate) admission: Admission,
    /// The first instance, and the topic of the registry's log there.
    registry_topic: (String, String),
    queries: MessageQueries,
    pub(crate) telemetry: Arc<Telemetry>,
    threads: Arc<ProducerThreads>,
}

/// What hangs on a task's entry in the table: resolved once.
struct TaskRoute {
    topic: Arc<Topic>,
    metrics: Arc<TaskMetrics>,
    qps: RateLimit,
}

impl Engine {
    /// Starts the engine in the current actix system and returns at once; it
    /// connects by itself, now or whenever Kafka comes.
    ///
    /// # Panics
    /// Outside an actix system, or without an instance.
    pub fn start(config: &EngineConfig) -> Self {
        let telemetry = Telemetry::new();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = Arc::new(ProducerThreads::new(cores / 4));
        let instances: Vec<_> = config
            .instances
            .iter()
            .map(|instance| {
                let share = memory_share(config.memory_limit, config.instances.len());
                let threads = Arc::clone(&threads);
                Arc::new(Instance::new(instance, threads, &telemetry, share))
            })
            .collect();
        let home = instances
            .first()
            .expect("the configuration has at least one instance");
        let lanes = ProduceLanes::new(home.cluster.clone(), home.metrics.clone());
        let log = KafkaLog::new(&config.registry_topic, home.cluster.clone(), lanes);
        let registry_topic = (home.id.clone(), config.registry_topic.clone());
        let registry = Registry::start(
            Arc::new(log),
            RegistryConfig::default(),
            vec![forget_deleted_tasks(Arc::clone(&telemetry))],
        );
        let instances = instances
            .into_iter()
            .map(|instance| (instance.id.clone(), instance));
        let admission = Admission::new(config.memory_limit);
        let shared = Arc::new(Shared {
            instances: instances.collect(),
            registry,
            registry_topic,
            queries: MessageQueries::new(&config.instances, &admission),
            admission,
            telemetry,
            threads,
        });
        upkeep::start(&shared);
        Self { shared }
    }

    /// Lets producers run on the calling arbiter, beside what hands over to
    /// them. To be called before the first message.
    ///
    /// # Panics
    /// Outside an actix system.
    pub fn host_producers_here(&self) {
        self.shared.threads.offer(actix_rt::Arbiter::current());
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The tasks, for looking them up.
    pub fn tasks(&self) -> &TaskTable {
        &self.shared.registry.table
    }

    /// Where tasks are created, modified, paused, resumed and deleted. Not to
    /// be kept: after a panic it is another.
    pub fn registry(&self) -> Addr<TaskRegistryActor> {
        self.shared.registry.addr()
    }

    /// The replicas that told of themselves, this one too, by name.
    pub fn replicas(&self) -> Vec<ReplicaSign> {
        self.shared.registry.replicas.all()
    }

    /// The registry's health.
    pub fn registry_status(&self) -> RegistryStatus {
        self.shared.registry.status.get()
    }

    /// The memory budget.
    pub fn admission(&self) -> &Admission {
        &self.shared.admission
    }

    /// Reading messages back.
    pub fn queries(&self) -> &MessageQueries {
        &self.shared.queries
    }

    /// The metrics that engine and service share.
    pub fn telemetry(&self) -> &Telemetry {
        &self.shared.telemetry
    }

    /// The counters of a task.
    pub fn task_metrics(&self, task: &TaskRef) -> Arc<TaskMetrics> {
        self.shared.telemetry.task(task.spec().task_id.as_str())
    }

    /// Routes a request's messages and appends them to their partitions' open
    /// batches: all or none. Quick, and never waits.
    ///
    /// # Errors
    /// Nothing was handed over. On [`SubmitError::TopicNotLoaded`] wait for
    /// the topic and submit again.
    pub fn submit(
        &self,
        task: &TaskRef,
        messages: &[OutgoingMessage<'_>],
        received_ms: i64,
        deadline: Instant,
        permit: Arc<Permit>,
    ) -> Result<Delivery, SubmitError> {
        let route = self.route(task)?;
        let topic = &route.topic;
        if topic.is_gone() {
            return Err(SubmitError::TopicGone(topic.name.to_string()));
        }
        // Before any wait: whoever waits for a cluster that is away holds memory.
        topic
            .instance()
            .count(&permit)
            .map_err(|refusal| SubmitError::InstanceMemory {
                instance: topic.instance().id.clone(),
                refusal,
            })?;
        let view = match topic.view() {
            Some(view) if view.partition_count() > 0 => view,
            _ => return Err(SubmitError::TopicNotLoaded(Arc::clone(topic))),
        };
        // Before the limit: what is too large would only use up others' turns.
        check_sizes(&view, messages)?;
        if !route.qps.try_take(std::time::Instant::now()) {
            return Err(SubmitError::OverQpsLimit(route.qps.per_second()));
        }
        let metrics = Arc::clone(&route.metrics);
        let request = Request {
            received_ms,
            deadline,
            permit,
            metrics,
        };
        Ok(submit(topic, &view, messages, request))
    }

    fn route(&self, task: &TaskRef) -> Result<Arc<TaskRoute>, SubmitError> {
        if let Some(route) = task.extension().get() {
            let route = Arc::clone(route).downcast();
            return Ok(route.expect("the slot holds nothing but routes"));
        }
        let spec = task.spec();
        let instance = self
            .shared
            .instances
            .get(&spec.target.instance)
            .ok_or_else(|| SubmitError::UnknownInstance(spec.target.instance.clone()))?;
        let route = Arc::new(TaskRoute {
            topic: instance.topic(&spec.target.topic),
            metrics: self.shared.telemetry.task(spec.task_id.as_str()),
            qps: RateLimit::new(spec.qps_limit),
        });
        // If another thread was quicker, its route is as good.
        drop(task.extension().set(Arc::clone(&route) as Arc<_>));
        Ok(route)
    }

    /// Why the last question to an instance was not answered.
    pub fn instance_problem(&self, id: &str) -> Option<String> {
        self.shared.instances.get(id)?.problem()
    }

    /// The instances as they are now, by id. One that is away leaves the replica
    /// ready, as long as another is there.
    pub fn instances(&self) -> Vec<InstanceState> {
        let instances = self.shared.instances.values();
        instances.map(|instance| instance.state()).collect()
    }

    /// Why this replica is not ready to take messages; empty if it is.
    pub fn readiness(&self) -> Vec<String> {
        let status = self.registry_status();
        let mut reasons = Vec::new();
        if !status.loaded {
            reasons.push("task registry is not loaded".to_owned());
        } else if !is_fresh(&status) {
            reasons.push("task registry's tail was not confirmed within the last 5 s".to_owned());
        }
        if !reasons.is_empty() {
            reasons.extend(status.fatal.or(status.problem));
        }
        if !self
            .shared
            .instances
            .values()
            .any(|instance| instance.is_reachable())
        {
            reasons.push("no instance was reachable within the last minute".to_owned());
            let instances = self.shared.instances.values();
            reasons.extend(instances.filter_map(|instance| {
                let problem = instance.problem()?;
                Some(format!("instance {}: {problem}", instance.id))
            }));
        }
        reasons
    }

    /// Waits until the tasks are known; while Kafka is away, that long.
    ///
    /// # Errors
    /// Why the registry can never be loaded.
    pub async fn registry_loaded(&self) -> Result<(), String> {
        self.shared.registry.status.settled().await
    }

    /// Resolves when the registry can never be loaded, with the reason.
    pub async fn fatal_problem(&self) -> String {
        match self.registry_loaded().await {
            Err(problem) => problem,
            Ok(()) => std::future::pending().await,
        }
    }

    /// Waits until everything handed over is settled, at most for `grace`.
    /// To be called while the threads that host producers still run.
    pub async fn settled(&self, grace: Duration) {
        let until = Instant::now() + grace;
        while !self.shared.is_idle() && Instant::now() < until {
            tokio::time::sleep(SETTLE_INTERVAL).await;
        }
    }

    /// Stops the registry, and the producers that run on threads of the
    /// engine's own; what is under way there is dropped.
    pub async fn shutdown(self) {
        self.shared.registry.stop().await;
        self.shared.threads.stop();
    }
}

impl Shared {
    /// Whether it is the topic of the registry's log, whatever its name.
    pub(crate) fn is_registry_topic(&self, instance: &str, topic: &str) -> bool {
        self.registry_topic.0 == instance && self.registry_topic.1 == topic
    }

    fn is_idle(&self) -> bool {
        let topics = self.instances.values();
        topics
            .flat_map(|instance| &instance.topics)
            .all(|topic| topic.is_idle())
    }
}

fn is_fresh(status: &RegistryStatus) -> bool {
    status
        .tail_confirmed_ms_ago
        .is_some_and(|ms| u128::from(ms) <= TAIL_FRESH.as_millis())
}

fn forget_deleted_tasks(telemetry: Arc<Telemetry>) -> TaskObserver {
    Arc::new(move |change| {
        if let TaskChange::Removed(task) = change {
            telemetry.forget_task(task.spec().task_id.as_str());
        }
    })
}
