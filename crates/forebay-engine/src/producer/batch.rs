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
    metrics: Arc<BatchMetrics>,
}

impl QueuedBatch {
    pub(super) fn new(
        queue: Arc<PartitionQueue>,
        sealed: SealedParts,
        metrics: Arc<BatchMetrics>,
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

    fn delayed(&mut self) {
        if let Some(sealed) = &mut *self.sealed.0.lock() {
            sealed.at = Instant::now();
            let sent_ms = clock::unix_millis();
            for part in &sealed.parts {
                part.handle.stamp(sent_ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        admission::Admission,
        delivery::{Delivery, MessageOutcome, PartSize, Shipment},
        producer::queue::QueuedMessages,
        telemetry::{TaskMetrics, Telemetry},
    };

    #[test]
    fn sent_is_when_a_delayed_batch_is_handed_over() {
        let permit = Admission::new(10).try_reserve(1).expect("fits");
        let size = PartSize {
            partition: 0,
            messages: 1,
            bytes: 1,
        };
        let shipment = Shipment::new(
            std::iter::once(size),
            clock::unix_millis(),
            Instant::now() + Duration::from_secs(60),
            Arc::new(TaskMetrics::noop()),
            Arc::new(permit),
        );
        let queue = Arc::new(PartitionQueue::new(0));
        let part = QueuedMessages {
            part: shipment.part(0),
            max_encoded_len: 50,
            messages: std::iter::once((None, &b"a"[..])),
        };
        queue.append(std::iter::once(part), 1000);
        let sealed = SealedParts::default();
        let metrics = Telemetry::new().batches.clone();
        let mut batch = QueuedBatch::new(queue, sealed.clone(), metrics);
        assert_eq!(batch.seal().expect("one message").records.count(), 1);
        let sealed_ms = clock::unix_millis();
        while clock::unix_millis() <= sealed_ms {
            std::thread::yield_now();
        }
        batch.delayed();
        for part in sealed.take().expect("sealed").parts {
            part.handle.ack(7);
        }
        let report = Delivery::new(shipment, Vec::new()).end();
        let outcome = report.outcomes().next();
        assert!(
            matches!(outcome, Some(MessageOutcome::Stored { sent_ms, .. }) if sent_ms > sealed_ms),
            "{outcome:?}"
        );
    }
}
