//! A batch from the open buffer of its partition to frozen bytes.

use std::{fmt, sync::Arc};

use tokio::time::Instant;

use crate::record_batch::{
    compress::Packed,
    encode::{BatchEncoder, FrozenBatch, ProducerStamp},
};

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
    /// at once, unless [`delayed`](Self::delayed) is called later. Called at
    /// most once; `None` if everything was withdrawn.
    ///
    /// This is the moment that a MessageId's *sent* names, and from which a
    /// message can no longer be withdrawn.
    fn seal(&mut self) -> Option<SealedBatch>;

    /// The sealed batch is handed to a connection for the first time only
    /// now, since it was compressed on another thread: *sent* is now. Called
    /// at most once, and before any answer can come.
    fn delayed(&mut self) {}
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
    content: Content,
    /// How often the batch was handed to a connection.
    attempts: u32,
    /// Whether time went by between sealing and the first attempt.
    delayed: bool,
}

#[derive(Debug)]
enum Content {
    Open,
    /// Shared with the thread that compresses it.
    Sealed(Arc<BatchEncoder>, Instant),
    Frozen(FrozenBatch, Instant),
}

impl BatchSlot {
    pub(crate) fn new(source: Box<dyn PendingBatch>, stamp: ProducerStamp) -> Self {
        Self {
            source,
            stamp,
            content: Content::Open,
            attempts: 0,
            delayed: false,
        }
    }

    /// Whether there is something to send: always so once sealed.
    pub(crate) fn is_wanted(&mut self) -> bool {
        !matches!(self.content, Content::Open) || self.source.is_wanted()
    }

    /// Whether it was sealed and its last caller has stopped waiting: no
    /// further attempt may start.
    pub(crate) fn is_given_up(&self) -> bool {
        self.give_up()
            .is_some_and(|give_up| Instant::now() >= give_up)
    }

    /// Whether it is worth waiting for: somebody wants it, and its end has not come.
    pub(crate) fn has_time(&mut self) -> bool {
        self.is_wanted() && !self.is_given_up()
    }

    /// Seals at the first call. Gives the length in bytes of what is to be
    /// sent, before compressing; `None` if there is nothing.
    pub(crate) fn seal(&mut self) -> Option<usize> {
        if matches!(self.content, Content::Open) {
            let sealed = self.source.seal()?;
            self.content = Content::Sealed(Arc::new(sealed.records), sealed.give_up);
        }
        match &self.content {
            Content::Open => None,
            Content::Sealed(records, _) => Some(records.encoded_len()),
            Content::Frozen(batch, _) => Some(batch.bytes().len()),
        }
    }

    /// What is sealed and not yet frozen.
    pub(crate) fn sealed(&self) -> Option<&Arc<BatchEncoder>> {
        match &self.content {
            Content::Sealed(records, _) => Some(records),
            Content::Open | Content::Frozen(..) => None,
        }
    }

    /// Freezes what is sealed, with what it was compressed to. Without effect
    /// on what is frozen: that goes over the wire as it is.
    pub(crate) fn freeze(&mut self, packed: Option<Packed>) {
        self.content = match std::mem::replace(&mut self.content, Content::Open) {
            Content::Sealed(records, give_up) => {
                let records = Arc::unwrap_or_clone(records);
                Content::Frozen(records.freeze_as(packed, self.stamp), give_up)
            }
            other => other,
        };
    }

    /// It will not reach its connection at once.
    pub(crate) fn delay(&mut self) {
        self.delayed = true;
    }

    /// Counts an attempt: the frozen batch goes into a frame now.
    pub(crate) fn hand_over(&mut self) {
        if self.delayed && self.attempts == 0 {
            self.source.delayed();
        }
        self.attempts += 1;
    }

    pub(crate) fn frozen(&self) -> Option<&FrozenBatch> {
        match &self.content {
            Content::Frozen(batch, _) => Some(batch),
            Content::Open | Content::Sealed(..) => None,
        }
    }

    /// When the last caller stops waiting; unknown before the batch is sealed.
    pub(crate) fn give_up(&self) -> Option<Instant> {
        match self.content {
            Content::Open => None,
            Content::Sealed(_, give_up) | Content::Frozen(_, give_up) => Some(give_up),
        }
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }
}
