//! Looking in the log for a batch that the broker no longer knows.
//!
//! A batch carries its producer id, epoch and first sequence in its header, so
//! finding it below the high watermark proves that it is stored, and where.

use std::time::Duration;

use crate::{
    Error,
    cluster::Cluster,
    record_batch::{encode::FrozenBatch, header::BatchHeader},
};

/// Bytes asked for at once, and at most read in all: a search must neither
/// take the memory nor the time that messages need.
const CHUNK_BYTES: i32 = 1 << 20;
const CHUNKS: usize = 256;

/// How far the clocks of broker and gateway may differ when the search has to
/// begin by time.
const CLOCK_MARGIN_MS: i64 = 60_000;

/// Looks for the batch from `known_end` on, or, if that is unknown, from about
/// the time of its first record. Gives its base offset if it is there.
///
/// # Errors
/// If the log cannot be read: nothing is proved then.
pub(super) async fn find(
    cluster: &Cluster,
    topic: &str,
    partition: i32,
    batch: &FrozenBatch,
    known_end: Option<i64>,
) -> Result<Option<i64>, Error> {
    let mut offset = match known_end {
        Some(offset) => offset,
        None => {
            let time = batch.base_timestamp() - CLOCK_MARGIN_MS;
            match cluster.offset_at(topic, partition, time).await? {
                Some(offset) => offset,
                // Nothing in the log is as young as the batch.
                None => return Ok(None),
            }
        }
    };
    for _ in 0..CHUNKS {
        let chunk = cluster
            .fetch(topic, partition, offset, Duration::ZERO, CHUNK_BYTES)
            .await?;
        let mut end = offset;
        for header in BatchHeader::scan(&chunk.batches) {
            if is_same(&header, batch) {
                return Ok(Some(header.base_offset));
            }
            end = end.max(header.last_offset() + 1);
        }
        if end == offset || end >= chunk.high_watermark {
            return Ok(None);
        }
        offset = end;
    }
    Err(Error::protocol(format!(
        "batch not found within {CHUNKS} MiB of topic {topic} partition {partition}"
    )))
}

fn is_same(header: &BatchHeader, batch: &FrozenBatch) -> bool {
    let stamp = batch.stamp();
    header.producer_id == stamp.producer_id
        && header.producer_epoch == stamp.epoch
        && header.base_sequence == stamp.base_sequence
}
