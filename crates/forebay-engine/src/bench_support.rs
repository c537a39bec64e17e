//! What the micro-benchmarks in `benches/` need of the engine's insides. No
//! part of its interface: it may change with any commit.

use std::sync::Arc;

use actix::Actor as _;
use forebay_kafka::{security::Security, writer::PartitionWriter};
use tokio::time::Instant;

use crate::{
    InstanceConfig, OutgoingMessage, SubmitError, Topic,
    admission::Admission,
    delivery::Delivery,
    instance::{Instance, ProducerThreads},
    producer::{PartitionQueue, ProducerActor},
    submit::{Request, check_sizes, submit},
    telemetry::{TaskMetrics, Telemetry},
    topic::Producer,
};

/// A topic of an instance that is never asked, with one partition and one running
/// producer for each writer. On `threads` run the producers that are started later,
/// as after a panic.
pub(crate) fn detached_topic(
    telemetry: &Telemetry,
    threads: Arc<ProducerThreads>,
    writers: impl IntoIterator<Item = Box<dyn PartitionWriter>>,
) -> Topic {
    let config = InstanceConfig {
        id: "ckafka-forebay0".to_owned(),
        brokers: Vec::new(),
        embedded: false,
        compression: None,
        security: Security::default(),
    };
    let instance = Arc::new(Instance::new(&config, threads, telemetry, None));
    let producers = (0..).zip(writers).map(|(partition, writer)| {
        let queue = Arc::new(PartitionQueue::new(partition));
        let batches = telemetry.batches.clone();
        let suspicion = Arc::clone(&instance.suspicion);
        let actor = ProducerActor::new(Arc::clone(&queue), writer, batches, suspicion);
        Producer::started(queue, actor.start())
    });
    let producers = producers.collect();
    Topic::with_producers("orders", instance, producers)
}

/// A topic without a Kafka: the way of messages from their routing to their
/// acknowledgement, with the caller's own writers in the place of connections.
pub struct DetachedTopic {
    topic: Topic,
    metrics: Arc<TaskMetrics>,
    admission: Admission,
}

impl DetachedTopic {
    /// A topic with one partition for each writer. Its producers run on the
    /// calling arbiter, as they do beside an HTTP worker.
    ///
    /// # Panics
    /// Outside an actix system.
    pub fn start(writers: impl IntoIterator<Item = Box<dyn PartitionWriter>>) -> Self {
        let telemetry = Telemetry::new();
        let threads = Arc::new(ProducerThreads::new(1));
        Self {
            topic: detached_topic(&telemetry, threads, writers),
            metrics: telemetry.task("task-forebay0"),
            admission: Admission::new(usize::MAX),
        }
    }

    /// Hands messages over, as [`Engine::submit`](crate::Engine::submit) does
    /// once it has found their task; `bytes` is what their request reserves.
    ///
    /// # Errors
    /// As there.
    pub fn submit(
        &self,
        messages: &[OutgoingMessage<'_>],
        bytes: usize,
        received_ms: i64,
        deadline: Instant,
    ) -> Result<Delivery, SubmitError> {
        let permit = self.admission.try_reserve(bytes);
        let request = Request {
            received_ms,
            deadline,
            permit: Arc::new(permit.expect("without a limit everything fits")),
            metrics: Arc::clone(&self.metrics),
        };
        let view = self.topic.view().expect("loaded from the start");
        check_sizes(&view, messages)?;
        Ok(submit(&self.topic, &view, messages, request))
    }

    /// The partition for a request's keyless messages.
    pub fn keyless_partition(&self) -> usize {
        let view = self.topic.view().expect("loaded from the start");
        self.topic.keyless_partition(&view)
    }
}
