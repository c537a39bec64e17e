//! Reading and writing a partition's log through [`WireClient`].

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
    ProduceRequest, ProduceResponse,
};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::wire_client::{WireClient, check, text, topic_name};

/// Kafka's "the next offset" and "the first offset" in ListOffsets.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const FETCH_BYTES: i32 = 8 << 20;

/// A record as it lies in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredRecord {
    /// Partition index.
    pub partition: i32,
    /// Offset within the partition.
    pub offset: i64,
    /// Unix milliseconds, as stored.
    pub timestamp: i64,
    /// `None` is Kafka's null.
    pub key: Option<Bytes>,
    /// `None` is Kafka's null.
    pub value: Option<Bytes>,
}

/// A record to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// `None` is Kafka's null.
    pub key: Option<Bytes>,
    /// `None` is Kafka's null.
    pub value: Option<Bytes>,
    /// Names, each of them once, and values.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl WireClient {
    async fn offset_at(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<i64> {
        let partitions = vec![
            ListOffsetsPartition::default()
                .with_partition_index(partition)
                .with_timestamp(timestamp),
        ];
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![
                ListOffsetsTopic::default()
                    .with_name(topic_name(topic))
                    .with_partitions(partitions),
            ]);
        let answer: ListOffsetsResponse = self.call(ApiKey::ListOffsets, 2, &request).await?;
        let found = answer
            .topics
            .first()
            .and_then(|topic| topic.partitions.first())
            .context("ListOffsets answered for no partition")?;
        check(found.error_code, || {
            format!("offsets of {topic}/{partition}")
        })?;
        Ok(found.offset)
    }

    /// The first offset still in the log, and the high watermark: one more than
    /// the last offset that a consumer can read. The broker must be the leader.
    ///
    /// # Errors
    /// When the broker refuses or does not answer.
    pub async fn offset_range(&mut self, topic: &str, partition: i32) -> Result<(i64, i64)> {
        let first = self.offset_at(topic, partition, EARLIEST).await?;
        let end = self.offset_at(topic, partition, LATEST).await?;
        Ok((first, end))
    }

    /// All records of a partition from `from` up to the high watermark of now,
    /// also those of open or aborted transactions. The broker must be the leader;
    /// compressed batches are not understood.
    ///
    /// # Errors
    /// When the broker refuses or does not answer, or a batch cannot be read.
    pub async fn read_partition(
        &mut self,
        topic: &str,
        partition: i32,
        from: i64,
    ) -> Result<Vec<StoredRecord>> {
        let (first, end) = self.offset_range(topic, partition).await?;
        let mut next = from.max(first);
        let mut records = Vec::new();
        while next < end {
            let (mut batches, after) = self.fetch(topic, partition, next).await?;
            for set in RecordBatchDecoder::decode_all(&mut batches)? {
                let wanted = set
                    .records
                    .into_iter()
                    .filter(|record| record.offset >= next && !record.control);
                records.extend(wanted.map(|record| stored(partition, record)));
            }
            ensure!(after > next, "{topic}/{partition} gave nothing at {next}");
            next = after;
        }
        records.retain(|record| record.offset < end);
        Ok(records)
    }

    /// Whole batches from `offset` on, and the offset after them.
    async fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> Result<(Bytes, i64)> {
        let request = FetchRequest::default()
            .with_max_wait_ms(5_000)
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES)
            .with_topics(vec![
                FetchTopic::default()
                    .with_topic(topic_name(topic))
                    .with_partitions(vec![
                        FetchPartition::default()
                            .with_partition(partition)
                            .with_fetch_offset(offset)
                            .with_partition_max_bytes(FETCH_BYTES),
                    ]),
            ]);
        let answer: FetchResponse = self.call(ApiKey::Fetch, 4, &request).await?;
        let data = answer
            .responses
            .into_iter()
            .next()
            .and_then(|topic| topic.partitions.into_iter().next())
            .context("Fetch answered for no partition")?;
        check(data.error_code, || {
            format!("fetch of {topic}/{partition} at {offset}")
        })?;
        Ok(complete_batches(data.records.unwrap_or_default()))
    }

    /// Writes one plain batch (acks=all, no producer id) and gives the offset of
    /// its first record. The broker must be the leader.
    ///
    /// # Errors
    /// When the broker refuses or does not answer.
    pub async fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        records: &[(Option<Bytes>, Option<Bytes>)],
    ) -> Result<i64> {
        let records: Vec<_> = records
            .iter()
            .map(|(key, value)| NewRecord {
                key: key.clone(),
                value: value.clone(),
                headers: Vec::new(),
            })
            .collect();
        self.produce_records(topic, partition, timestamp, &records)
            .await
    }

    /// As [`Self::produce`], with headers.
    ///
    /// # Errors
    /// When the broker refuses or does not answer.
    pub async fn produce_records(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        records: &[NewRecord],
    ) -> Result<i64> {
        let batch = encode_batch(timestamp, records)?;
        self.produce_batch(topic, partition, batch).await
    }

    /// Writes a record batch as it is given, acks=all.
    ///
    /// # Errors
    /// When the broker refuses or does not answer.
    pub async fn produce_batch(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Bytes,
    ) -> Result<i64> {
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(20_000)
            .with_topic_data(vec![
                TopicProduceData::default()
                    .with_name(topic_name(topic))
                    .with_partition_data(vec![
                        PartitionProduceData::default()
                            .with_index(partition)
                            .with_records(Some(batch)),
                    ]),
            ]);
        let answer: ProduceResponse = self.call(ApiKey::Produce, 7, &request).await?;
        let part = answer
            .responses
            .first()
            .and_then(|topic| topic.partition_responses.first())
            .context("Produce answered for no partition")?;
        check(part.error_code, || {
            format!("produce to {topic}/{partition}")
        })?;
        Ok(part.base_offset)
    }
}

fn stored(partition: i32, record: Record) -> StoredRecord {
    StoredRecord {
        partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key,
        value: record.value,
    }
}

/// Cuts off the last batch where the broker's size limit cut it short; also gives
/// the offset after the last whole batch. That comes from the batches' headers:
/// a compacted batch spans offsets that no record in it has any more.
fn complete_batches(mut data: Bytes) -> (Bytes, i64) {
    // Of a batch's header: base offset 0..8, length of the rest 8..12, offset of
    // the last record from the base 23..27.
    const BEFORE_REST: usize = 12;
    let mut complete = 0;
    let mut next = 0;
    while let Some(header) = data.get(complete..complete + 27) {
        let base = i64::from_be_bytes(header[..8].try_into().expect("eight bytes"));
        let rest = i32::from_be_bytes(header[8..12].try_into().expect("four bytes"));
        let last = i32::from_be_bytes(header[23..27].try_into().expect("four bytes"));
        let end = complete + BEFORE_REST + usize::try_from(rest).unwrap_or(usize::MAX / 2);
        if end > data.len() {
            break;
        }
        complete = end;
        next = base + i64::from(last) + 1;
    }
    (data.split_to(complete), next)
}

fn encode_batch(timestamp: i64, records: &[NewRecord]) -> Result<Bytes> {
    // The encoder wants sequences to rise within a batch, from "none" too: they
    // are not stored.
    let records: Vec<Record> = (0..)
        .zip(NO_SEQUENCE..)
        .zip(records)
        .map(|((offset, sequence), record)| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            timestamp_type: TimestampType::Creation,
            offset,
            sequence,
            timestamp,
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record
                .headers
                .iter()
                .map(|(name, value)| (text(name), value.clone()))
                .collect(),
        })
        .collect();
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut batch, &records, &options)?;
    Ok(batch.freeze())
}
