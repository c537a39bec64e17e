//! Topics: creating, growing, setting, deleting, describing, listing; and
//! producer ids.

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
    messages::{
        create_partitions::CreatePartitions,
        describe_configs::{DescribeTopicConfigs, DescribedConfigs},
        incremental_alter_configs::AlterTopicConfigs,
        init_producer_id::InitProducerId,
    },
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
        self.await_leaders(&topic.name, topic.partitions).await;
        Ok(())
    }

    /// Waits until the cluster shows so many partitions, each with a leader.
    async fn await_leaders(&self, topic: &str, partitions: Option<i32>) {
        let count = usize::try_from(partitions.unwrap_or(1)).unwrap_or(1);
        let complete = |topic: &TopicMetadata| {
            let mut partitions = topic.partitions.iter();
            topic.partitions.len() >= count
                && partitions.all(|partition| partition.leader.is_some())
        };
        self.await_metadata(topic, |found| found.is_ok_and(complete))
            .await;
    }

    /// Asks about a topic, at most every 100 ms, until `accept` takes the
    /// answer, but not for longer than the request timeout.
    async fn await_metadata(
        &self,
        topic: &str,
        accept: impl Fn(Result<&TopicMetadata, &Error>) -> bool,
    ) {
        let deadline = Instant::now() + self.config().request_timeout;
        let waiting = async { while !accept(self.refresh(topic).await.as_deref()) {} };
        if tokio::time::timeout_at(deadline, waiting).await.is_err() {
            tracing::debug!(%topic, "the cluster does not show a change of the topic yet");
        }
    }

    /// Adds partitions to a topic, up to `total`, and waits for their leaders
    /// as [`Self::create_topic`] does.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`]; [`Error::Api`] with `INVALID_PARTITIONS` where
    /// it has as many or more, `POLICY_VIOLATION` …; [`Error::Timeout`] and
    /// those of the connection: then they may come to be all the same.
    ///
    /// # Cancellation
    /// The partitions may or may not be added. Takes at most about connect + 4
    /// × request timeout.
    pub async fn create_partitions(&self, topic: &str, total: i32) -> Result<(), Error> {
        let wait = self.config().request_timeout;
        let request = CreatePartitions {
            topic,
            total,
            wait_ms: millis(wait).0,
        };
        let context = || format!("adding partitions to topic {topic}");
        self.ask_controller(&request, wait, |answer, maybe_done| {
            let result = only_result(answer.results, topic, context);
            match result {
                // It has as many by now.
                Err(error) if maybe_done && error.code() == Some(ErrorCode::INVALID_PARTITIONS) => {
                    Ok(())
                }
                result => result,
            }
        })
        .await?;
        tracing::info!(%topic, total, "added partitions");
        self.await_leaders(topic, Some(total)).await;
        Ok(())
    }

    /// Sets settings of a topic; its others stay. Doing it twice is as once.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`]; [`Error::Api`] with `INVALID_CONFIG`,
    /// `POLICY_VIOLATION` …; [`Error::UnsupportedVersion`] before Kafka 2.3;
    /// [`Error::Timeout`] and those of the connection: then they may be set all
    /// the same.
    ///
    /// # Cancellation
    /// The settings may or may not be set, all or none. Takes at most about
    /// connect + 3 × request timeout.
    pub async fn alter_topic_configs(
        &self,
        topic: &str,
        configs: &[(&str, String)],
    ) -> Result<(), Error> {
        let wait = self.config().request_timeout;
        let request = AlterTopicConfigs { topic, configs };
        let context = || format!("changing settings of topic {topic}");
        self.ask_controller(&request, wait, |answer, _| {
            only_result(answer.results, topic, context)
        })
        .await?;
        tracing::info!(%topic, ?configs, "changed settings");
        Ok(())
    }

    /// Deletes a topic, and waits until the cluster does not show it any more,
    /// but not for longer than the request timeout. The cluster removes its
    /// data some time afterwards.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`]; [`Error::Api`] with `TOPIC_DELETION_DISABLED`,
    /// `TOPIC_AUTHORIZATION_FAILED` …; [`Error::Timeout`] and those of the
    /// connection: then the topic may be deleted all the same.
    ///
    /// # Cancellation
    /// The topic may or may not be deleted. Takes at most about connect + 4 ×
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
            let gone = |found: Result<&_, &Error>| found.is_err_and(Error::is_unknown_topic);
            self.await_metadata(name, gone).await;
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
        let described = self.describe_configs(&[topic], None).await?;
        let described = described.into_iter().next();
        let described = described.ok_or_else(|| {
            Error::protocol(format!(
                "asking for the settings of topic {topic}: no answer"
            ))
        })?;
        described.1
    }

    /// Settings of these names of several topics, as they are in effect; for
    /// each topic that was asked for, or why there are none. Clusters may know
    /// fewer settings.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Protocol`].
    ///
    /// # Cancellation
    /// Safe.
    pub async fn describe_topics_configs(
        &self,
        topics: &[&str],
        names: &[&str],
    ) -> Result<Vec<(String, Result<BTreeMap<String, String>, Error>)>, Error> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        self.describe_configs(topics, Some(names)).await
    }

    async fn describe_configs(
        &self,
        topics: &[&str],
        names: Option<&[&str]>,
    ) -> Result<Vec<(String, Result<BTreeMap<String, String>, Error>)>, Error> {
        let request = DescribeTopicConfigs { topics, names };
        let ask = self.metadata().ask_any(self.pool(), &request, |answer| {
            let results = answer.results.into_iter().map(read_described);
            let results: Vec<_> = results.collect();
            // The next broker may be able to tell.
            let retriable = |(_, result): &(_, Result<_, Error>)| {
                let error = result.as_ref().err().filter(|error| error.is_retriable());
                error.cloned()
            };
            match results.iter().find_map(retriable) {
                Some(error) => Err(error),
                None => Ok(results),
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

fn read_described(
    described: DescribedConfigs,
) -> (String, Result<BTreeMap<String, String>, Error>) {
    let topic = described.topic;
    let result = match ErrorCode(described.code) {
        ErrorCode::NONE => Ok(described.configs),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Err(Error::UnknownTopic(topic.clone())),
        code => {
            let context = format!("asking for the settings of topic {topic}");
            Err(Error::api(code, context, described.message))
        }
    };
    (topic, result)
}

/// What became of the one topic that a request was about.
fn only_result(
    results: Vec<(i16, Option<String>)>,
    topic: &str,
    context: impl Fn() -> String,
) -> Result<(), Error> {
    let result = results.into_iter().next();
    let (code, message) =
        result.ok_or_else(|| Error::protocol(format!("{}: not in the answer", context())))?;
    match ErrorCode(code) {
        ErrorCode::NONE => Ok(()),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Err(Error::UnknownTopic(topic.to_owned())),
        code => Err(Error::api(code, context(), message)),
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
