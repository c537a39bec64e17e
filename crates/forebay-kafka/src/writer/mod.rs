//! The idempotent partition writer: one batch at a time, stored at most once.
//!
//! - `idempotent`: the attempts of one batch, from open to its outcome;
//! - `sequence`: producer id, epoch and sequence numbers (KIP-98, KIP-360);
//! - `health`: whether the partition takes batches, for those who choose one;
//! - `route`: the way to the leader's connection;
//! - `verdict`: what a broker's answer proves;
//! - `read_back`: looking in the log for a batch the broker no longer knows;
//! - `while_wanted`: waiting no longer than anybody wants the batch;
//! - `fake`: a writer for tests that delays, fails or never answers.

pub mod fake;
mod health;
mod idempotent;
mod read_back;
mod route;
mod sequence;
mod verdict;
mod while_wanted;

use futures_util::future::BoxFuture;

pub use idempotent::IdempotentWriter;

use crate::produce::PendingBatch;

/// Writes the batches of one topic-partition, one after the other.
pub trait PartitionWriter: Send + 'static {
    /// Writes one batch and says what became of it.
    ///
    /// The batch is sealed when it is handed to a connection. It resolves when
    /// the broker has answered definitely, or at the latest one attempt after
    /// the batch's `give_up`; before the batch is sealed, as soon as nothing
    /// in it is wanted any more.
    ///
    /// # Cancellation
    /// Dropping the future once the batch is sealed leaves its outcome
    /// unknown; before that, the batch is never sealed. The next batch goes
    /// under another epoch.
    fn write(&mut self, batch: Box<dyn PendingBatch>) -> BoxFuture<'_, WriteOutcome>;

    /// Whether the partition's leader answers and has enough replicas in sync.
    /// For partitions to which nothing is written because they failed. Bounded
    /// by the client's timeouts.
    fn probe(&mut self) -> BoxFuture<'_, bool>;

    /// Whether the last attempt succeeded, or a probe since.
    fn is_healthy(&self) -> bool;
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// All in-sync replicas have it; its first record has this offset.
    Acked {
        /// Offset of the batch's first record.
        base_offset: i64,
    },
    /// It is certainly not in the log, and never will be. The batch may not
    /// have been sealed: then it is for the caller to empty it.
    NotStored {
        /// Why, for a person.
        reason: String,
    },
    /// It may or may not be in the log. The batch may not have been sealed,
    /// if a panic took it along: then nothing of it is in the log.
    Unknown {
        /// Why, for a person.
        reason: String,
    },
    /// It was never sealed, or everything in it had been withdrawn by then.
    Withdrawn,
}
