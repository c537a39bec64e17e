//! Creating, deleting and growing topics, and deleting records.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    TopicName,
};

use super::configs::{SOURCE_DEFAULT, SOURCE_TOPIC};
use super::error_code::{self, *};
use super::frame::Request;
use super::partition_rows::text;
use super::{Refused, blocking};
use crate::services::Services;
use crate::topic_config::{KNOWN, TopicConfig};
use crate::topics::TopicError;

pub(super) async fn create(
    services: &Arc<Services>,
    request: &mut Request,
) -> Result<Bytes, Refused> {
    let create: CreateTopicsRequest = request.decode()?;
    let services = Arc::clone(services);
    let topics = blocking(move || {
        let one = |topic| create_one(&services, topic, create.validate_only);
        create.topics.into_iter().map(one).collect()
    })
    .await?;
    request.respond(&CreateTopicsResponse::default().with_topics(topics))
}

fn create_one(
    services: &Services,
    topic: CreatableTopic,
    validate_only: bool,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(topic.name.clone());
    match try_create(services, &topic, validate_only) {
        Ok((partitions, config)) => result
            .with_error_message(None)
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(Some(config_rows(&config))),
        Err((code, message)) => result
            .with_error_code(code)
            .with_error_message(Some(text(message)))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_configs(Some(Vec::new())),
    }
}

fn try_create(
    services: &Services,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<(i32, TopicConfig), (i16, String)> {
    let refused = |error: TopicError| (error_code::of_topic(&error), error.to_string());
    if !topic.assignments.is_empty() {
        let message = "replicas cannot be assigned on a single broker".to_owned();
        return Err((INVALID_REPLICA_ASSIGNMENT, message));
    }
    if !matches!(topic.replication_factor, -1 | 1) {
        let message = format!(
            "expected replication factor 1 (the embedded broker is one node), got {}",
            topic.replication_factor
        );
        return Err((INVALID_REPLICATION_FACTOR, message));
    }
    let partitions = match topic.num_partitions {
        -1 => services.config.default_partitions,
        number => number,
    };
    let mut config = TopicConfig::default();
    for setting in &topic.configs {
        config
            .set(&setting.name, setting.value.as_deref())
            .map_err(|e| refused(e.into()))?;
    }
    if validate_only {
        services
            .topics
            .may_create(&topic.name, partitions)
            .map_err(refused)?;
    } else {
        let (copy, now_ms) = (config.clone(), services.now_ms());
        services
            .topics
            .create(&topic.name, partitions, copy, now_ms)
            .map_err(refused)?;
    }
    Ok((partitions, config))
}

fn config_rows(config: &TopicConfig) -> Vec<CreatableTopicConfigs> {
    let row = |known| {
        let (value, given) = config.get(known);
        CreatableTopicConfigs::default()
            .with_name(text(known.name))
            .with_value(Some(text(value)))
            .with_config_source(if given { SOURCE_TOPIC } else { SOURCE_DEFAULT })
    };
    KNOWN.iter().map(row).collect()
}

pub(super) async fn delete(
    services: &Arc<Services>,
    request: &mut Request,
) -> Result<Bytes, Refused> {
    let delete: DeleteTopicsRequest = request.decode()?;
    let services = Arc::clone(services);
    let version = request.version;
    let responses = blocking(move || {
        let one = |name: TopicName| {
            let result = DeletableTopicResult::default();
            let result = match services.topics.delete(&name) {
                Ok(()) => result,
                Err(error) => {
                    let message = (version >= 5).then(|| text(&error));
                    result
                        .with_error_code(error_code::of_topic(&error))
                        .with_error_message(message)
                }
            };
            result.with_name(Some(name))
        };
        delete.topic_names.into_iter().map(one).collect()
    })
    .await?;
    request.respond(&DeleteTopicsResponse::default().with_responses(responses))
}

pub(super) async fn grow(
    services: &Arc<Services>,
    request: &mut Request,
) -> Result<Bytes, Refused> {
    let grow: CreatePartitionsRequest = request.decode()?;
    let services = Arc::clone(services);
    let results = blocking(move || {
        let one = |topic: CreatePartitionsTopic| {
            let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
            let (topics, now_ms) = (&services.topics, services.now_ms());
            let grown = match grow.validate_only {
                true => topics.may_grow(&topic.name, topic.count).map(drop),
                false => topics.grow(&topic.name, topic.count, now_ms),
            };
            match grown {
                Ok(()) => result.with_error_message(None),
                Err(error) => result
                    .with_error_code(error_code::of_topic(&error))
                    .with_error_message(Some(text(&error))),
            }
        };
        grow.topics.into_iter().map(one).collect()
    })
    .await?;
    request.respond(&CreatePartitionsResponse::default().with_results(results))
}

pub(super) async fn delete_records(
    services: &Arc<Services>,
    request: &mut Request,
) -> Result<Bytes, Refused> {
    let delete: DeleteRecordsRequest = request.decode()?;
    let services = Arc::clone(services);
    let topics = blocking(move || {
        let mut topics = Vec::with_capacity(delete.topics.len());
        for topic in delete.topics {
            let mut rows = Vec::with_capacity(topic.partitions.len());
            for wanted in &topic.partitions {
                let index = wanted.partition_index;
                let deleted = delete_before(&services, &topic.name, index, wanted.offset);
                let (code, low) = deleted.map_or_else(|code| (code, -1), |low| (NONE, low));
                let row = DeleteRecordsPartitionResult::default();
                rows.push(
                    row.with_partition_index(index)
                        .with_error_code(code)
                        .with_low_watermark(low),
                );
            }
            let result = DeleteRecordsTopicResult::default().with_name(topic.name);
            topics.push(result.with_partitions(rows));
        }
        topics
    })
    .await?;
    request.respond(&DeleteRecordsResponse::default().with_topics(topics))
}

fn delete_before(services: &Services, topic: &str, index: i32, offset: i64) -> Result<i64, i16> {
    let partition = services
        .topics
        .partition(topic, index)
        .ok_or(UNKNOWN_TOPIC_OR_PARTITION)?;
    match partition.delete_records_before(offset) {
        Ok(low_watermark) => low_watermark.ok_or(OFFSET_OUT_OF_RANGE),
        Err(error) => {
            services.disk.write_failed(topic, &error);
            Err(KAFKA_STORAGE_ERROR)
        }
    }
}
