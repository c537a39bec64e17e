//! Reading a partition: offsets, raw batches, records.

use std::time::Duration;

use bytes::Bytes;
use rskafka::protocol::{
    messages::{
        ListOffsetsRequest, ListOffsetsRequestPartition, ListOffsetsRequestTopic,
        ListOffsetsResponse,
    },
    primitives::{Int32, Int64, String_},
};

use crate::{
    Error,
    cluster::Cluster,
    connection::{Connection, Throttling},
    error::ErrorCode,
    messages::fetch::{FetchAnswer, RawFetch},
    metadata::throttle,
    pool::Purpose,
    record_batch::decode::{DecodedRecord, decode_batches},
};

/// Batches as they stand in the log.
#[derive(Debug, Clone)]
pub struct FetchedChunk {
    /// v2 batches. The first may begin before the offset asked for, the last
    /// may be cut off.
    pub batches: Bytes,
    /// Offset after the last record that all in-sync replicas have.
    pub high_watermark: i64,
    /// Offset of the first record of the log; `None` if the broker is too old
    /// to say (before Kafka 1.0).
    pub log_start_offset: Option<i64>,
}

/// Records, decoded.
#[derive(Debug, Clone)]
pub struct RecordsChunk {
    /// By rising offset; may be empty although there are more to come.
    pub records: Vec<DecodedRecord>,
    /// Where to read on: beyond `records`, control records and what compaction
    /// has removed. The offset asked for if nothing came.
    pub next_offset: i64,
    /// As in [`FetchedChunk`].
    pub high_watermark: i64,
    /// As in [`FetchedChunk`].
    pub log_start_offset: Option<i64>,
}

impl FetchedChunk {
    /// Decodes the records from `offset` on, which is the offset asked for.
    ///
    /// # Errors
    /// As [`decode_batches`].
    pub fn decode(self, offset: i64) -> Result<RecordsChunk, Error> {
        let empty = self.batches.is_empty();
        let found = decode_batches(self.batches, offset)?;
        if found.next_offset.is_none() && !empty {
            // Else readers would ask for the same offset for ever.
            let reason = "the fetch brought no complete batch".to_owned();
            return Err(Error::CorruptBatch { offset, reason });
        }
        Ok(RecordsChunk {
            records: found.records,
            next_offset: found.next_offset.unwrap_or(offset),
            high_watermark: self.high_watermark,
            log_start_offset: self.log_start_offset,
        })
    }
}

/// Which offset is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetAt {
    /// That of the log's first record.
    Earliest,
    /// The high watermark: that of the next record.
    Latest,
    /// That of the first record at or after this time, Unix milliseconds.
    Time(i64),
}

impl Cluster {
    /// Asks the leader for an offset; `None` if no record is as young as that.
    ///
    /// # Errors
    /// As [`leader`](Self::leader), and those of the connection.
    ///
    /// # Cancellation
    /// Safe. Takes at most about connect + 2 × request timeout.
    pub async fn offset(
        &self,
        topic: &str,
        partition: i32,
        at: OffsetAt,
    ) -> Result<Option<i64>, Error> {
        let timestamp = match at {
            OffsetAt::Earliest => -2,
            OffsetAt::Latest => -1,
            // Negative times have meanings of their own.
            OffsetAt::Time(millis) => millis.max(0),
        };
        let request = list_offsets(topic, partition, timestamp);
        let subject = (topic, partition);
        self.ask_leader(
            subject,
            Purpose::Control,
            &request,
            Duration::ZERO,
            |answer| read_offset(answer, topic, partition),
        )
        .await
    }

    /// The log's first offset. As [`offset`](Self::offset).
    ///
    /// # Errors
    /// As [`offset`](Self::offset).
    pub async fn earliest_offset(&self, topic: &str, partition: i32) -> Result<i64, Error> {
        let offset = self.offset(topic, partition, OffsetAt::Earliest).await?;
        offset.ok_or_else(|| Error::protocol("the leader names no earliest offset"))
    }

    /// The high watermark. As [`offset`](Self::offset).
    ///
    /// # Errors
    /// As [`offset`](Self::offset).
    pub async fn latest_offset(&self, topic: &str, partition: i32) -> Result<i64, Error> {
        let offset = self.offset(topic, partition, OffsetAt::Latest).await?;
        offset.ok_or_else(|| Error::protocol("the leader names no latest offset"))
    }

    /// The first offset at or after a time, Unix milliseconds. As [`offset`](Self::offset).
    ///
    /// # Errors
    /// As [`offset`](Self::offset).
    pub async fn offset_at(
        &self,
        topic: &str,
        partition: i32,
        time_ms: i64,
    ) -> Result<Option<i64>, Error> {
        self.offset(topic, partition, OffsetAt::Time(time_ms)).await
    }

    /// Fetches batches over a connection that is shared: `max_wait`, for which
    /// the broker waits for a first byte, holds up others, so keep it short or
    /// use a [`PartitionReader`].
    ///
    /// `max_bytes` limits the answer, but a first batch that is longer comes
    /// all the same.
    ///
    /// # Errors
    /// As [`leader`](Self::leader), and those of the connection;
    /// [`Error::Api`] with `OFFSET_OUT_OF_RANGE`.
    ///
    /// # Cancellation
    /// Safe. Takes at most about connect + 2 × request timeout + `max_wait`.
    pub async fn fetch(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        max_wait: Duration,
        max_bytes: i32,
    ) -> Result<FetchedChunk, Error> {
        let request = raw_fetch(topic, partition, offset, max_wait, max_bytes);
        self.ask_leader(
            (topic, partition),
            Purpose::Fetch,
            &request,
            max_wait,
            |answer| read_fetch(answer, topic, partition, offset),
        )
        .await
    }

    /// Fetches as [`fetch`](Self::fetch), and decodes.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch) and [`FetchedChunk::decode`].
    ///
    /// # Cancellation
    /// As [`fetch`](Self::fetch).
    pub async fn records(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        max_wait: Duration,
        max_bytes: i32,
    ) -> Result<RecordsChunk, Error> {
        self.fetch(topic, partition, offset, max_wait, max_bytes)
            .await?
            .decode(offset)
    }
}

/// Reads one partition over a connection of its own: for long polls.
#[derive(Debug)]
pub struct PartitionReader {
    cluster: Cluster,
    topic: String,
    partition: i32,
    connection: Option<Connection>,
}

impl PartitionReader {
    /// Connects when it first reads.
    pub fn new(cluster: Cluster, topic: impl Into<String>, partition: i32) -> Self {
        Self {
            cluster,
            topic: topic.into(),
            partition,
            connection: None,
        }
    }

    /// Fetches batches; the broker waits up to `max_wait` for a first byte.
    ///
    /// One attempt: after an error that [`is_retriable`](Error::is_retriable)
    /// the next call asks anew who leads, and connects anew. The gate before
    /// the broker and the limit on metadata questions keep a caller that
    /// simply calls again from flooding anybody.
    ///
    /// # Errors
    /// As [`Cluster::fetch`].
    ///
    /// # Cancellation
    /// Safe; the connection is closed and made anew by the next call. Takes at
    /// most the times of [`Cluster::leader`] and of connecting, request
    /// timeout and `max_wait`.
    pub async fn fetch(
        &mut self,
        offset: i64,
        max_wait: Duration,
        max_bytes: i32,
    ) -> Result<FetchedChunk, Error> {
        let result = self.try_fetch(offset, max_wait, max_bytes).await;
        if result.as_ref().is_err_and(Error::is_retriable) {
            self.cluster.invalidate(&self.topic);
        }
        result
    }

    /// Fetches as [`fetch`](Self::fetch), and decodes.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch) and [`FetchedChunk::decode`].
    ///
    /// # Cancellation
    /// As [`fetch`](Self::fetch).
    pub async fn records(
        &mut self,
        offset: i64,
        max_wait: Duration,
        max_bytes: i32,
    ) -> Result<RecordsChunk, Error> {
        self.fetch(offset, max_wait, max_bytes)
            .await?
            .decode(offset)
    }

    async fn try_fetch(
        &mut self,
        offset: i64,
        max_wait: Duration,
        max_bytes: i32,
    ) -> Result<FetchedChunk, Error> {
        let leader = self.cluster.leader(&self.topic, self.partition).await?;
        let address = leader.address();
        // Out of `self` while in use: a dropped call closes it, and no later
        // call waits behind the poll that was left.
        let reusable = self
            .connection
            .take()
            .filter(|open| open.address() == address);
        let connection = match reusable {
            Some(connection) => connection,
            None => self.cluster.connect(&leader).await?,
        };
        let request = raw_fetch(&self.topic, self.partition, offset, max_wait, max_bytes);
        let limit = self.cluster.config().request_timeout + max_wait;
        let answer = connection.request_throttled(request, limit).await?;
        let result = read_fetch(answer, &self.topic, self.partition, offset);
        self.connection = Some(connection);
        result
    }
}

fn raw_fetch(
    topic: &str,
    partition: i32,
    offset: i64,
    max_wait: Duration,
    max_bytes: i32,
) -> RawFetch<'_> {
    let max_wait_ms = i32::try_from(max_wait.as_millis()).unwrap_or(i32::MAX);
    RawFetch {
        topic,
        partition,
        offset,
        max_wait_ms,
        max_bytes,
    }
}

fn read_fetch(
    answer: FetchAnswer,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<FetchedChunk, Error> {
    let context = || format!("reading offset {offset} of topic {topic} partition {partition}");
    if answer.code != 0 {
        return Err(Error::api(ErrorCode(answer.code), context(), None));
    }
    let of_topic = answer.topics.into_iter().filter(|(name, _)| name == topic);
    let fetched = of_topic
        .flat_map(|(_, partitions)| partitions)
        .find(|fetched| fetched.partition == partition)
        .ok_or_else(|| Error::protocol(format!("{}: not in the answer", context())))?;
    if fetched.code != 0 {
        return Err(Error::api(ErrorCode(fetched.code), context(), None));
    }
    Ok(FetchedChunk {
        batches: fetched.batches,
        high_watermark: fetched.high_watermark,
        log_start_offset: fetched.log_start_offset,
    })
}

fn list_offsets(topic: &str, partition: i32, timestamp: i64) -> ListOffsetsRequest {
    ListOffsetsRequest {
        replica_id: Int32(-1),
        isolation_level: None,
        topics: vec![ListOffsetsRequestTopic {
            name: String_(topic.to_owned()),
            partitions: vec![ListOffsetsRequestPartition {
                partition_index: Int32(partition),
                timestamp: Int64(timestamp),
                max_num_offsets: None,
            }],
        }],
    }
}

impl Throttling for ListOffsetsResponse {
    fn throttle(&self) -> Duration {
        throttle(self.throttle_time_ms)
    }
}

fn read_offset(
    answer: ListOffsetsResponse,
    topic: &str,
    partition: i32,
) -> Result<Option<i64>, Error> {
    let context = || format!("asking for offsets of topic {topic} partition {partition}");
    let part = answer
        .topics
        .iter()
        .filter(|answered| answered.name.0 == topic)
        .flat_map(|answered| &answered.partitions)
        .find(|part| part.partition_index.0 == partition)
        .ok_or_else(|| Error::protocol(format!("{}: not in the answer", context())))?;
    match ErrorCode::of(part.error_code) {
        ErrorCode::NONE => Ok(part
            .offset
            .map(|offset| offset.0)
            .filter(|offset| *offset >= 0)),
        code => Err(Error::api(code, context(), None)),
    }
}
