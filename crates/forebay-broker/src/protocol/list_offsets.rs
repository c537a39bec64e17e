//! ListOffsets: earliest, latest, by time, and the newest in time (KIP-734).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::error_code::*;
use super::frame::Request;
use super::{Refused, blocking};
use crate::log::{LEADER_EPOCH, ReadError, TimedOffset};
use crate::services::Services;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LATEST_IN_TIME: i64 = -3;

pub(super) async fn handle(
    services: &Arc<Services>,
    request: &mut Request,
) -> Result<Bytes, Refused> {
    let list: ListOffsetsRequest = request.decode()?;
    let services = Arc::clone(services);
    let version = request.version;
    let topics = blocking(move || look_up(&services, list, version)).await?;
    request.respond(&ListOffsetsResponse::default().with_topics(topics))
}

fn look_up(
    services: &Services,
    list: ListOffsetsRequest,
    version: i16,
) -> Vec<ListOffsetsTopicResponse> {
    let mut topics = Vec::with_capacity(list.topics.len());
    for topic in list.topics {
        let mut rows = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let answer = find(
                services,
                &topic.name,
                wanted.partition_index,
                wanted.timestamp,
            );
            let (code, found) = match answer {
                Ok(found) => (NONE, found),
                Err(code) => (code, None),
            };
            let found = found.unwrap_or(TimedOffset {
                offset: -1,
                timestamp: -1,
            });
            let mut row = ListOffsetsPartitionResponse::default()
                .with_partition_index(wanted.partition_index)
                .with_error_code(code)
                .with_offset(found.offset)
                .with_timestamp(found.timestamp);
            if version >= 4 {
                row.leader_epoch = LEADER_EPOCH;
            }
            rows.push(row);
        }
        topics.push(
            ListOffsetsTopicResponse::default()
                .with_name(topic.name)
                .with_partitions(rows),
        );
    }
    topics
}

fn find(
    services: &Services,
    topic: &str,
    partition: i32,
    timestamp: i64,
) -> Result<Option<TimedOffset>, i16> {
    let partition = services
        .topics
        .partition(topic, partition)
        .ok_or(UNKNOWN_TOPIC_OR_PARTITION)?;
    let (log_start, stored) = partition.bounds();
    let found = match timestamp {
        LATEST => Ok(Some(TimedOffset {
            offset: stored,
            timestamp: -1,
        })),
        EARLIEST => Ok(Some(TimedOffset {
            offset: log_start,
            timestamp: -1,
        })),
        LATEST_IN_TIME => partition.latest_in_time(),
        timestamp if timestamp >= 0 => partition.first_at_or_after(timestamp),
        _ => return Err(INVALID_REQUEST),
    };
    found.map_err(|error| match error {
        ReadError::Deleted => UNKNOWN_TOPIC_OR_PARTITION,
        ReadError::OutOfRange { .. } | ReadError::Io(_) => KAFKA_STORAGE_ERROR,
    })
}
