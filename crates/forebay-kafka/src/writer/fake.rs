//! A writer for tests: delays, fails at call N, or never answers.

use std::{collections::VecDeque, future::pending, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::sleep;

use super::{PartitionWriter, WriteOutcome};
use crate::{
    produce::PendingBatch,
    record_batch::{
        decode::{DecodedRecord, decode_batches},
        encode::ProducerStamp,
    },
};

/// What a [`FakeWriter`] does with one call.
#[derive(Clone, Debug)]
pub enum FakeStep {
    /// Stores the batch after this delay.
    Ack(Duration),
    /// Seals the batch and refuses it: it is not stored.
    NotStored,
    /// Seals the batch, stores it, and says that its outcome is unknown.
    UnknownButStored,
    /// Waits for as long as anything is wanted and never seals the batch.
    Unreachable,
    /// Seals the batch and never comes back.
    Silence,
    /// Panics before it seals the batch.
    PanicUnsealed,
    /// Seals the batch, stores it, and panics.
    PanicStored,
}

/// The log behind a [`FakeWriter`]: what was stored, in order. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct FakeLog(Arc<Mutex<Vec<DecodedRecord>>>);

impl FakeLog {
    /// All records stored so far.
    pub fn records(&self) -> Vec<DecodedRecord> {
        self.0.lock().clone()
    }

    fn append(&self, batch: &[u8]) -> i64 {
        let chunk = decode_batches(batch.to_vec().into(), 0).expect("own batches decode");
        let mut log = self.0.lock();
        let base = log.len() as i64;
        log.extend(chunk.records.into_iter().map(|mut record| {
            record.offset += base;
            record
        }));
        base
    }
}

/// A [`PartitionWriter`] that follows a script and then acknowledges at once.
/// A clone goes on with what is left of the script, in the same log.
#[derive(Clone, Debug)]
pub struct FakeWriter {
    log: FakeLog,
    script: Arc<Mutex<VecDeque<FakeStep>>>,
    healthy: bool,
}

impl FakeWriter {
    /// Takes one step of the script for each call.
    pub fn new(log: FakeLog, script: impl IntoIterator<Item = FakeStep>) -> Self {
        Self {
            log,
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            healthy: true,
        }
    }

    async fn run(&mut self, mut batch: Box<dyn PendingBatch>) -> WriteOutcome {
        let step = self
            .script
            .lock()
            .pop_front()
            .unwrap_or(FakeStep::Ack(Duration::ZERO));
        if matches!(step, FakeStep::Unreachable) {
            self.healthy = false;
            while batch.is_wanted() {
                sleep(Duration::from_millis(5)).await;
            }
            return WriteOutcome::Withdrawn;
        }
        if matches!(step, FakeStep::PanicUnsealed) {
            panic!("the fake writer was told to panic");
        }
        let Some(sealed) = batch.seal() else {
            return WriteOutcome::Withdrawn;
        };
        let stamp = ProducerStamp {
            producer_id: 1,
            epoch: 0,
            base_sequence: 0,
        };
        let frozen = sealed.records.freeze(stamp);
        self.healthy = matches!(step, FakeStep::Ack(_));
        match step {
            FakeStep::Ack(delay) => {
                sleep(delay).await;
                WriteOutcome::Acked {
                    base_offset: self.log.append(frozen.bytes()),
                }
            }
            FakeStep::NotStored => WriteOutcome::NotStored {
                reason: "refused by the fake writer".to_owned(),
            },
            FakeStep::UnknownButStored => {
                self.log.append(frozen.bytes());
                WriteOutcome::Unknown {
                    reason: "unanswered by the fake writer".to_owned(),
                }
            }
            FakeStep::PanicStored => {
                self.log.append(frozen.bytes());
                panic!("the fake writer was told to panic");
            }
            FakeStep::Unreachable | FakeStep::Silence | FakeStep::PanicUnsealed => pending().await,
        }
    }
}

impl PartitionWriter for FakeWriter {
    fn write(&mut self, batch: Box<dyn PendingBatch>) -> BoxFuture<'_, WriteOutcome> {
        Box::pin(self.run(batch))
    }

    fn probe(&mut self) -> BoxFuture<'_, bool> {
        self.healthy = true;
        Box::pin(async { true })
    }

    fn is_healthy(&self) -> bool {
        self.healthy
    }
}
