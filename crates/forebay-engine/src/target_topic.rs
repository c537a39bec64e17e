//! The topics that tasks are to write to: looked up, and made where that is asked
//! for.

use std::sync::Arc;

use forebay_kafka::{Error, ErrorCode, NewTopic};

use crate::{engine::Engine, instance::Instance};

/// A topic as the cluster has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Number of partitions.
    pub partitions: usize,
}

/// Why a topic is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// No such instance is configured.
    #[error("instance {0} is not configured")]
    UnknownInstance(String),
    /// The cluster says that there is no such topic.
    #[error("topic {0} does not exist")]
    NotFound(String),
    /// The cluster refuses to create it.
    #[error("{0}")]
    Refused(String),
    /// The cluster cannot be asked.
    #[error("{0}")]
    Unavailable(String),
}

impl Engine {
    /// Looks a topic up; creates it if it is missing and `create` says with
    /// how many partitions (`None` inside: the cluster's default), with the
    /// cluster's replication factor.
    ///
    /// # Errors
    /// See [`TopicError`]. Bounded by the Kafka client's timeouts.
    pub async fn ensure_topic(
        &self,
        instance: &str,
        topic: &str,
        create: Option<Option<i32>>,
    ) -> Result<TopicInfo, TopicError> {
        let instance = self
            .shared()
            .instances
            .get(instance)
            .ok_or_else(|| TopicError::UnknownInstance(instance.to_owned()))?;
        let handle = instance.topic(topic);
        if let Some(partitions) = create {
            create_if_missing(instance, topic, partitions).await?;
        }
        let found = handle.refresh().await;
        found.map_err(|error| topic_error(topic, error))?;
        let partitions = handle.view().map_or(0, |view| view.partition_count());
        Ok(TopicInfo { partitions })
    }

    /// Why acknowledged messages of a topic may not survive a broker's loss;
    /// `None` if they do, or if the topic was not looked at yet.
    pub fn durability_warning(&self, instance: &str, topic: &str) -> Option<String> {
        let instance = self.shared().instances.get(instance)?;
        let topic = Arc::clone(&*instance.topics.get(topic)?);
        topic.warning()
    }
}

/// Asks once: a broker that does not know of a topic that is there costs no
/// more than a refusal of its creation.
async fn create_if_missing(
    instance: &Instance,
    topic: &str,
    partitions: Option<i32>,
) -> Result<(), TopicError> {
    match instance.cluster.refresh(topic).await {
        Err(error) if error.is_unknown_topic() => {}
        // What else is wrong the next look tells.
        _ => return Ok(()),
    }
    let new = NewTopic {
        name: topic.to_owned(),
        partitions,
        replication_factor: None,
        configs: Vec::new(),
    };
    match instance.cluster.create_topic(&new).await {
        Err(error) if error.code() != Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {
            Err(topic_error(topic, error))
        }
        _ => Ok(()),
    }
}

fn topic_error(topic: &str, error: Error) -> TopicError {
    if error.is_unknown_topic() {
        TopicError::NotFound(topic.to_owned())
    } else if error.is_retriable() {
        TopicError::Unavailable(error.to_string())
    } else {
        TopicError::Refused(error.to_string())
    }
}
