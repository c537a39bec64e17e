//! Writers in the place of Kafka.
//!
//! `forebay_kafka::writer::fake` is for tests: it decodes and keeps everything,
//! and waits for a timer's tick even where it is to wait for nothing.

use std::future::pending;

use divan::black_box_drop;
use forebay_kafka::{
    produce::PendingBatch,
    record_batch::encode::ProducerStamp,
    writer::{PartitionWriter, WriteOutcome},
};
use futures_util::future::BoxFuture;

/// One writer for each of `count` partitions.
pub(crate) fn some<W>(count: usize) -> impl Iterator<Item = Box<dyn PartitionWriter>>
where
    W: PartitionWriter + Default,
{
    (0..count).map(|_| Box::new(W::default()) as Box<dyn PartitionWriter>)
}

/// Freezes batches as the real one does, and acknowledges them at once.
#[derive(Debug, Default)]
pub(crate) struct InstantWriter {
    next_offset: i64,
}

impl InstantWriter {
    fn store(&mut self, mut batch: Box<dyn PendingBatch>) -> WriteOutcome {
        if !batch.is_wanted() {
            return WriteOutcome::Withdrawn;
        }
        let Some(sealed) = batch.seal() else {
            return WriteOutcome::Withdrawn;
        };
        let base_offset = self.next_offset;
        let frozen = sealed.records.freeze(ProducerStamp {
            producer_id: 4_001,
            epoch: 0,
            base_sequence: 77,
        });
        self.next_offset += i64::from(frozen.count());
        black_box_drop(frozen);
        WriteOutcome::Acked { base_offset }
    }
}

impl PartitionWriter for InstantWriter {
    fn write(&mut self, batch: Box<dyn PendingBatch>) -> BoxFuture<'_, WriteOutcome> {
        Box::pin(async { self.store(batch) })
    }

    fn probe(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(async { true })
    }

    fn is_healthy(&self) -> bool {
        true
    }
}

/// Never answers: what was handed over stays a burden.
#[derive(Debug, Default)]
pub(crate) struct SilentWriter;

impl PartitionWriter for SilentWriter {
    fn write(&mut self, _: Box<dyn PendingBatch>) -> BoxFuture<'_, WriteOutcome> {
        Box::pin(pending())
    }

    fn probe(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(pending())
    }

    fn is_healthy(&self) -> bool {
        true
    }
}
