//! What a topic holds, read by code that is not Forebay's.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use kafka_protocol::ResponseError;

use crate::cluster::{KafkaCluster, POLL, READY_LIMIT};
use crate::wire_client::WireClient;
use crate::wire_log::StoredRecord;

impl KafkaCluster {
    /// A connection, past any proxy, to the leader of a partition; waits for one.
    ///
    /// # Errors
    /// When there is no leader within 180 s, or it cannot be reached.
    pub async fn leader_client(&self, topic: &str, partition: i32) -> Result<WireClient> {
        let leader = self.await_leader(topic, partition, None).await?;
        WireClient::connect(self.nodes[leader].internal()).await
    }

    /// Reads something at the leader of a partition, anew as long as the refusal
    /// shows that a leader is still taking office.
    async fn at_leader<T>(
        &self,
        topic: &str,
        partition: i32,
        mut work: impl AsyncFnMut(&mut WireClient) -> Result<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let mut client = self.leader_client(topic, partition).await?;
            match work(&mut client).await {
                Err(error) if has_code(&error, NEW_LEADER) && Instant::now() < deadline => {
                    tokio::time::sleep(POLL).await;
                }
                other => return other,
            }
        }
    }

    /// The high watermark of each partition: one more than the last offset
    /// that a consumer can read.
    ///
    /// # Errors
    /// When the topic does not exist or a leader does not answer.
    pub async fn end_offsets(&self, topic: &str) -> Result<BTreeMap<i32, i64>> {
        let mut ends = BTreeMap::new();
        for &partition in self.partitions(topic).await?.keys() {
            let range = self.at_leader(topic, partition, async |client| {
                client.offset_range(topic, partition).await
            });
            ends.insert(partition, range.await?.1);
        }
        Ok(ends)
    }

    /// Every record of a topic up to the high watermarks of now, by partition
    /// and offset. Does not read compressed batches; the dump by Python does.
    ///
    /// # Errors
    /// When the topic does not exist or a leader does not answer.
    pub async fn read_all(&self, topic: &str) -> Result<Vec<StoredRecord>> {
        let mut records = Vec::new();
        for &partition in self.partitions(topic).await?.keys() {
            let found = self.at_leader(topic, partition, async |client| {
                client.read_partition(topic, partition, 0).await
            });
            records.extend(found.await?);
        }
        Ok(records)
    }

    /// Writes one batch of keys and values, past any proxy, with acks=all and
    /// no producer id; gives the first one's offset. Tried again only after a
    /// refusal that shows that nothing was stored.
    ///
    /// # Errors
    /// When the leader refuses or does not answer.
    pub async fn produce(
        &self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        records: &[(Option<Bytes>, Option<Bytes>)],
    ) -> Result<i64> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            // Refused by all but a settled leader. As an answer to the write
            // itself that refusal would prove nothing: a leader deposed after
            // the append gives the same.
            self.at_leader(topic, partition, async |client| {
                client.offset_range(topic, partition).await
            })
            .await?;
            let mut client = self.leader_client(topic, partition).await?;
            match client.produce(topic, partition, timestamp, records).await {
                Err(error)
                    if has_code(&error, &[ResponseError::NotEnoughReplicas])
                        && Instant::now() < deadline =>
                {
                    tokio::time::sleep(POLL).await;
                }
                other => return other,
            }
        }
    }
}

/// The answers of a broker that does not lead yet, or whose log's end is not
/// settled yet, to somebody who reads.
const NEW_LEADER: &[ResponseError] = &[
    ResponseError::NotLeaderOrFollower,
    ResponseError::LeaderNotAvailable,
    ResponseError::UnknownTopicOrPartition,
];

fn has_code(error: &anyhow::Error, codes: &[ResponseError]) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref())
        .any(|code| codes.contains(code))
}
