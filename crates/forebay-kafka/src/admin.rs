//! Topics: creating, deleting, describing, listing; and producer ids.

use std::{collections::BTreeMap, time::Duration};

use rskafka::protocol::{
    messages::{
        CreateTopicConfig, CreateTopicRequest, CreateTopicsRequest, CreateTopicsResponse,
        DeleteTopicsRequest, DeleteTopicsResponse,
    },
    primitives::{Array, Int16, Int32, NullableString, String_},
};
use tokio::time::Instant;

use crate::{
    Error,
    cluster::Cluster,
    connection::Throttling,
    error::ErrorCode,
    messages::{describe_configs::DescribeTopicConfigs, init_producer_id::InitProducerId},
    metadata::{TopicMetadata, throttle},
};

/// A topic to be created.
#[derive(Debug, Clone, Default)]
pub struct NewTopic {
    /// Its name: 1–249 of `[a-zA-Z0-9._-]`.
    pub name: String,
    /// Number of partitions; `None` is the cluster's default (KIP-464).
    pub partitions: Option<i32>,
    /// Replicas of each partition; `None` is the cluster's default (KIP-464).
    pub replication_factor: Option<i16>,
    /// Settings that differ from the cluster's defaults.
    pub configs: Vec<(String, String)>,
}

impl Cluster {
    /// Creates a topic and waits until the cluster names its leaders, but not
    /// for longer than the request timeout.
    ///
    /// # Errors
    /// [`Error::Api`] with the broker's words: `TOPIC_ALREADY_EXISTS`,
    /// `INVALID_TOPIC_EXCEPTION`, `INVALID_REPLICATION_FACTOR`,
    /// `POLICY_VIOLATION` …; [`Error::Timeout`] and those of the connection:
    /// then the topic may come to be all the same.
    ///
    /// # Cancellation
    /// The topic may or may not be created. Takes at most about connect + 4 ×
    /// request timeout.
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<(), Error> {
        let wait = self.config().request_timeout;
        let request = create_topics(topic, wait);
        self.ask_controller(&request, wait, |answer, maybe_done| {
            read_created(answer, &topic.name, maybe_done)
        })
        .await?;
        tracing::info!(topic = %topic.name, "created topic");
        self.await_leaders(&topic.name).await;
        Ok(())
    }

    async fn await_leaders(&self, topic: &str) {
        let deadline = Instant::now() + self.config().request_timeout;
        let waiting = async {
            loop {
                // Asks at most every 100 ms.
                let complete = |topic: &TopicMetadata| {
                    topic
                        .partitions
                        .iter()
                        .all(|partition| partition.leader.is_some())
                };
                match self.refresh(topic).await {
                    Ok(metadata) if complete(&metadata) => return,
                    _ => {}
                }
            }
        };
        if tokio::time::timeout_at(deadline, waiting).await.is_err() {
            tracing::debug!(%topic, "created topic has no leaders yet");
        }
    }

    /// Deletes a topic. The cluster removes its data some time afterwards.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`]; [`Error::Api`] with `TOPIC_DELETION_DISABLED`,
    /// `TOPIC_AUTHORIZATION_FAILED` …; [`Error::Timeout`] and those of the
    /// connection: then the topic may be deleted all the same.
    ///
    /// # Cancellation
    /// The topic may or may not be deleted. Takes at most about connect + 3 ×
    /// request timeout.
    pub async fn delete_topic(&self, name: &str) -> Result<(), Error> {
        let wait = self.config().request_timeout;
        let request = DeleteTopicsRequest {
            topic_names: Array(Some(vec![String_(name.to_owned())])),
            timeout_ms: millis(wait),
            tagged_fields: None,
        };
        let result = self
            .ask_controller(&request, wait, |answer, maybe_done| {
                read_deleted(answer, name, maybe_done)
            })
            .await;
        self.invalidate(name);
        if result.is_ok() {
            tracing::info!(topic = %name, "deleted topic");
        }
        result
    }

    /// A topic's settings as they are in effect, defaults included, such as
    /// `max.message.bytes`, `cleanup.policy`, `min.insync.replicas`.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`]; [`Error::Api`]; [`Error::Unreachable`].
    ///
    /// # Cancellation
    /// Safe.
    pub async fn describe_topic_configs(
        &self,
        topic: &str,
    ) -> Result<BTreeMap<String, String>, Error> {
        let request = DescribeTopicConfigs { topic };
        let ask = self.metadata().ask_any(self.pool(), &request, |answer| {
            let context = || format!("asking for the settings of topic {topic}");
            let described = answer.results.into_iter().next();
            let described = described
                .ok_or_else(|| Error::protocol(format!("{}: not in the answer", context())))?;
            match ErrorCode(described.code) {
                ErrorCode::NONE => Ok(described.configs),
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Err(Error::UnknownTopic(topic.to_owned())),
                code => Err(Error::api(code, context(), described.message)),
            }
        });
        ask.await
    }

    /// All topics that we may see.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    ///
    /// # Cancellation
    /// Safe.
    pub async fn list_topics(&self) -> Result<Vec<TopicMetadata>, Error> {
        self.metadata().all_topics(self.pool()).await
    }

    /// A producer id that nobody has used, and its first epoch.
    ///
    /// # Errors
    /// [`Error::Api`], also while a fresh broker loads its state;
    /// [`Error::Unreachable`].
    ///
    /// # Cancellation
    /// Safe; an id may be lost.
    pub async fn init_producer_id(&self) -> Result<(i64, i16), Error> {
        self.metadata()
            .ask_any(self.pool(), &InitProducerId, |answer| answer.into_result())
            .await
    }
}

fn millis(duration: Duration) -> Int32 {
    Int32(i32::try_from(duration.as_millis()).unwrap_or(i32::MAX))
}

fn create_topics(topic: &NewTopic, wait: Duration) -> CreateTopicsRequest {
    let config = |(name, value): &(String, String)| CreateTopicConfig {
        name: String_(name.clone()),
        value: NullableString(Some(value.clone())),
        tagged_fields: None,
    };
    CreateTopicsRequest {
        topics: vec![CreateTopicRequest {
            name: String_(topic.name.clone()),
            num_partitions: Int32(topic.partitions.unwrap_or(-1)),
            replication_factor: Int16(topic.replication_factor.unwrap_or(-1)),
            assignments: Vec::new(),
            configs: topic.configs.iter().map(config).collect(),
            tagged_fields: None,
        }],
        timeout_ms: millis(wait),
        validate_only: None,
        tagged_fields: None,
    }
}

/// `maybe_done`: an earlier attempt may have succeeded.
fn read_created(answer: CreateTopicsResponse, name: &str, maybe_done: bool) -> Result<(), Error> {
    let context = || format!("creating topic {name}");
    let created = answer
        .topics
        .into_iter()
        .find(|created| created.name.0 == name);
    let created =
        created.ok_or_else(|| Error::protocol(format!("{}: not in the answer", context())))?;
    match ErrorCode::of(created.error) {
        ErrorCode::NONE => Ok(()),
        ErrorCode::TOPIC_ALREADY_EXISTS if maybe_done => Ok(()),
        code => Err(Error::api(
            code,
            context(),
            created.error_message.and_then(|text| text.0),
        )),
    }
}

fn read_deleted(answer: DeleteTopicsResponse, name: &str, maybe_done: bool) -> Result<(), Error> {
    let context = || format!("deleting topic {name}");
    let deleted = answer
        .responses
        .into_iter()
        .find(|deleted| deleted.name.0 == name);
    let deleted =
        deleted.ok_or_else(|| Error::protocol(format!("{}: not in the answer", context())))?;
    match ErrorCode::of(deleted.error) {
        ErrorCode::NONE => Ok(()),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION if maybe_done => Ok(()),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Err(Error::UnknownTopic(name.to_owned())),
        code => Err(Error::api(
            code,
            context(),
            deleted.error_message.and_then(|text| text.0),
        )),
    }
}

impl Throttling for CreateTopicsResponse {
    fn throttle(&self) -> Duration {
        throttle(self.throttle_time_ms)
    }
}

impl Throttling for DeleteTopicsResponse {
    fn throttle(&self) -> Duration {
        throttle(self.throttle_time_ms)
    }
}
