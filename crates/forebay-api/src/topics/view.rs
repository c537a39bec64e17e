//! What the topic actions show of a topic.

use crate::limits::RETENTION_FOREVER_MS;
use crate::tasks::Tag;

/// A topic, as whoever answers knows it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TopicView {
    /// Its name.
    pub name: String,
    /// See [`topic_id`](super::topic_id()).
    pub topic_id: String,
    /// Number of partitions.
    pub partitions: usize,
    /// Number of replicas of each partition.
    pub replicas: usize,
    /// Free text.
    pub note: String,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Creation time, Unix milliseconds; 0 where it is not known.
    pub created_ms: i64,
    /// When its retention was last set, Unix milliseconds; 0 where it is not known.
    pub retention_set_ms: i64,
}

/// Kafka's settings of a topic, where they are known.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TopicSettings {
    /// `retention.ms`; -1 is for ever.
    pub retention_ms: Option<i64>,
    /// `min.insync.replicas`
    pub min_insync_replicas: Option<i64>,
    /// `cleanup.policy`, as Kafka writes it.
    pub cleanup_policy: Option<String>,
    /// `segment.ms`
    pub segment_ms: Option<i64>,
    /// `segment.bytes`
    pub segment_bytes: Option<i64>,
    /// `retention.bytes`; -1 is no limit.
    pub retention_bytes: Option<i64>,
    /// `max.message.bytes`
    pub max_message_bytes: Option<i64>,
    /// `unclean.leader.election.enable`
    pub unclean_leader_election: Option<bool>,
    /// `message.timestamp.type`
    pub timestamp_type: Option<String>,
}

impl TopicSettings {
    /// The API's unsigned `RetentionMs`; 0 where it is not known.
    pub(super) fn retention_or_forever(&self) -> i64 {
        match self.retention_ms {
            Some(ms) if ms < 0 => RETENTION_FOREVER_MS,
            known => known.unwrap_or(0),
        }
    }
}
