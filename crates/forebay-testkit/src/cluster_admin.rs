//! Topics, configurations and quotas of a test's cluster.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, ApiKey, CreatePartitionsRequest,
    CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

use crate::cluster::{KafkaCluster, POLL, READY_LIMIT};
use crate::wire_client::{TopicPartition, WireClient, check, text, topic_name};

const TIMEOUT_MS: i32 = 30_000;
/// Kafka's resource type for topics in requests about configurations.
const TOPIC: i8 = 2;

impl KafkaCluster {
    /// One request to any node that answers; KRaft brokers pass administration
    /// on to the controller.
    async fn ask<Q, P>(&self, key: ApiKey, version: i16, request: &Q) -> Result<P>
    where
        Q: Encodable + HeaderVersion,
        P: Decodable + HeaderVersion,
    {
        let mut last = anyhow::anyhow!("no node runs");
        for address in self.live() {
            let answer = async {
                let mut client = WireClient::connect(address).await?;
                client.call(key, version, request).await
            };
            match answer.await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Creates a topic and waits until every running node knows it and each
    /// partition has all its replicas in sync. `replicas` 0 means the default.
    ///
    /// # Errors
    /// When the cluster refuses, or it takes longer than 180 s.
    pub async fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        replicas: i16,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        let configs = configs
            .iter()
            .map(|(key, value)| {
                CreatableTopicConfig::default()
                    .with_name(text(key))
                    .with_value(Some(text(value)))
            })
            .collect();
        let replicas = if replicas == 0 { -1 } else { replicas };
        let request = CreateTopicsRequest::default()
            .with_timeout_ms(TIMEOUT_MS)
            .with_topics(vec![
                CreatableTopic::default()
                    .with_name(topic_name(name))
                    .with_num_partitions(partitions)
                    .with_replication_factor(replicas)
                    .with_configs(configs),
            ]);
        let answer: CreateTopicsResponse = self.ask(ApiKey::CreateTopics, 4, &request).await?;
        for result in &answer.topics {
            check(result.error_code, || format!("create topic {name}"))?;
        }
        self.await_everywhere(name, |found| {
            i32::try_from(found.len()) == Ok(partitions)
                && found
                    .values()
                    .all(|one| one.leader.is_some() && one.isr.len() == one.replicas.len())
        })
        .await
    }

    /// Deletes a topic and waits until no running node knows it.
    ///
    /// # Errors
    /// When the cluster refuses, or it takes longer than 180 s.
    pub async fn delete_topic(&self, name: &str) -> Result<()> {
        let request = DeleteTopicsRequest::default()
            .with_timeout_ms(TIMEOUT_MS)
            .with_topic_names(vec![topic_name(name)]);
        let answer: DeleteTopicsResponse = self.ask(ApiKey::DeleteTopics, 3, &request).await?;
        for result in &answer.responses {
            check(result.error_code, || format!("delete topic {name}"))?;
        }
        let deadline = Instant::now() + READY_LIMIT;
        for address in self.live() {
            while let Ok(found) = WireClient::connect(address).await?.partitions(name).await {
                if Instant::now() > deadline {
                    bail!("topic {name} is still there: {found:?}");
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// Raises a topic's partition count to `total` and waits until every
    /// running node knows.
    ///
    /// # Errors
    /// When the cluster refuses, or it takes longer than 180 s.
    pub async fn add_partitions(&self, name: &str, total: i32) -> Result<()> {
        let request = CreatePartitionsRequest::default()
            .with_timeout_ms(TIMEOUT_MS)
            .with_topics(vec![
                CreatePartitionsTopic::default()
                    .with_name(topic_name(name))
                    .with_count(total)
                    .with_assignments(None),
            ]);
        let answer: CreatePartitionsResponse =
            self.ask(ApiKey::CreatePartitions, 1, &request).await?;
        for result in &answer.results {
            check(result.error_code, || format!("add partitions to {name}"))?;
        }
        self.await_everywhere(name, |found| {
            i32::try_from(found.len()) == Ok(total)
                && found.values().all(|one| one.leader.is_some())
        })
        .await
    }

    /// Sets one configuration of a topic; `None` takes it back to the default.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn alter_topic_config(
        &self,
        name: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<()> {
        let operation = i8::from(value.is_none());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![
            AlterConfigsResource::default()
                .with_resource_type(TOPIC)
                .with_resource_name(text(name))
                .with_configs(vec![
                    AlterableConfig::default()
                        .with_name(text(key))
                        .with_config_operation(operation)
                        .with_value(value.map(text)),
                ]),
        ]);
        let answer: IncrementalAlterConfigsResponse = self
            .ask(ApiKey::IncrementalAlterConfigs, 0, &request)
            .await?;
        for result in &answer.responses {
            check(result.error_code, || format!("set {key} of {name}"))?;
        }
        Ok(())
    }

    /// A topic's configuration in force, defaults of the cluster included.
    ///
    /// # Errors
    /// When the cluster refuses, or knows no such configuration.
    pub async fn topic_config(&self, name: &str, key: &str) -> Result<Option<String>> {
        let request = DescribeConfigsRequest::default().with_resources(vec![
            DescribeConfigsResource::default()
                .with_resource_type(TOPIC)
                .with_resource_name(text(name))
                .with_configuration_keys(Some(vec![text(key)])),
        ]);
        let answer: DescribeConfigsResponse =
            self.ask(ApiKey::DescribeConfigs, 1, &request).await?;
        let result = answer
            .results
            .into_iter()
            .next()
            .context("DescribeConfigs answered for no topic")?;
        check(result.error_code, || format!("{key} of {name}"))?;
        let config = result
            .configs
            .into_iter()
            .next()
            .with_context(|| format!("topics have no {key}"))?;
        Ok(config.value.map(|value| value.to_string()))
    }

    /// Limits producing to `bytes_per_second` on each broker, for the Kafka
    /// client id given or by default for every one; `None` takes the limit away.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn set_producer_byte_rate(
        &self,
        client_id: Option<&str>,
        bytes_per_second: Option<f64>,
    ) -> Result<()> {
        let entity = EntityData::default()
            .with_entity_type(text("client-id"))
            .with_entity_name(client_id.map(text));
        let operation = OpData::default()
            .with_key(text("producer_byte_rate"))
            .with_value(bytes_per_second.unwrap_or_default())
            .with_remove(bytes_per_second.is_none());
        let request = AlterClientQuotasRequest::default().with_entries(vec![
            EntryData::default()
                .with_entity(vec![entity])
                .with_ops(vec![operation]),
        ]);
        let answer: AlterClientQuotasResponse =
            self.ask(ApiKey::AlterClientQuotas, 0, &request).await?;
        for result in &answer.entries {
            check(result.error_code, || "set producer_byte_rate".to_owned())?;
        }
        Ok(())
    }

    /// A topic's partitions, as the first running node sees them that answers.
    ///
    /// # Errors
    /// When the topic does not exist, or no node answers.
    pub async fn partitions(&self, topic: &str) -> Result<BTreeMap<i32, TopicPartition>> {
        let mut last = anyhow::anyhow!("no node runs");
        for address in self.live() {
            let found = async { WireClient::connect(address).await?.partitions(topic).await };
            match found.await {
                Ok(found) => return Ok(found),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn partition(&self, topic: &str, partition: i32) -> Result<TopicPartition> {
        let mut found = self.partitions(topic).await?;
        found
            .remove(&partition)
            .with_context(|| format!("{topic} has no partition {partition}"))
    }

    /// The index of the node that leads a partition now, if one does. Right
    /// after a leader's death this may still be the dead one.
    ///
    /// # Errors
    /// As for [`Self::partitions`].
    pub async fn leader_of(&self, topic: &str, partition: i32) -> Result<Option<usize>> {
        Ok(self
            .partition(topic, partition)
            .await?
            .leader
            .map(node_index))
    }

    /// Waits until a running node leads the partition, other than `not` where
    /// given; up to 180 s.
    ///
    /// # Errors
    /// When it takes longer.
    pub async fn await_leader(
        &self,
        topic: &str,
        partition: i32,
        not: Option<usize>,
    ) -> Result<usize> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let leader = self.leader_of(topic, partition).await;
            if let Ok(Some(leader)) = leader
                && Some(leader) != not
                && self.nodes[leader].is_live()
            {
                return Ok(leader);
            }
            if Instant::now() > deadline {
                bail!("no leader of {topic}/{partition} after {READY_LIMIT:?}: {leader:?}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The indices of the nodes whose replicas of a partition are in sync.
    ///
    /// # Errors
    /// As for [`Self::partitions`].
    pub async fn isr_of(&self, topic: &str, partition: i32) -> Result<Vec<usize>> {
        let mut isr: Vec<usize> = self
            .partition(topic, partition)
            .await?
            .isr
            .into_iter()
            .map(node_index)
            .collect();
        isr.sort_unstable();
        Ok(isr)
    }

    /// Waits until every partition of a topic has a leader and exactly `n`
    /// replicas in sync; up to 180 s.
    ///
    /// # Errors
    /// When it takes longer.
    pub async fn await_isr(&self, topic: &str, n: usize) -> Result<()> {
        self.await_everywhere(topic, |found| {
            found
                .values()
                .all(|one| one.leader.is_some() && one.isr.len() == n)
        })
        .await
    }

    /// Waits until every running node's view of a topic is as wanted.
    async fn await_everywhere(
        &self,
        topic: &str,
        wanted: impl Fn(&BTreeMap<i32, TopicPartition>) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        for address in self.live() {
            loop {
                let found =
                    async { WireClient::connect(address).await?.partitions(topic).await }.await;
                if found.as_ref().is_ok_and(&wanted) {
                    break;
                }
                if Instant::now() > deadline {
                    bail!("{topic} is not as wanted after {READY_LIMIT:?}: {found:?}");
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }
}

fn node_index(node_id: i32) -> usize {
    usize::try_from(node_id - 1).expect("node ids start at 1")
}
