//! Produce: appends in the order of requests, answers when stored.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};

use super::error_code::{self, *};
use super::frame::{self, Request};
use super::partition_rows::text;
use super::{Refused, Reply};
use crate::log::{Appended, Health, Partition};
use crate::services::Services;

/// A partition's part of the answer, possibly not stored yet.
struct Row {
    index: i32,
    /// Code and message.
    result: Result<Pending, (i16, String)>,
}

struct Pending {
    partition: Arc<Partition>,
    appended: Appended,
}

pub(super) fn handle(services: &Services, request: &mut Request) -> Result<Reply, Refused> {
    let produce: ProduceRequest = request.decode()?;
    let refusal = if !matches!(produce.acks, -1..=1) {
        Some((
            INVALID_REQUIRED_ACKS,
            format!("expected acks -1, 0 or 1, got {}", produce.acks),
        ))
    } else if produce.transactional_id.is_some() {
        Some((
            INVALID_TXN_STATE,
            "transactions are not supported".to_owned(),
        ))
    } else {
        None
    };
    let mut topics = Vec::with_capacity(produce.topic_data.len());
    for topic in produce.topic_data {
        let append = |data| match &refusal {
            None => append(services, &topic.name, data),
            Some(refusal) => Row {
                index: data.index,
                result: Err(refusal.clone()),
            },
        };
        let rows: Vec<Row> = topic.partition_data.into_iter().map(append).collect();
        topics.push((topic.name, rows));
    }
    if produce.acks == 0 {
        let failed = topics
            .iter()
            .flat_map(|(_, rows)| rows)
            .any(|row| row.result.is_err());
        // Closing the connection is the only way to tell the producer.
        return if failed {
            Err(Refused::Unacknowledged("see the log"))
        } else {
            Ok(Reply::Nothing)
        };
    }
    let (correlation_id, version) = (request.correlation_id, request.version);
    if !services.config.fsync {
        return respond(correlation_id, version, topics).map(Reply::Ready);
    }
    Ok(Reply::Later(Box::pin(async move {
        for row in topics.iter_mut().flat_map(|(_, rows)| rows) {
            row.wait_until_stored().await;
        }
        respond(correlation_id, version, topics)
    })))
}

fn append(services: &Services, topic: &TopicName, data: PartitionProduceData) -> Row {
    let index = data.index;
    let failed = |code, message| Row {
        index,
        result: Err((code, message)),
    };
    let Some(partition) = services.topics.partition(topic, index) else {
        return failed(
            UNKNOWN_TOPIC_OR_PARTITION,
            format!("no partition {index} of {}", &**topic),
        );
    };
    let batch = data.records.unwrap_or_default();
    match partition.append(&batch, services.now_ms()) {
        Ok(appended) => Row {
            index,
            result: Ok(Pending {
                partition,
                appended,
            }),
        },
        Err(error) => {
            tracing::debug!(topic = &***topic, index, %error, "batch refused");
            failed(error_code::of_append(&error), error.to_string())
        }
    }
}

impl Row {
    async fn wait_until_stored(&mut self) {
        let Ok(pending) = &self.result else { return };
        let refusal = match pending.partition.stored(pending.appended.end).await {
            Health::Well => return,
            Health::Broken(why) => (KAFKA_STORAGE_ERROR, why.to_string()),
            Health::Deleted => (
                UNKNOWN_TOPIC_OR_PARTITION,
                "the topic has been deleted".to_owned(),
            ),
        };
        self.result = Err(refusal);
    }

    fn into_response(self) -> PartitionProduceResponse {
        let response = PartitionProduceResponse::default()
            .with_index(self.index)
            .with_log_append_time_ms(-1);
        match self.result {
            Ok(pending) => response
                .with_base_offset(pending.appended.base_offset)
                .with_log_start_offset(pending.appended.log_start),
            Err((code, message)) => response
                .with_error_code(code)
                .with_base_offset(-1)
                .with_log_start_offset(-1)
                .with_error_message(Some(text(message))),
        }
    }
}

fn respond(
    correlation_id: i32,
    version: i16,
    topics: Vec<(TopicName, Vec<Row>)>,
) -> Result<Bytes, Refused> {
    let topic_response = |(name, rows): (TopicName, Vec<Row>)| {
        let mut partitions: Vec<_> = rows.into_iter().map(Row::into_response).collect();
        if version < 8 {
            for row in &mut partitions {
                row.error_message = None;
            }
        }
        TopicProduceResponse::default()
            .with_name(name)
            .with_partition_responses(partitions)
    };
    let responses = topics.into_iter().map(topic_response).collect();
    let response = ProduceResponse::default().with_responses(responses);
    frame::encode(correlation_id, &response, version)
}
