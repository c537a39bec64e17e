//! The front of a partition's queue, as the writer sees it.

use std::sync::Arc;

use forebay_kafka::produce::{PendingBatch, SealedBatch};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::queue::{BatchPart, PartitionQueue};
use crate::{clock, telemetry::BatchMetrics};

/// The parts of a batch after it was sealed, shared by the batch, which may be
/// deep in a connection, and the actor that settles them.
#[derive(Clone, Debug, Default)]
pub(super) struct SealedParts(Arc<Mutex<Option<Sealed>>>);

#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) parts: Vec<BatchPart>,
    pub(super) at: Instant,
}

impl SealedParts {
    /// `None` if nothing was sealed.
    pub(super) fn take(&self) -> Option<Sealed> {
        self.0.lock().take()
    }
}

/// Stays open until it is sealed: whatever is appended meanwhile joins.
#[derive(Debug)]
pub(super) struct QueuedBatch {
    queue: Arc<PartitionQueue>,
    sealed: SealedParts,
    metrics: BatchMetrics,
}

impl QueuedBatch {
    pub(super) fn new(
        queue: Arc<PartitionQueue>,
        sealed: SealedParts,
        metrics: BatchMetrics,
    ) -> Self {
        Self {
            queue,
            sealed,
            metrics,
        }
    }
}

impl PendingBatch for QueuedBatch {
    fn is_wanted(&mut self) -> bool {
        self.queue.purge()
    }

    fn seal(&mut self) -> Option<SealedBatch> {
        loop {
            let mut batch = self.queue.take()?;
            let (now, sent_ms) = (Instant::now(), clock::unix_millis());
            // From here on a part can no longer be withdrawn; one that was
            // withdrawn before must not reach the connection.
            let dropped = batch.retain(|part| part.handle.send(now, sent_ms));
            self.queue.relieve(dropped);
            let Some(give_up) = batch
                .parts
                .iter()
                .map(|part| part.handle.shipment().deadline())
                .max()
            else {
                continue;
            };
            self.metrics.records.record(batch.encoder.count() as f64);
            self.metrics
                .bytes
                .record(batch.encoder.encoded_len() as f64);
            for part in &batch.parts {
                let waited = sent_ms
                    .saturating_sub(part.handle.shipment().received_ms())
                    .max(0);
                self.metrics.received_to_sent.record(waited as f64 / 1e3);
            }
            *self.sealed.0.lock() = Some(Sealed {
                parts: batch.parts,
                at: now,
            });
            return Some(SealedBatch {
                records: batch.encoder,
                give_up,
            });
        }
    }
}
