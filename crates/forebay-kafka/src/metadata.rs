//! What a cluster says about its brokers and topics.

use std::{fmt, time::Duration};

use rskafka::protocol::{
    messages::{MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic},
    primitives::{Array, Boolean, Int32, String_},
};

use crate::{Error, connection::Throttling, error::ErrorCode};

/// A broker, and where it says that it can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Broker {
    /// `host:port`, with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broker {} at {}", self.id, self.address())
    }
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Its number.
    pub index: i32,
    /// Id of the leading broker; `None` while there is none.
    pub leader: Option<i32>,
    /// Ids of the brokers that should have it.
    pub replicas: Vec<i32>,
    /// Ids of those that are in sync.
    pub isr: Vec<i32>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Its name.
    pub name: String,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
    /// By number, which is the place in the list: 0, 1, 2 …
    pub partitions: Vec<PartitionMetadata>,
}

impl TopicMetadata {
    /// A partition by its number.
    pub fn partition(&self, index: i32) -> Option<&PartitionMetadata> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

/// A broker's answer.
#[derive(Debug)]
pub(crate) struct MetadataAnswer {
    pub(crate) brokers: Vec<Broker>,
    /// In KRaft clusters any broker may be named: it passes requests on.
    pub(crate) controller: Option<i32>,
    pub(crate) topics: Vec<(String, Result<TopicMetadata, Error>)>,
}

/// Asks for the given topics, or for all. Never creates one.
pub(crate) fn metadata_request(topics: Option<&[String]>) -> MetadataRequest {
    let topic = |name: &String| MetadataRequestTopic {
        name: String_(name.clone()),
    };
    MetadataRequest {
        topics: topics.map(|names| names.iter().map(topic).collect()),
        allow_auto_topic_creation: Some(Boolean(false)),
    }
}

impl Throttling for MetadataResponse {
    fn throttle(&self) -> Duration {
        throttle(self.throttle_time_ms)
    }
}

/// The throttle of an answer that the protocol library has decoded.
pub(crate) fn throttle(millis: Option<Int32>) -> Duration {
    Duration::from_millis(
        millis
            .and_then(|millis| u64::try_from(millis.0).ok())
            .unwrap_or(0),
    )
}

impl From<MetadataResponse> for MetadataAnswer {
    fn from(answer: MetadataResponse) -> Self {
        let brokers = answer.brokers.into_iter().filter_map(|broker| {
            let port = u16::try_from(broker.port.0).ok()?;
            Some(Broker {
                id: broker.node_id.0,
                host: broker.host.0,
                port,
            })
        });
        Self {
            brokers: brokers.collect(),
            controller: answer.controller_id.map(|id| id.0).filter(|id| *id >= 0),
            topics: answer.topics.into_iter().map(read_topic).collect(),
        }
    }
}

fn read_topic(topic: MetadataResponseTopic) -> (String, Result<TopicMetadata, Error>) {
    let name = topic.name.0;
    match ErrorCode::of(topic.error) {
        ErrorCode::NONE => {}
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
            return (name.clone(), Err(Error::UnknownTopic(name)));
        }
        code => {
            let context = format!("asking for topic {name}");
            return (name, Err(Error::api(code, context, None)));
        }
    }
    let ids = |array: Array<Int32>| array.0.unwrap_or_default().iter().map(|id| id.0).collect();
    let mut partitions: Vec<_> = topic
        .partitions
        .into_iter()
        .map(|partition| PartitionMetadata {
            index: partition.partition_index.0,
            leader: Some(partition.leader_id.0).filter(|id| *id >= 0),
            replicas: ids(partition.replica_nodes),
            isr: ids(partition.isr_nodes),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.index);
    let gap = partitions
        .iter()
        .zip(0..)
        .find(|(partition, index)| partition.index != *index);
    if let Some((_, index)) = gap {
        // Routing by hash needs the true count.
        let error = format!("partition {index} of topic {name} is missing or named twice");
        return (name, Err(Error::protocol(error)));
    }
    let is_internal = topic.is_internal.is_some_and(|internal| internal.0);
    (
        name.clone(),
        Ok(TopicMetadata {
            name,
            is_internal,
            partitions,
        }),
    )
}
