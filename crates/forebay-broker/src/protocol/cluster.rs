//! What the cluster is: one broker, its topics, and no coordinators.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, MetadataRequest, MetadataResponse,
};

use super::error_code::{self, *};
use super::frame::Request;
use super::partition_rows::{BROKER_ID, text, topic_name};
use super::{Refused, blocking};
use crate::log::LEADER_EPOCH;
use crate::services::Services;
use crate::topic_config::TopicConfig;
use crate::topics::Topic;

/// "Authorized operations were not asked for" (KIP-430).
const NOT_ASKED: i32 = i32::MIN;

pub(super) async fn metadata(
    services: &Arc<Services>,
    request: &mut Request,
    local: SocketAddr,
) -> Result<Bytes, Refused> {
    let asked: MetadataRequest = request.decode()?;
    let may_create = services.config.auto_create_topics && asked.allow_auto_topic_creation;
    let mut topics = Vec::new();
    // In version 0 an empty list asks for all topics, later null does.
    match asked
        .topics
        .filter(|topics| request.version > 0 || !topics.is_empty())
    {
        None => topics.extend(
            services
                .topics
                .all()
                .iter()
                .map(|topic| describe_topic(topic)),
        ),
        Some(wanted) => {
            for name in wanted.into_iter().filter_map(|topic| topic.name) {
                topics.push(match services.topics.get(&name) {
                    Some(topic) => describe_topic(&topic),
                    None if may_create => auto_create(services, name.to_string()).await?,
                    None => missing_topic(&name, UNKNOWN_TOPIC_OR_PARTITION),
                });
            }
        }
    }
    let broker = MetadataResponseBroker::default()
        .with_node_id(BROKER_ID)
        .with_host(text(local.ip()))
        .with_port(local.port().into())
        .with_rack(None);
    let response = MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(services.topics.cluster_id())))
        .with_controller_id(BROKER_ID)
        .with_cluster_authorized_operations(NOT_ASKED)
        .with_topics(topics);
    request.respond(&response)
}

async fn auto_create(
    services: &Arc<Services>,
    name: String,
) -> Result<MetadataResponseTopic, Refused> {
    let services = Arc::clone(services);
    blocking(move || {
        let partitions = services.config.default_partitions;
        let config = TopicConfig::default();
        match services
            .topics
            .create(&name, partitions, config, services.now_ms())
        {
            Ok(topic) => describe_topic(&topic),
            Err(error) => missing_topic(&name, error_code::of_topic(&error)),
        }
    })
    .await
}

fn missing_topic(name: &str, code: i16) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_error_code(code)
        .with_name(Some(topic_name(name)))
        .with_topic_authorized_operations(NOT_ASKED)
}

fn describe_topic(topic: &Topic) -> MetadataResponseTopic {
    let partition = |index: i32| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BROKER_ID)
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![BROKER_ID])
            .with_isr_nodes(vec![BROKER_ID])
    };
    let partitions = (0..)
        .zip(&topic.partitions)
        .map(|(index, _)| partition(index))
        .collect();
    missing_topic(&topic.name, NONE).with_partitions(partitions)
}

pub(super) fn describe(
    services: &Services,
    request: &mut Request,
    local: SocketAddr,
) -> Result<Bytes, Refused> {
    let asked: DescribeClusterRequest = request.decode()?;
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BROKER_ID)
        .with_host(text(local.ip()))
        .with_port(local.port().into())
        .with_rack(None);
    let mut response = DescribeClusterResponse::default()
        .with_error_message(None)
        .with_cluster_id(text(services.topics.cluster_id()))
        .with_controller_id(BROKER_ID)
        .with_cluster_authorized_operations(NOT_ASKED)
        .with_brokers(vec![broker]);
    if request.version >= 1 {
        response.endpoint_type = asked.endpoint_type;
    }
    request.respond(&response)
}

/// There are no consumer groups and no transactions. "Not available" would have
/// clients ask for ever; this code ends their attempt.
pub(super) fn find_coordinator(request: &mut Request) -> Result<Bytes, Refused> {
    let _: FindCoordinatorRequest = request.decode()?;
    let mut response = FindCoordinatorResponse::default()
        .with_error_code(UNSUPPORTED_VERSION)
        .with_node_id(BrokerId(-1))
        .with_port(-1);
    if request.version >= 1 {
        response.error_message = Some(text(
            "the embedded broker has no consumer groups and no transactions",
        ));
    }
    request.respond(&response)
}
