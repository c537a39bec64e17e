//! A small Kafka client, on other code than Forebay's own.
//!
//! One connection to one broker, one request at a time, no retries: it says
//! what that broker says. Versions are old ones that both Apache Kafka 4 and
//! small brokers speak.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, BrokerId, MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader, TopicName,
    metadata_request::MetadataRequestTopic,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connect or one answer may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// How long a connect on the loopback interface may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// More than any answer that tests ask for.
const FRAME_LIMIT: usize = 256 << 20;

/// A connection to one broker.
#[derive(Debug)]
pub struct WireClient {
    stream: TcpStream,
    correlation: i32,
}

/// What a broker believes about a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPartition {
    /// The leader's Kafka node id, if there is one.
    pub leader: Option<i32>,
    /// Kafka node ids of the in-sync replicas, in no particular order.
    pub isr: Vec<i32>,
    /// Kafka node ids of all replicas.
    pub replicas: Vec<i32>,
}

/// A broker's view of the cluster.
#[derive(Debug, Clone)]
pub(crate) struct ClusterView {
    /// Kafka node ids of the brokers that are up and not fenced.
    pub(crate) brokers: Vec<i32>,
    pub(crate) controller: Option<i32>,
}

pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

pub(crate) fn topic_name(value: &str) -> TopicName {
    TopicName(text(value))
}

/// Turns a Kafka error code into an error that `what` introduces.
pub(crate) fn check(code: i16, what: impl FnOnce() -> String) -> Result<()> {
    match ResponseError::try_from_code(code) {
        None => Ok(()),
        Some(error) => {
            Err(anyhow::Error::new(error)).with_context(|| format!("{} (code {code})", what()))
        }
    }
}

impl WireClient {
    /// Connects to a broker's listener without TLS and SASL; at most 5 s.
    ///
    /// # Errors
    /// When the connect fails or takes too long.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = timeout(CONNECT_LIMIT, TcpStream::connect(address))
            .await
            .with_context(|| format!("no connection to {address} within {CONNECT_LIMIT:?}"))?
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            correlation: 0,
        })
    }

    /// One request and its answer; at most 30 s. After an error the connection
    /// is of no more use.
    pub(crate) async fn call<Q, P>(&mut self, key: ApiKey, version: i16, request: &Q) -> Result<P>
    where
        Q: Encodable + HeaderVersion,
        P: Decodable + HeaderVersion,
    {
        timeout(CALL_LIMIT, self.call_unlimited(key, version, request))
            .await
            .with_context(|| format!("no answer to {key:?} within {CALL_LIMIT:?}"))?
            .with_context(|| format!("{key:?} v{version} failed"))
    }

    async fn call_unlimited<Q, P>(&mut self, key: ApiKey, version: i16, request: &Q) -> Result<P>
    where
        Q: Encodable + HeaderVersion,
        P: Decodable + HeaderVersion,
    {
        self.correlation += 1;
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(text("forebay-testkit")))
            .encode(&mut frame, Q::header_version(version))?;
        request.encode(&mut frame, version)?;
        let length = i32::try_from(frame.len() - 4)?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).await?;

        let length = usize::try_from(self.stream.read_i32().await?)?;
        ensure!(
            length <= FRAME_LIMIT,
            "answer of {length} bytes is too long"
        );
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        let mut answer = Bytes::from(answer);
        let header = ResponseHeader::decode(&mut answer, P::header_version(version))?;
        ensure!(
            header.correlation_id == self.correlation,
            "expected the answer to request {}, got that to {}",
            self.correlation,
            header.correlation_id
        );
        P::decode(&mut answer, version)
    }

    async fn metadata(&mut self, topics: Vec<&str>) -> Result<MetadataResponse> {
        let topics = topics
            .into_iter()
            .map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name))))
            .collect();
        let request = MetadataRequest::default()
            .with_topics(Some(topics))
            .with_allow_auto_topic_creation(false);
        self.call(ApiKey::Metadata, 4, &request).await
    }

    /// The brokers and the controller as this broker sees them.
    pub(crate) async fn cluster_view(&mut self) -> Result<ClusterView> {
        let answer = self.metadata(Vec::new()).await?;
        let id = |BrokerId(id)| (id >= 0).then_some(id);
        Ok(ClusterView {
            brokers: answer
                .brokers
                .iter()
                .map(|broker| broker.node_id.0)
                .collect(),
            controller: id(answer.controller_id),
        })
    }

    /// The partitions of a topic as this broker sees them, by index.
    ///
    /// # Errors
    /// When the topic does not exist, or the broker does not answer.
    pub async fn partitions(&mut self, topic: &str) -> Result<BTreeMap<i32, TopicPartition>> {
        let answer = self.metadata(vec![topic]).await?;
        let Some(found) = answer.topics.first() else {
            bail!("metadata names no topic, expected {topic}");
        };
        check(found.error_code, || format!("metadata of {topic}"))?;
        let ids = |list: &[BrokerId]| list.iter().map(|BrokerId(id)| *id).collect();
        Ok(found
            .partitions
            .iter()
            .map(|partition| {
                let state = TopicPartition {
                    leader: (partition.leader_id.0 >= 0).then_some(partition.leader_id.0),
                    isr: ids(&partition.isr_nodes),
                    replicas: ids(&partition.replica_nodes),
                };
                (partition.partition_index, state)
            })
            .collect())
    }
}
