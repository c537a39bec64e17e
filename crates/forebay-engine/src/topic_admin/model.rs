//! What a topic is to the topic actions.

use std::collections::BTreeMap;

use crate::{registry::TopicNotes, task::Tag};

/// A topic in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSummary {
    /// Its name.
    pub name: String,
    /// Number of partitions.
    pub partitions: usize,
    /// Replicas of the partition that has the fewest.
    pub replicas: usize,
    /// What the registry knows of it.
    pub notes: TopicNotes,
}

/// A topic with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// The topic.
    pub summary: TopicSummary,
    /// Kafka's settings in effect by Kafka's names; none where we may not see
    /// them.
    pub settings: BTreeMap<String, String>,
}

impl TopicDescription {
    /// A numeric setting, if Kafka tells it.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.settings.get(name)?.parse().ok()
    }
}

/// A topic to be created; it gets the cluster's replication factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCreation {
    /// Its name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// `retention.ms`
    pub retention_ms: i64,
    /// `max.message.bytes`; `None` is the cluster's default.
    pub max_message_bytes: Option<i32>,
    /// Free text.
    pub note: String,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// What changes of a topic; the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicChange {
    /// Its name.
    pub name: String,
    /// `retention.ms`
    pub retention_ms: Option<i64>,
    /// `max.message.bytes`
    pub max_message_bytes: Option<i32>,
    /// How many partitions it has afterwards; never fewer than before.
    pub partitions: Option<i32>,
    /// Free text.
    pub note: Option<String>,
    /// Tags.
    pub tags: Option<Vec<Tag>>,
}
