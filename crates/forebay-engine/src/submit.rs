//! From a request's messages to its partitions' open batches.

use std::sync::Arc;

use forebay_kafka::record_batch::encode::BatchEncoder;
use tokio::time::Instant;

use crate::{
    admission::{MemoryLimitReached, Permit},
    delivery::{Delivery, PartSize, Place, Shipment},
    producer::QueuedMessages,
    telemetry::TaskMetrics,
    topic::{Topic, TopicView},
};

/// A message on its way: a record's key and value.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingMessage<'a> {
    /// `None` is no key: the message goes wherever there is room.
    pub key: Option<&'a [u8]>,
    /// The record's value, unaltered.
    pub value: &'a [u8],
}

/// Why nothing of a request was handed over.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The topic was not used before: await [`Topic::ready`] and submit again.
    #[error("topic {0:?} is not loaded yet")]
    TopicNotLoaded(Arc<Topic>),
    /// The cluster says that there is no such topic.
    #[error("topic {0} does not exist")]
    TopicGone(String),
    /// The task's QpsLimit, requests per second on this replica, is reached.
    #[error("the task's QpsLimit of {0} requests per second is reached")]
    OverQpsLimit(u64),
    /// A message's record alone exceeds the topic's `max.message.bytes`.
    #[error(
        "message {index} makes a batch of {actual} bytes, more than the topic's max.message.bytes of {limit}"
    )]
    MessageTooLarge {
        /// Index of the message.
        index: usize,
        /// Bytes of the batch that it would make alone.
        actual: usize,
        /// The topic's limit in bytes.
        limit: usize,
    },
    /// The instance's requests hold their share of the memory limit already.
    #[error("the requests to instance {instance} hold their share of the memory limit: {refusal}")]
    InstanceMemory {
        /// The instance's id.
        instance: String,
        /// What was asked for, and what the share is.
        refusal: MemoryLimitReached,
    },
    /// No such instance is configured.
    #[error("instance {0} is not configured")]
    UnknownInstance(String),
}

/// A stretch of messages of one partition that goes into one batch.
#[derive(Debug)]
struct Plan {
    size: PartSize,
    max_encoded_len: usize,
}

/// What of a request all its messages share.
pub(crate) struct Request {
    pub(crate) received_ms: i64,
    pub(crate) deadline: Instant,
    pub(crate) permit: Arc<Permit>,
    pub(crate) metrics: Arc<TaskMetrics>,
}

/// Hands all messages over. Their sizes are checked: see [`check_sizes`].
pub(crate) fn submit(
    topic: &Topic,
    view: &TopicView,
    messages: &[OutgoingMessage<'_>],
    request: Request,
) -> Delivery {
    // Message numbers ordered by partition, and within one as in the request.
    let mut order = assign(topic, view, messages);
    let one_partition = order.iter().all(|(partition, _)| *partition == order[0].0);
    if !one_partition {
        order.sort_unstable();
    }
    let (plans, places) = plan(view, messages, &order);
    let shipment = Shipment::new(
        plans.iter().map(|plan| plan.size),
        request.received_ms,
        request.deadline,
        request.metrics,
        request.permit,
    );
    let mut part = 0;
    let mut next = 0;
    while next < order.len() {
        let partition = order[next].0;
        let parts = plans[part..]
            .iter()
            .take_while(|plan| plan.size.partition == partition as i32);
        let parts = parts.map(|plan| {
            let stretch = &order[next..next + plan.size.messages as usize];
            next += stretch.len();
            part += 1;
            QueuedMessages {
                part: shipment.part(part - 1),
                max_encoded_len: plan.max_encoded_len,
                messages: stretch.iter().map(|(_, index)| {
                    let message = &messages[*index as usize];
                    (message.key, message.value)
                }),
            }
        });
        let producer = view.producer(partition as usize);
        if producer.queue.append(parts, view.batch_bytes()) {
            topic.wake(producer);
        }
    }
    Delivery::new(shipment, places)
}

/// Whether each message alone fits into a batch of the topic.
///
/// # Errors
/// [`SubmitError::MessageTooLarge`] of the first that does not.
pub(crate) fn check_sizes(
    view: &TopicView,
    messages: &[OutgoingMessage<'_>],
) -> Result<(), SubmitError> {
    let limit = view.max_message_bytes;
    for (index, message) in messages.iter().enumerate() {
        let actual = BatchEncoder::single_record_batch_len(message.key, Some(message.value));
        if actual > limit {
            return Err(SubmitError::MessageTooLarge {
                index,
                actual,
                limit,
            });
        }
    }
    Ok(())
}

/// Partition and number of each message. All keyless ones go to one partition,
/// so that they mostly share one batch and one fate.
fn assign(topic: &Topic, view: &TopicView, messages: &[OutgoingMessage<'_>]) -> Vec<(u32, u32)> {
    let mut keyless = None;
    let assigned = messages.iter().enumerate().map(|(index, message)| {
        let partition = match message.key {
            Some(key) => view.partition_for_key(key),
            None => *keyless.get_or_insert_with(|| topic.keyless_partition(view)),
        };
        (partition as u32, index as u32)
    });
    assigned.collect()
}

/// Cuts each partition's messages into parts that fit a batch. Places are left
/// out where one part holds all messages in their order.
fn plan(
    view: &TopicView,
    messages: &[OutgoingMessage<'_>],
    order: &[(u32, u32)],
) -> (Vec<Plan>, Vec<Place>) {
    let room = view
        .batch_bytes()
        .saturating_sub(BatchEncoder::default().encoded_len());
    let mut plans: Vec<Plan> = Vec::new();
    let mut places = vec![Place { part: 0, index: 0 }; order.len()];
    for (partition, index) in order {
        let message = &messages[*index as usize];
        let len = BatchEncoder::max_record_len(message.key, Some(message.value));
        let fits = |plan: &Plan| {
            plan.size.partition == *partition as i32 && plan.max_encoded_len + len <= room
        };
        if !plans.last().is_some_and(fits) {
            let size = PartSize {
                partition: *partition as i32,
                messages: 0,
                bytes: 0,
            };
            plans.push(Plan {
                size,
                max_encoded_len: 0,
            });
        }
        let part = plans.len() as u32 - 1;
        let Some(plan) = plans.last_mut() else { break };
        places[*index as usize] = Place {
            part,
            index: plan.size.messages,
        };
        plan.size.messages += 1;
        plan.size.bytes += (message.key.map_or(0, <[u8]>::len) + message.value.len()) as u64;
        plan.max_encoded_len += len;
    }
    if plans.len() == 1 {
        places.clear();
    }
    (plans, places)
}
