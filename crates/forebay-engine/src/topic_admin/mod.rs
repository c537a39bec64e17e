//! Topics as the API's topic actions see and change them.
//!
//! What Kafka keeps of a topic is asked of Kafka each time; what it has no
//! place for comes from the registry ([`TopicNotes`]). Topics that Kafka and
//! Forebay keep for themselves are not there for anybody.

mod error;
mod model;
mod modify;
mod turns;

use std::{collections::BTreeMap, sync::Arc};

use forebay_kafka::{Error, ErrorCode, NewTopic, TopicMetadata};

use crate::{
    clock,
    engine::Engine,
    instance::Instance,
    registry::{NoteTopic, RegistryError, TopicKey, TopicNotes},
    topic::replication_factor,
};

pub use error::TopicAdminError;
pub use model::{TopicChange, TopicCreation, TopicDescription, TopicSummary};

pub(crate) use turns::TopicAdminTurns;

use error::{asked, changing};

/// Names that begin so are Kafka's and Forebay's own.
const RESERVED_PREFIX: &str = "__";

const RETENTION_MS: &str = "retention.ms";
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

/// The settings that are shown.
const SHOWN: [&str; 9] = [
    RETENTION_MS,
    MAX_MESSAGE_BYTES,
    "min.insync.replicas",
    "cleanup.policy",
    "segment.ms",
    "segment.bytes",
    "retention.bytes",
    "unclean.leader.election.enable",
    "message.timestamp.type",
];

impl Engine {
    /// `host:port` of an instance's first broker, as configured.
    ///
    /// # Errors
    /// [`TopicAdminError::UnknownInstance`].
    pub fn bootstrap_address(&self, instance: &str) -> Result<String, TopicAdminError> {
        let instance = self.known_instance(instance)?;
        let bootstrap = &instance.cluster.config().bootstrap;
        Ok(bootstrap.first().cloned().unwrap_or_default())
    }

    /// Whether Kafka or Forebay keep a topic of that name for themselves.
    pub fn is_reserved_topic(&self, instance: &str, topic: &str) -> bool {
        topic.starts_with(RESERVED_PREFIX) || self.shared().is_registry_topic(instance, topic)
    }

    /// All topics of an instance, by name.
    ///
    /// # Errors
    /// [`TopicAdminError::UnknownInstance`], [`TopicAdminError::Unavailable`],
    /// [`TopicAdminError::Refused`].
    ///
    /// # Cancellation
    /// Safe. Bounded by the Kafka client's limits, after a turn came.
    pub async fn list_topics(&self, instance: &str) -> Result<Vec<TopicSummary>, TopicAdminError> {
        let instance = self.known_instance(instance)?;
        let _turn = instance.topic_turns.turn().await?;
        let all = instance.cluster.list_topics().await.map_err(asked)?;
        let open = all.iter().filter(|topic| {
            !topic.is_internal && !self.is_reserved_topic(&instance.id, &topic.name)
        });
        let mut topics: Vec<_> = open
            .map(|topic| self.summary(&instance.id, topic))
            .collect();
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// The settings of topics that were listed; those that are gone meanwhile
    /// are left out.
    ///
    /// # Errors
    /// As [`list_topics`](Self::list_topics).
    ///
    /// # Cancellation
    /// As [`list_topics`](Self::list_topics).
    pub async fn describe_topics(
        &self,
        instance: &str,
        topics: Vec<TopicSummary>,
    ) -> Result<Vec<TopicDescription>, TopicAdminError> {
        let instance = self.known_instance(instance)?;
        let _turn = instance.topic_turns.turn().await?;
        let names: Vec<_> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let described = instance.cluster.describe_topics_configs(&names, &SHOWN);
        let mut settings: BTreeMap<_, _> = described.await.map_err(asked)?.into_iter().collect();
        let mut descriptions = Vec::with_capacity(topics.len());
        for summary in topics {
            let settings = match settings.remove(&summary.name) {
                Some(Err(error)) if error.is_unknown_topic() => continue,
                Some(Err(error)) if !is_forbidden(&error) => return Err(asked(error)),
                Some(Ok(settings)) => settings,
                Some(Err(_)) | None => BTreeMap::new(),
            };
            descriptions.push(TopicDescription { summary, settings });
        }
        Ok(descriptions)
    }

    /// One topic.
    ///
    /// # Errors
    /// As [`list_topics`](Self::list_topics); [`TopicAdminError::NotFound`],
    /// [`TopicAdminError::Internal`].
    ///
    /// # Cancellation
    /// As [`list_topics`](Self::list_topics).
    pub async fn describe_topic(
        &self,
        instance: &str,
        topic: &str,
    ) -> Result<TopicDescription, TopicAdminError> {
        let known = self.open_topic(instance, topic)?;
        let metadata = known.cluster.refresh(topic).await.map_err(asked)?;
        if metadata.is_internal {
            return Err(TopicAdminError::Internal(topic.to_owned()));
        }
        let summary = self.summary(instance, &metadata);
        let described = self.describe_topics(instance, vec![summary]).await?;
        let described = described.into_iter().next();
        described.ok_or_else(|| TopicAdminError::NotFound(topic.to_owned()))
    }

    /// Creates a topic, which can be used at once.
    ///
    /// # Errors
    /// See [`TopicAdminError`]: `Exists`, `Internal`, `Refused`, `Unavailable`
    /// (not created), `Unknown` (perhaps created), `NotNoted` (created).
    ///
    /// # Cancellation
    /// The topic may or may not be created.
    pub async fn create_topic(
        &self,
        instance: &str,
        new: TopicCreation,
    ) -> Result<(), TopicAdminError> {
        let known = self.open_topic(instance, &new.name)?;
        let _turn = known.topic_turns.turn().await?;
        let mut configs = vec![(RETENTION_MS.to_owned(), new.retention_ms.to_string())];
        configs.extend(
            new.max_message_bytes
                .map(|bytes| (MAX_MESSAGE_BYTES.to_owned(), bytes.to_string())),
        );
        let topic = NewTopic {
            name: new.name.clone(),
            partitions: Some(new.partitions),
            replication_factor: None,
            configs,
        };
        match known.cluster.create_topic(&topic).await {
            Err(error) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {
                return Err(TopicAdminError::Exists(new.name));
            }
            created => created.map_err(|error| changing(error, Vec::new()))?,
        }
        self.look_again(known, &new.name).await;
        let now = clock::unix_millis();
        let wanted = !new.note.is_empty() || !new.tags.is_empty();
        let notes = TopicNotes {
            note: new.note,
            tags: new.tags,
            created_ms: now,
            retention_set_ms: now,
        };
        let noted = self
            .note(TopicKey::new(instance, &new.name), Some(notes))
            .await;
        noted.or_else(|error| forgive(error, wanted))
    }

    /// Deletes a topic that no task of this replica's table targets. A task
    /// that another replica creates at the same moment may be left without it.
    ///
    /// # Errors
    /// See [`TopicAdminError`]: `InUse`, `NotFound`, `Internal`, `Refused`,
    /// `Unavailable` (not deleted), `Unknown` (perhaps deleted).
    ///
    /// # Cancellation
    /// The topic may or may not be deleted.
    pub async fn delete_topic(&self, instance: &str, topic: &str) -> Result<(), TopicAdminError> {
        let known = self.open_topic(instance, topic)?;
        let _turn = known.topic_turns.turn().await?;
        let tasks = self.tasks().all();
        let users: Vec<_> = tasks
            .iter()
            .filter(|task| task.spec.target.instance == instance && task.spec.target.topic == topic)
            .map(|task| task.spec.task_id.clone())
            .collect();
        if !users.is_empty() {
            return Err(TopicAdminError::InUse {
                topic: topic.to_owned(),
                tasks: users,
            });
        }
        let deleted = known.cluster.delete_topic(topic).await;
        deleted.map_err(|error| changing(error, Vec::new()))?;
        if let Some(handle) = known.topics.get(topic) {
            handle.deleted();
        }
        let key = TopicKey::new(instance, topic);
        if self.shared().registry.notes.get(&key) == TopicNotes::default() {
            return Ok(());
        }
        // Left behind they would describe the next topic of that name.
        let forgotten = self.note(key, None).await;
        forgotten.or_else(|error| forgive(error, false))
    }

    async fn note(&self, key: TopicKey, notes: Option<TopicNotes>) -> Result<(), RegistryError> {
        let noted = self.registry().send(NoteTopic { key, notes }).await;
        noted.unwrap_or_else(|error| Err(RegistryError::Unknown(error.to_string())))
    }

    /// Whoever writes to the topic learns of the change now, not in a while.
    async fn look_again(&self, instance: &Instance, topic: &str) {
        let handle = instance.topics.get(topic).map(|handle| Arc::clone(&handle));
        if let Some(handle) = handle
            && let Err(error) = handle.refresh().await
        {
            tracing::debug!(topic, %error, "a changed topic cannot be looked at");
        }
    }

    fn summary(&self, instance: &str, topic: &TopicMetadata) -> TopicSummary {
        let key = TopicKey::new(instance, &topic.name);
        TopicSummary {
            name: topic.name.clone(),
            partitions: topic.partitions.len(),
            replicas: replication_factor(topic),
            notes: self.shared().registry.notes.get(&key),
        }
    }

    fn known_instance(&self, id: &str) -> Result<&Arc<Instance>, TopicAdminError> {
        let found = self.shared().instances.get(id);
        found.ok_or_else(|| TopicAdminError::UnknownInstance(id.to_owned()))
    }

    /// The instance, if the topic's name is not an internal one.
    fn open_topic(&self, instance: &str, topic: &str) -> Result<&Arc<Instance>, TopicAdminError> {
        let known = self.known_instance(instance)?;
        match self.is_reserved_topic(instance, topic) {
            true => Err(TopicAdminError::Internal(topic.to_owned())),
            false => Ok(known),
        }
    }
}

fn is_forbidden(error: &Error) -> bool {
    error.code() == Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
}

/// Times that cannot be noted are no reason to fail what was done.
fn forgive(error: RegistryError, wanted: bool) -> Result<(), TopicAdminError> {
    if wanted {
        return Err(TopicAdminError::NotNoted(error));
    }
    tracing::warn!(%error, "a topic's times are not noted");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_may_have_been_done_is_never_said_to_be_undone() {
        let timeout = Error::Timeout {
            what: "CreateTopics",
            after: Duration::from_secs(5),
        };
        let told = changing(timeout, vec!["retention.ms"]);
        assert!(matches!(told, TopicAdminError::Unknown(_)), "{told}");
        assert!(
            told.to_string().contains("before that: retention.ms"),
            "{told}"
        );
        let refused = Error::UnsupportedVersion("IncrementalAlterConfigs");
        let told = changing(refused, Vec::new());
        assert!(matches!(told, TopicAdminError::Refused { .. }), "{told}");
    }
}
