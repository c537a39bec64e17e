//! A batch from the open buffer of its partition to frozen bytes.

use std::fmt;

use tokio::time::Instant;

use crate::record_batch::encode::{BatchEncoder, FrozenBatch, ProducerStamp};

/// The records of one partition that wait to be written.
///
/// They stay open, so that more can join, until the moment their frame is
/// built for the connection.
pub trait PendingBatch: Send + fmt::Debug {
    /// Drops what has been withdrawn, and says whether anything is left.
    ///
    /// Called between attempts as long as the batch has not been sealed.
    fn is_wanted(&mut self) -> bool;

    /// Closes the batch for good: what it returns is handed to the connection
    /// at once. Called at most once; `None` if everything was withdrawn.
    ///
    /// This is the moment that a MessageId's *sent* names, and from which a
    /// message can no longer be withdrawn.
    fn seal(&mut self) -> Option<SealedBatch>;
}

/// What [`PendingBatch::seal`] gives.
#[derive(Debug)]
pub struct SealedBatch {
    /// At least one record.
    pub records: BatchEncoder,
    /// When the last caller stops waiting. No attempt starts after it.
    pub give_up: Instant,
}

/// A batch on its way through writer and lane; moves between the two, so that
/// its bytes exist once.
#[derive(Debug)]
pub(crate) struct BatchSlot {
    source: Box<dyn PendingBatch>,
    stamp: ProducerStamp,
    frozen: Option<(FrozenBatch, Instant)>,
    /// How often the batch was handed to a connection.
    attempts: u32,
}

impl BatchSlot {
    pub(crate) fn new(source: Box<dyn PendingBatch>, stamp: ProducerStamp) -> Self {
        Self {
            source,
            stamp,
            frozen: None,
            attempts: 0,
        }
    }

    /// Whether there is something to send: always so once frozen.
    pub(crate) fn is_wanted(&mut self) -> bool {
        self.frozen.is_some() || self.source.is_wanted()
    }

    /// Whether it was frozen and its last caller has stopped waiting: no
    /// further attempt may start.
    pub(crate) fn is_given_up(&self) -> bool {
        self.give_up()
            .is_some_and(|give_up| Instant::now() >= give_up)
    }

    /// Whether it is worth waiting for: somebody wants it, and its end has not come.
    pub(crate) fn has_time(&mut self) -> bool {
        self.is_wanted() && !self.is_given_up()
    }

    /// Seals and freezes at the first call; counts an attempt at each.
    /// `None` if there is nothing to send.
    pub(crate) fn hand_over(&mut self) -> Option<&FrozenBatch> {
        if self.frozen.is_none() {
            let sealed = self.source.seal()?;
            self.frozen = Some((sealed.records.freeze(self.stamp), sealed.give_up));
        }
        self.attempts += 1;
        self.frozen()
    }

    pub(crate) fn frozen(&self) -> Option<&FrozenBatch> {
        self.frozen.as_ref().map(|(frozen, _)| frozen)
    }

    /// When the last caller stops waiting; unknown before the batch is sealed.
    pub(crate) fn give_up(&self) -> Option<Instant> {
        self.frozen.as_ref().map(|(_, give_up)| *give_up)
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }
}
