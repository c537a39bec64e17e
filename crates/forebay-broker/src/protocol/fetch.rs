//! Fetch: whole batches, with a long poll. Sessions (KIP-227) are not offered:
//! session id 0 in the answer has clients send full requests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::error_code::*;
use super::frame::{self, Request};
use super::{Refused, Reply};
use crate::log::{ReadError, Slice};
use crate::services::Services;

/// More than clients ask for; bounds what one response may hold in memory.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

pub(super) fn handle(services: &Arc<Services>, request: &mut Request) -> Result<Reply, Refused> {
    let fetch: FetchRequest = request.decode()?;
    let (correlation_id, version) = (request.correlation_id, request.version);
    if fetch.session_id != 0 {
        let response = FetchResponse::default().with_error_code(FETCH_SESSION_ID_NOT_FOUND);
        return frame::encode(correlation_id, &response, version).map(Reply::Ready);
    }
    let deadline = Instant::now() + Duration::from_millis(fetch.max_wait_ms.max(0) as u64);
    let poll = Poll {
        services: Arc::clone(services),
        fetch,
        correlation_id,
        version,
    };
    Ok(Reply::Later(Box::pin(
        async move { poll.until(deadline).await },
    )))
}

struct Poll {
    services: Arc<Services>,
    fetch: FetchRequest,
    correlation_id: i32,
    version: i16,
}

/// What one look at the partitions has found.
struct Found {
    topics: Vec<FetchableTopicResponse>,
    bytes: usize,
    has_error: bool,
}

impl Poll {
    async fn until(self, deadline: Instant) -> Result<Bytes, Refused> {
        let min_bytes = usize::try_from(self.fetch.min_bytes).unwrap_or(0);
        loop {
            let change = Arc::new(Notify::new());
            if Instant::now() < deadline {
                // Before looking, so that nothing is missed in between.
                self.listen(&change);
            }
            let found = self.look();
            let is_enough = found.bytes >= min_bytes || found.has_error;
            if is_enough || Instant::now() >= deadline {
                let response = FetchResponse::default().with_responses(found.topics);
                return frame::encode(self.correlation_id, &response, self.version);
            }
            drop(found);
            // Timed out or not, the next look decides.
            let _timed_out = tokio::time::timeout_at(deadline, change.notified())
                .await
                .is_err();
        }
    }

    fn listen(&self, change: &Arc<Notify>) {
        for topic in &self.fetch.topics {
            for wanted in &topic.partitions {
                if let Some(partition) = self
                    .services
                    .topics
                    .partition(&topic.topic, wanted.partition)
                {
                    partition.notify_on_change(change);
                }
            }
        }
    }

    fn look(&self) -> Found {
        let max_bytes = usize::try_from(self.fetch.max_bytes)
            .unwrap_or(0)
            .min(MAX_RESPONSE_BYTES);
        let mut found = Found {
            topics: Vec::new(),
            bytes: 0,
            has_error: false,
        };
        for topic in &self.fetch.topics {
            let mut rows = Vec::with_capacity(topic.partitions.len());
            for wanted in &topic.partitions {
                let limit = usize::try_from(wanted.partition_max_bytes).unwrap_or(0);
                let limit = limit.min(max_bytes.saturating_sub(found.bytes));
                let partition = self
                    .services
                    .topics
                    .partition(&topic.topic, wanted.partition);
                let row = PartitionData::default()
                    .with_partition_index(wanted.partition)
                    .with_preferred_read_replica(BrokerId(-1));
                let slice = match partition {
                    Some(partition) => partition.read(wanted.fetch_offset, limit, found.bytes == 0),
                    None => Err(ReadError::Deleted),
                };
                let row = fill(row, slice);
                found.bytes += row.records.as_ref().map_or(0, Bytes::len);
                found.has_error |= row.error_code != NONE;
                rows.push(row);
            }
            let topic = FetchableTopicResponse::default().with_topic(topic.topic.clone());
            found.topics.push(topic.with_partitions(rows));
        }
        found
    }
}

fn fill(row: PartitionData, slice: Result<Slice, ReadError>) -> PartitionData {
    let (code, log_start, stored, batches) = match slice {
        Ok(slice) => (NONE, slice.log_start, slice.stored, slice.batches),
        Err(ReadError::OutOfRange {
            log_start, stored, ..
        }) => (OFFSET_OUT_OF_RANGE, log_start, stored, Vec::new()),
        Err(ReadError::Deleted) => (UNKNOWN_TOPIC_OR_PARTITION, -1, -1, Vec::new()),
        Err(ReadError::Io(error)) => {
            tracing::error!(partition = row.partition_index, %error, "cannot read the log");
            (KAFKA_STORAGE_ERROR, -1, -1, Vec::new())
        }
    };
    row.with_error_code(code)
        .with_high_watermark(stored)
        .with_last_stable_offset(stored)
        .with_log_start_offset(log_start)
        .with_records(Some(Bytes::from(batches)))
}
