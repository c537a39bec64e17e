//! A topic that tasks write to: its partitions and limits, as last seen.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::Addr;
use arc_swap::ArcSwapOption;
use forebay_kafka::{Error, ErrorCode, metadata::TopicMetadata};
use parking_lot::Mutex;

use crate::{
    instance::Instance,
    producer::{Flush, PartitionQueue, ProducerActor},
    route::partition_for_key,
};

/// Kafka's default of `max.message.bytes`.
const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// Batches are closed at this size even where the topic takes larger ones:
/// they cost more per record, and wait for longer.
const BATCH_BYTES: usize = 1 << 20;

/// A broker that has just started, or has not yet heard of a new topic, may
/// not know it: asked that often before a topic is taken for missing.
const LOOKS: usize = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// A topic of an instance.
pub struct Topic {
    pub(crate) name: Arc<str>,
    instance: Arc<Instance>,
    view: ArcSwapOption<TopicView>,
    gone: AtomicBool,
    loading: tokio::sync::Mutex<()>,
    /// Where the search for the least burdened partition begins.
    turn: AtomicUsize,
}

/// What is known of a topic.
pub(crate) struct TopicView {
    partitions: Vec<Arc<Producer>>,
    /// Limit of a batch that holds one record, in bytes.
    pub(crate) max_message_bytes: usize,
    /// Why a broker's loss may lose messages, if it may.
    warning: Option<String>,
}

/// A partition's queue, and its producer once something was sent to it.
pub(crate) struct Producer {
    pub(crate) queue: Arc<PartitionQueue>,
    address: Mutex<Option<Addr<ProducerActor>>>,
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({}/{})", self.instance.id, self.name)
    }
}

impl Topic {
    pub(crate) fn new(name: &str, instance: Arc<Instance>) -> Self {
        Self {
            name: name.into(),
            instance,
            view: ArcSwapOption::empty(),
            gone: AtomicBool::new(false),
            loading: tokio::sync::Mutex::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// A topic that is loaded and asks no cluster: for benchmarks.
    pub(crate) fn with_producers(
        name: &str,
        instance: Arc<Instance>,
        producers: Vec<Producer>,
    ) -> Self {
        let view = TopicView {
            partitions: producers.into_iter().map(Arc::new).collect(),
            max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES,
            warning: None,
        };
        let topic = Self::new(name, instance);
        topic.view.store(Some(Arc::new(view)));
        topic
    }

    pub(crate) fn instance(&self) -> &Instance {
        &self.instance
    }

    /// `None` until it was loaded once.
    pub(crate) fn view(&self) -> Option<Arc<TopicView>> {
        self.view.load_full()
    }

    /// Whether the cluster says that there is no such topic.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Loads the topic unless it is loaded: for the first message to it.
    ///
    /// # Errors
    /// If the cluster cannot be asked, or says that there is no such topic.
    pub async fn ready(&self) -> Result<(), Error> {
        let _one_at_a_time = self.loading.lock().await;
        if self.view.load().is_some() && !self.is_gone() {
            return Ok(());
        }
        self.load().await
    }

    /// Looks again: partitions may have been added, limits changed, the topic
    /// deleted or made anew.
    ///
    /// # Errors
    /// As [`Topic::ready`]; what was known stays.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        let _one_at_a_time = self.loading.lock().await;
        self.load().await
    }

    /// Takes note that it was deleted just now.
    pub(crate) fn deleted(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    async fn load(&self) -> Result<(), Error> {
        let metadata = match self.look().await {
            Err(error) if error.is_unknown_topic() => {
                let known_gone = self.gone.swap(true, Ordering::Relaxed);
                if !known_gone && self.view.load().is_some() {
                    tracing::warn!(topic = %self.name, instance = self.instance.id, "topic is gone");
                }
                return Err(error);
            }
            found => found?,
        };
        let configs = self.configs().await?;
        let known = self.view();
        let warning = match self.instance.embedded {
            // It has one node by design, and says so.
            true => None,
            false => durability_warning(&metadata, &configs),
        };
        let view = TopicView::new(&metadata, &configs, known.as_deref(), warning);
        let news = view.warning.as_ref().filter(|warning| {
            known
                .as_ref()
                .is_none_or(|known| known.warning.as_ref() != Some(warning))
        });
        if let Some(warning) = news {
            tracing::warn!(topic = %self.name, instance = self.instance.id, "{warning}");
        }
        self.view.store(Some(Arc::new(view)));
        self.gone.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Empty if we may not see them: defaults serve then.
    async fn configs(&self) -> Result<BTreeMap<String, String>, Error> {
        match self
            .instance
            .cluster
            .describe_topic_configs(&self.name)
            .await
        {
            Err(error) if error.code() == Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED) => {
                tracing::debug!(topic = %self.name, %error, "going by default settings");
                Ok(BTreeMap::new())
            }
            configs => configs,
        }
    }

    async fn look(&self) -> Result<Arc<TopicMetadata>, Error> {
        for _ in 1..LOOKS {
            match self.instance.cluster.refresh(&self.name).await {
                Err(error) if error.is_unknown_topic() => tokio::time::sleep(BETWEEN_LOOKS).await,
                answer => return answer,
            }
        }
        self.instance.cluster.refresh(&self.name).await
    }

    /// Wakes the producer of a partition, starting it at its first use, and
    /// anew where it has ended.
    pub(crate) fn wake(&self, producer: &Producer) {
        let mut address = producer.address.lock();
        if producer.queue.take_abandoned() {
            *address = None;
        }
        let address = address
            .get_or_insert_with(|| self.instance.start_producer(&self.name, &producer.queue));
        // It sleeps, so its mailbox is empty; it is closed only once the
        // process stops, and then the deadline settles what was appended.
        if let Err(error) = address.try_send(Flush) {
            tracing::debug!(topic = %self.name, %error, "producer cannot be woken");
        }
    }

    /// The partition for a request's keyless messages: the least burdened of
    /// those that do not fail, ties in turn.
    pub(crate) fn keyless_partition(&self, view: &TopicView) -> usize {
        let count = view.partitions.len();
        let start = self.turn.fetch_add(1, Ordering::Relaxed) % count;
        let mut best = (true, u64::MAX, start);
        for step in 0..count {
            let index = (start + step) % count;
            let queue = &view.partitions[index].queue;
            let candidate = (queue.is_failing(), queue.burden(), index);
            if (candidate.0, candidate.1) < (best.0, best.1) {
                best = candidate;
            }
            if (best.0, best.1) == (false, 0) {
                break;
            }
        }
        best.2
    }

    pub(crate) fn warning(&self) -> Option<String> {
        self.view().and_then(|view| view.warning.clone())
    }

    /// Age of the oldest message that is not settled.
    pub(crate) fn oldest(&self) -> Duration {
        let view = self.view();
        let oldest = view.iter().flat_map(|view| &view.partitions);
        oldest
            .map(|producer| producer.queue.oldest())
            .max()
            .unwrap_or_default()
    }

    /// Whether nothing waits to be settled.
    pub(crate) fn is_idle(&self) -> bool {
        let view = self.view();
        let mut producers = view.iter().flat_map(|view| &view.partitions);
        producers.all(|producer| producer.queue.burden() == 0 && producer.queue.oldest().is_zero())
    }
}

impl Producer {
    /// One that is there before its first message.
    pub(crate) fn started(queue: Arc<PartitionQueue>, address: Addr<ProducerActor>) -> Self {
        Self {
            queue,
            address: Mutex::new(Some(address)),
        }
    }
}

impl TopicView {
    fn new(
        metadata: &TopicMetadata,
        configs: &BTreeMap<String, String>,
        known: Option<&Self>,
        warning: Option<String>,
    ) -> Self {
        let partitions = (0..metadata.partitions.len())
            .map(
                |index| match known.and_then(|known| known.partitions.get(index)) {
                    Some(producer) => Arc::clone(producer),
                    None => Arc::new(Producer {
                        queue: Arc::new(PartitionQueue::new(index as i32)),
                        address: Mutex::default(),
                    }),
                },
            )
            .collect();
        let max_message_bytes = configs
            .get("max.message.bytes")
            .and_then(|value| value.parse().ok())
            .unwrap_or(DEFAULT_MAX_MESSAGE_BYTES);
        Self {
            partitions,
            max_message_bytes,
            warning,
        }
    }

    pub(crate) fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    pub(crate) fn producer(&self, partition: usize) -> &Producer {
        &self.partitions[partition]
    }

    pub(crate) fn partition_for_key(&self, key: &[u8]) -> usize {
        partition_for_key(key, self.partitions.len())
    }

    /// At which size a batch of several records is closed.
    pub(crate) fn batch_bytes(&self) -> usize {
        self.max_message_bytes.min(BATCH_BYTES)
    }
}

/// What the topic lacks to keep acknowledged messages when a broker is lost:
/// three replicas, two of them in sync, and no unclean election.
fn durability_warning(
    metadata: &TopicMetadata,
    configs: &BTreeMap<String, String>,
) -> Option<String> {
    let replicas = replication_factor(metadata);
    let config = |name: &str| configs.get(name).map_or("", String::as_str);
    let in_sync: usize = config("min.insync.replicas").parse().unwrap_or(1);
    let mut lacks = Vec::new();
    if replicas < 3 {
        lacks.push(format!("replication factor is {replicas}, not 3"));
    }
    if in_sync < 2 {
        lacks.push(format!("min.insync.replicas is {in_sync}, not 2"));
    }
    if config("unclean.leader.election.enable") == "true" {
        lacks.push("unclean.leader.election.enable is true".to_owned());
    }
    (!lacks.is_empty()).then(|| {
        format!(
            "acknowledged messages may not survive the loss of a broker: {}",
            lacks.join(", ")
        )
    })
}

/// Replicas of the partition that has the fewest.
pub(crate) fn replication_factor(metadata: &TopicMetadata) -> usize {
    metadata
        .partitions
        .iter()
        .map(|partition| partition.replicas.len())
        .min()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use forebay_kafka::writer::{
        PartitionWriter,
        fake::{FakeLog, FakeStep, FakeWriter},
    };

    use super::*;
    use crate::{bench_support::detached_topic, instance::ProducerThreads, telemetry::Telemetry};

    #[actix::test]
    async fn a_producer_that_panicked_is_started_anew_and_its_neighbour_is_left_alone() {
        let threads = Arc::new(ProducerThreads::new(1));
        let steps = [FakeStep::PanicUnsealed, FakeStep::Ack(Duration::ZERO)];
        let writers = steps.map(|step| -> Box<dyn PartitionWriter> {
            Box::new(FakeWriter::new(FakeLog::default(), [step]))
        });
        let topic = detached_topic(&Telemetry::new(), Arc::clone(&threads), writers);
        let view = topic.view().expect("made so");
        let address = |partition: usize| {
            let address = view.partitions[partition].address.lock();
            address.clone().expect("started")
        };
        let before = [address(0), address(1)];
        (0..2).for_each(|partition| topic.wake(view.producer(partition)));
        while before[0].connected() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        topic.wake(view.producer(0));
        assert!(address(0).connected(), "another one");
        assert!(before[1].connected());
        assert!(address(1) == before[1], "the same one");
        threads.stop();
    }
}
