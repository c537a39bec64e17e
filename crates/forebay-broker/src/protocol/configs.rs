//! Settings of topics, and a few of the broker, as admin clients see them.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};

use super::error_code::{self, *};
use super::frame::Request;
use super::partition_rows::text;
use super::{Refused, blocking};
use crate::services::Services;
use crate::topic_config::KNOWN;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

pub(super) const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC_BROKER: i8 = 4;
pub(super) const SOURCE_DEFAULT: i8 = 5;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// `config_type` of broker settings: 1 boolean, 2 string, 3 int.
const BOOLEAN: i8 = 1;
const INT: i8 = 3;

struct Row {
    name: &'static str,
    value: String,
    source: i8,
    kind: i8,
    read_only: bool,
}

pub(super) fn describe(services: &Services, request: &mut Request) -> Result<Bytes, Refused> {
    let describe: DescribeConfigsRequest = request.decode()?;
    let version = request.version;
    let one = |resource| describe_one(services, resource, version);
    let results = describe.resources.into_iter().map(one).collect();
    request.respond(&DescribeConfigsResponse::default().with_results(results))
}

fn describe_one(
    services: &Services,
    resource: DescribeConfigsResource,
    version: i16,
) -> DescribeConfigsResult {
    let rows = match resource.resource_type {
        TOPIC => topic_rows(services, &resource.resource_name).ok_or(UNKNOWN_TOPIC_OR_PARTITION),
        BROKER => Ok(broker_rows(services)),
        _ => Err(INVALID_REQUEST),
    };
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name)
        .with_error_message(None);
    let rows = match rows {
        Ok(rows) => rows,
        Err(code) => {
            let message = text("expected an existing topic or the broker");
            return result
                .with_error_code(code)
                .with_error_message(Some(message));
        }
    };
    let wanted = |row: &Row| {
        let keys = resource
            .configuration_keys
            .as_ref()
            .filter(|keys| !keys.is_empty());
        keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == row.name))
    };
    let to_wire = |row: Row| {
        let mut wire = DescribeConfigsResourceResult::default()
            .with_name(text(row.name))
            .with_value(Some(text(row.value)))
            .with_config_source(row.source)
            .with_read_only(row.read_only)
            .with_documentation(None);
        if version >= 3 {
            wire.config_type = row.kind;
        }
        wire
    };
    result.with_configs(rows.into_iter().filter(wanted).map(to_wire).collect())
}

fn topic_rows(services: &Services, name: &str) -> Option<Vec<Row>> {
    let topic = services.topics.get(name)?;
    let config = topic.config.read();
    let row = |known| {
        let (value, given) = config.get(known);
        Row {
            name: known.name,
            value: value.to_owned(),
            source: if given { SOURCE_TOPIC } else { SOURCE_DEFAULT },
            kind: known.kind.wire_type(),
            read_only: false,
        }
    };
    Some(KNOWN.iter().map(row).collect())
}

fn broker_rows(services: &Services) -> Vec<Row> {
    let row = |name, value, kind| Row {
        name,
        value,
        source: SOURCE_STATIC_BROKER,
        kind,
        read_only: true,
    };
    let config = &services.config;
    vec![
        row(
            "auto.create.topics.enable",
            config.auto_create_topics.to_string(),
            BOOLEAN,
        ),
        row("default.replication.factor", "1".to_owned(), INT),
        row("max.connections", config.max_connections.to_string(), INT),
        row("num.partitions", config.default_partitions.to_string(), INT),
        row(
            "socket.request.max.bytes",
            config.max_frame_bytes.to_string(),
            INT,
        ),
    ]
}

pub(super) async fn alter(
    services: &Arc<Services>,
    request: &mut Request,
) -> Result<Bytes, Refused> {
    let alter: IncrementalAlterConfigsRequest = request.decode()?;
    let services = Arc::clone(services);
    let responses = blocking(move || {
        let one = |resource| alter_one(&services, resource, alter.validate_only);
        alter.resources.into_iter().map(one).collect()
    })
    .await?;
    request.respond(&IncrementalAlterConfigsResponse::default().with_responses(responses))
}

fn alter_one(
    services: &Services,
    resource: AlterConfigsResource,
    validate_only: bool,
) -> AlterConfigsResourceResponse {
    let response = AlterConfigsResourceResponse::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    let refused = |code, message: String| {
        response
            .clone()
            .with_error_code(code)
            .with_error_message(Some(text(message)))
    };
    if resource.resource_type != TOPIC {
        return refused(
            INVALID_REQUEST,
            "only topics' settings can be altered".to_owned(),
        );
    }
    if resource
        .configs
        .iter()
        .any(|config| !matches!(config.config_operation, SET..=SUBTRACT))
    {
        return refused(
            INVALID_REQUEST,
            "expected the operations set, delete, append or subtract".to_owned(),
        );
    }
    let altered = services
        .topics
        .configure(&resource.resource_name, validate_only, |config| {
            resource.configs.iter().try_for_each(|change| {
                let value = change.value.as_deref().unwrap_or_default();
                match change.config_operation {
                    DELETE => config.set(&change.name, None),
                    APPEND => config.append(&change.name, value),
                    SUBTRACT => config.subtract(&change.name, value),
                    _ => config.set(&change.name, Some(value)),
                }
            })
        });
    match altered {
        Ok(()) => response.with_error_message(None),
        Err(error) => refused(error_code::of_topic(&error), error.to_string()),
    }
}
