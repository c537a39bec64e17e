//! A Kafka cluster as its users see it.

use std::{sync::Arc, time::Duration};

use crate::{
    Error,
    connection::{ConnectOptions, Connection},
    metadata::{Broker, TopicMetadata},
    metadata_cache::MetadataCache,
    pool::{BrokerGate, ConnectionPool},
    security::Security,
};

/// How a cluster is reached.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// `host:port` of some of its brokers; names are resolved at each attempt.
    pub bootstrap: Vec<String>,
    /// Name under which brokers log us and apply quotas.
    pub client_id: String,
    /// Limit on name resolution and TCP connection together.
    pub connect_timeout: Duration,
    /// Limit on each request's answer, and on the handshake (TLS, versions, login).
    pub request_timeout: Duration,
    /// Metadata older than this is asked for anew when it is looked up.
    pub metadata_max_age: Duration,
    /// Longest answer that is read, in bytes. A fetch may bring a batch beyond
    /// the length it asks for, as long as the topic's `max.message.bytes`.
    pub max_answer_bytes: usize,
    /// How connections are protected.
    pub security: Security,
}

impl ClusterConfig {
    /// 3 s to connect, 5 s for an answer, metadata for 30 s, answers of 64 MiB.
    pub fn new(bootstrap: Vec<String>) -> Self {
        Self {
            bootstrap,
            client_id: "forebay".to_owned(),
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(5),
            metadata_max_age: Duration::from_secs(30),
            max_answer_bytes: 64 << 20,
            security: Security::default(),
        }
    }
}

/// A Kafka cluster. Cheap to clone; clones share connections and metadata.
///
/// Nothing runs in the background: without a caller there is no traffic. A
/// cluster that is down gives errors, and serves again when it is back.
#[derive(Debug, Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: ClusterConfig,
    pool: ConnectionPool,
    metadata: MetadataCache,
}

impl Cluster {
    /// Makes no connection yet.
    pub fn new(config: ClusterConfig) -> Self {
        let pool = ConnectionPool::new(ConnectOptions {
            client_id: config.client_id.as_str().into(),
            connect_timeout: config.connect_timeout,
            handshake_timeout: config.request_timeout,
            max_answer_bytes: config.max_answer_bytes,
            security: config.security.clone(),
        });
        let metadata = MetadataCache::new(
            config.bootstrap.clone(),
            config.metadata_max_age,
            config.connect_timeout,
            config.request_timeout,
        );
        Self {
            inner: Arc::new(Inner {
                config,
                pool,
                metadata,
            }),
        }
    }

    /// How it is reached.
    pub fn config(&self) -> &ClusterConfig {
        &self.inner.config
    }

    pub(crate) fn pool(&self) -> &ConnectionPool {
        &self.inner.pool
    }

    pub(crate) fn metadata(&self) -> &MetadataCache {
        &self.inner.metadata
    }

    /// The brokers that the cluster named last; none before the first answer.
    pub fn brokers(&self) -> Vec<Broker> {
        self.metadata().brokers()
    }

    /// Asks any broker who the cluster's brokers are: whether it is there.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    ///
    /// # Cancellation
    /// Safe.
    pub async fn check(&self) -> Result<(), Error> {
        self.metadata().refresh_brokers(self.pool()).await
    }

    /// A topic's metadata: what is remembered, if it is young enough, else
    /// what the cluster says; if no broker can be asked, what is remembered
    /// although it is old.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`] if the cluster says that it does not exist;
    /// [`Error::Unreachable`] if it could not be asked and nothing is
    /// remembered; [`Error::Api`] for other refusals. Topics are never created
    /// by asking.
    ///
    /// # Cancellation
    /// Safe. Takes at most about twice (connect + 2 × request timeout).
    pub async fn topic(&self, name: &str) -> Result<Arc<TopicMetadata>, Error> {
        if let Some(topic) = self.metadata().fresh(name) {
            return Ok(topic);
        }
        match self.refresh(name).await {
            Err(error @ Error::Unreachable(_)) => self.known_topic(name).ok_or(error),
            result => result,
        }
    }

    /// What is remembered about a topic, however old. Never waits.
    pub fn known_topic(&self, name: &str) -> Option<Arc<TopicMetadata>> {
        self.metadata().known(name)
    }

    /// Asks the cluster about a topic.
    ///
    /// Callers share questions: one is under way at a time, for all topics
    /// that are waited for, and a topic is asked for at most every 100 ms.
    ///
    /// # Errors
    /// As [`topic`](Self::topic).
    ///
    /// # Cancellation
    /// Safe: if it was this caller's turn to ask, another takes it.
    pub async fn refresh(&self, name: &str) -> Result<Arc<TopicMetadata>, Error> {
        self.metadata().refresh(self.pool(), name).await
    }

    /// Has the topic asked for anew when it is next looked up.
    pub fn invalidate(&self, topic: &str) {
        self.metadata().invalidate(topic);
    }

    /// The broker that leads a partition, as far as is known.
    ///
    /// # Errors
    /// As [`topic`](Self::topic); [`Error::UnknownPartition`];
    /// [`Error::NoLeader`], after having asked the cluster once more.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn leader(&self, topic: &str, partition: i32) -> Result<Broker, Error> {
        let metadata = self.topic(topic).await?;
        match self.leader_in(&metadata, partition) {
            Err(_) => {
                let metadata = self.refresh(topic).await?;
                self.leader_in(&metadata, partition)
            }
            found => found,
        }
    }

    /// The remembered leader of a partition. Never waits.
    pub fn known_leader(&self, topic: &str, partition: i32) -> Option<Broker> {
        let metadata = self.known_topic(topic)?;
        self.leader_in(&metadata, partition).ok()
    }

    fn leader_in(&self, metadata: &TopicMetadata, partition: i32) -> Result<Broker, Error> {
        let topic = || metadata.name.clone();
        let Some(found) = metadata.partition(partition) else {
            return Err(Error::UnknownPartition {
                topic: topic(),
                partition,
            });
        };
        let broker = found.leader.and_then(|id| self.metadata().broker(id));
        broker.ok_or_else(|| Error::NoLeader {
            topic: topic(),
            partition,
        })
    }

    /// The gate before a broker, which all connections to it pass.
    pub fn gate(&self, broker: &Broker) -> Arc<BrokerGate> {
        self.pool().gate(&broker.address())
    }

    /// Makes a connection of the caller's own, as [`BrokerGate::connect`].
    ///
    /// # Errors
    /// As [`BrokerGate::connect`].
    ///
    /// # Cancellation
    /// As [`BrokerGate::connect`].
    pub async fn connect(&self, broker: &Broker) -> Result<Connection, Error> {
        self.gate(broker).connect().await
    }
}
