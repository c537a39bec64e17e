//! What became of a request's messages.
//!
//! A request is handed over in parts, one for each stretch of messages that
//! goes to one partition in one batch. A part is open until its batch is sealed
//! for the connection, and then sent until it is acknowledged or given up. Both
//! the producer and the request's deadline may settle a part; an atomic state
//! decides which was first, so that no part is settled twice and none never.

use std::{
    fmt,
    future::poll_fn,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

use futures_util::task::AtomicWaker;
use tokio::time::{Instant, timeout_at};

use crate::{
    activity::{Refusal, Stored},
    admission::Permit,
    telemetry::TaskMetrics,
};

/// What a part goes through. `Open` and `Sent` are the only ones it can leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum State {
    /// In its partition's open batch: can be withdrawn.
    Open,
    /// Handed to a connection.
    Sent,
    /// All in-sync replicas have it.
    Acked,
    /// Certainly not in the log.
    NotStored,
    /// May or may not be in the log.
    Unknown,
}

impl State {
    fn from_u8(state: u8) -> Self {
        match state {
            0 => Self::Open,
            1 => Self::Sent,
            2 => Self::Acked,
            3 => Self::NotStored,
            _ => Self::Unknown,
        }
    }
}

/// Messages of one request in one batch of one partition.
#[derive(Debug)]
struct Part {
    partition: i32,
    messages: u32,
    /// Bytes of keys and values.
    bytes: u64,
    state: AtomicU8,
    base_offset: AtomicI64,
    sent_ms: AtomicI64,
    reason: OnceLock<Arc<str>>,
}

/// A request's parts, shared by the request and the batches that carry them.
pub(crate) struct Shipment {
    parts: Box<[Part]>,
    unsettled: AtomicUsize,
    waker: AtomicWaker,
    received_ms: i64,
    deadline: Instant,
    metrics: Arc<TaskMetrics>,
    /// Held until the request and all batches have let go.
    _permit: Arc<Permit>,
}

impl fmt::Debug for Shipment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shipment")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// Size of a part to be, for [`Shipment::new`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartSize {
    pub(crate) partition: i32,
    pub(crate) messages: u32,
    pub(crate) bytes: u64,
}

impl Shipment {
    pub(crate) fn new(
        parts: impl Iterator<Item = PartSize>,
        received_ms: i64,
        deadline: Instant,
        metrics: Arc<TaskMetrics>,
        permit: Arc<Permit>,
    ) -> Arc<Self> {
        let parts: Box<[Part]> = parts
            .map(|size| Part {
                partition: size.partition,
                messages: size.messages,
                bytes: size.bytes,
                state: AtomicU8::new(State::Open as u8),
                base_offset: AtomicI64::new(-1),
                sent_ms: AtomicI64::new(0),
                reason: OnceLock::new(),
            })
            .collect();
        Arc::new(Self {
            unsettled: AtomicUsize::new(parts.len()),
            parts,
            waker: AtomicWaker::new(),
            received_ms,
            deadline,
            metrics,
            _permit: permit,
        })
    }

    pub(crate) fn received_ms(&self) -> i64 {
        self.received_ms
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) fn part(self: &Arc<Self>, index: usize) -> PartHandle {
        PartHandle {
            shipment: Arc::clone(self),
            index,
        }
    }

    fn state(&self, part: usize) -> State {
        State::from_u8(self.parts[part].state.load(Ordering::Acquire))
    }

    /// Moves a part from `from` to `to`, if it still is in `from`.
    fn advance(&self, part: usize, from: State, to: State) -> bool {
        self.parts[part]
            .state
            .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Settles a part, counts it, and wakes the request after its last.
    fn settle(&self, index: usize, from: State, to: State, reason: Option<&Arc<str>>) -> bool {
        if !self.advance(index, from, to) {
            return false;
        }
        let part = &self.parts[index];
        // Only by the side that settled it: the other's reason would be wrong.
        if let Some(reason) = reason {
            part.reason.get_or_init(|| Arc::clone(reason));
        }
        match to {
            State::Acked => self.metrics.acked(u64::from(part.messages), part.bytes),
            State::NotStored => self.metrics.refused(u64::from(part.messages)),
            _ => self.metrics.unknown(u64::from(part.messages)),
        }
        if self.unsettled.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waker.wake();
        }
        true
    }

    fn expire_if_due(&self, now: Instant) {
        if now >= self.deadline {
            self.expire();
        }
    }

    /// The deadline has come: what was not sent is withdrawn, what was sent
    /// and not acknowledged is unknown.
    fn expire(&self) {
        static WITHDRAWN: OnceLock<Arc<str>> = OnceLock::new();
        static UNANSWERED: OnceLock<Arc<str>> = OnceLock::new();
        let withdrawn = WITHDRAWN
            .get_or_init(|| "not handed to Kafka within the deadline, and withdrawn".into());
        let unanswered =
            UNANSWERED.get_or_init(|| "Kafka did not acknowledge within the deadline".into());
        for part in 0..self.parts.len() {
            if !self.settle(part, State::Open, State::NotStored, Some(withdrawn)) {
                self.settle(part, State::Sent, State::Unknown, Some(unanswered));
            }
        }
    }
}

/// A part as its batch holds it.
#[derive(Clone, Debug)]
pub(crate) struct PartHandle {
    shipment: Arc<Shipment>,
    index: usize,
}

impl PartHandle {
    pub(crate) fn shipment(&self) -> &Shipment {
        &self.shipment
    }

    /// Bytes of keys and values.
    pub(crate) fn bytes(&self) -> u64 {
        self.shipment.parts[self.index].bytes
    }

    /// Whether it waits to be sent and is still wanted. Looks at the deadline
    /// too: the request that would is gone if its caller has left.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.shipment.expire_if_due(now);
        self.shipment.state(self.index) == State::Open
    }

    /// Marks it as sent, unless it was withdrawn: then it must not be sent.
    pub(crate) fn send(&self, now: Instant, sent_ms: i64) -> bool {
        self.shipment.expire_if_due(now);
        self.stamp(sent_ms);
        self.shipment.advance(self.index, State::Open, State::Sent)
    }

    /// Says when it was sent. Only before it can be acknowledged.
    pub(crate) fn stamp(&self, sent_ms: i64) {
        // A step back of the wall clock must not put *sent* before *received*.
        self.shipment.parts[self.index]
            .sent_ms
            .store(sent_ms.max(self.shipment.received_ms), Ordering::Relaxed);
    }

    /// For how long it waited to be sent, in milliseconds.
    pub(crate) fn waited_ms(&self) -> i64 {
        let sent_ms = self.shipment.parts[self.index]
            .sent_ms
            .load(Ordering::Relaxed);
        sent_ms.saturating_sub(self.shipment.received_ms).max(0)
    }

    pub(crate) fn ack(&self, base_offset: i64) {
        self.shipment.parts[self.index]
            .base_offset
            .store(base_offset, Ordering::Relaxed);
        self.shipment
            .settle(self.index, State::Sent, State::Acked, None);
    }

    /// Certainly not stored, whether sent or not.
    pub(crate) fn refuse(&self, reason: &Arc<str>) {
        let settle = |from| {
            self.shipment
                .settle(self.index, from, State::NotStored, Some(reason))
        };
        if !settle(State::Sent) {
            settle(State::Open);
        }
    }

    pub(crate) fn lose(&self, reason: &Arc<str>) {
        self.shipment
            .settle(self.index, State::Sent, State::Unknown, Some(reason));
    }
}

/// Where a message stands: in which part, and at which place of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) part: u32,
    pub(crate) index: u32,
}

/// A request that has been handed over; await [`Delivery::outcome`].
///
/// Dropping it withdraws nothing: what was handed over is written, or is given
/// up at the deadline, and is counted either way.
#[derive(Debug)]
pub struct Delivery {
    shipment: Arc<Shipment>,
    /// Empty if all messages are in the one part, in their order.
    places: Vec<Place>,
}

impl Delivery {
    pub(crate) fn new(shipment: Arc<Shipment>, places: Vec<Place>) -> Self {
        Self { shipment, places }
    }

    /// Waits until every message is settled, at the latest until the
    /// request's deadline.
    ///
    /// # Cancellation
    /// As with dropping the delivery: nothing is withdrawn.
    pub async fn outcome(self) -> Report {
        let settled = poll_fn(|context| match self.wakes(context.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        // At the deadline `end` gives up what is left.
        drop(timeout_at(self.shipment.deadline, settled).await);
        self.end()
    }

    /// Whether every message is settled; if not, `waker` is woken when it is.
    /// At the deadline it is not: whoever waits has to look at the clock too.
    pub fn wakes(&self, waker: &Waker) -> bool {
        if self.is_settled() {
            return true;
        }
        self.shipment.waker.register(waker);
        // It may have been settled between the look and the registration.
        self.is_settled()
    }

    fn is_settled(&self) -> bool {
        self.shipment.unsettled.load(Ordering::Acquire) == 0
    }

    /// What became of the messages. Those that are not settled are given up
    /// as at the deadline.
    pub fn end(self) -> Report {
        if !self.is_settled() {
            self.shipment.expire();
        }
        Report {
            shipment: self.shipment,
            places: self.places,
        }
    }
}

/// What became of each message of a request, in request order.
#[derive(Debug)]
pub struct Report {
    shipment: Arc<Shipment>,
    places: Vec<Place>,
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageOutcome<'a> {
    /// All in-sync replicas have it.
    Stored {
        /// Partition.
        partition: i32,
        /// Offset.
        offset: i64,
        /// Unix ms at which it was handed to the broker's connection.
        sent_ms: i64,
    },
    /// It is certainly not in the log and never will be; with the reason.
    NotStored(&'a str),
    /// It may or may not be in the log; with the reason.
    Unknown(&'a str),
}

impl Report {
    /// Number of messages.
    pub fn len(&self) -> usize {
        match self.places.len() {
            0 => self
                .shipment
                .parts
                .iter()
                .map(|part| part.messages as usize)
                .sum(),
            places => places,
        }
    }

    /// Whether the request had no message; never so for one that was accepted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every message is stored.
    pub fn all_stored(&self) -> bool {
        (0..self.shipment.parts.len()).all(|part| self.shipment.state(part) == State::Acked)
    }

    /// Shows the request, settled at `now_ms` (Unix ms), in its task's
    /// activity; `refusal` says why it was not wholly stored.
    pub fn show(&self, now_ms: i64, refusal: Option<Refusal>) {
        let activity = &self.shipment.metrics.activity;
        let mut stored = Stored {
            messages: 0,
            bytes: 0,
            received_ms: self.shipment.received_ms,
            sent_ms: self.shipment.received_ms,
        };
        for (index, part) in self.shipment.parts.iter().enumerate() {
            if self.shipment.state(index) == State::Acked {
                stored.messages += u64::from(part.messages);
                stored.bytes += part.bytes;
                stored.sent_ms = stored.sent_ms.max(part.sent_ms.load(Ordering::Relaxed));
            }
        }
        if stored.messages > 0 {
            activity.stored(now_ms, stored);
        }
        if let Some(refusal) = refusal {
            activity.refused(now_ms, refusal);
        }
    }

    /// When the request's body had arrived, Unix ms.
    pub fn received_ms(&self) -> i64 {
        self.shipment.received_ms
    }

    /// The outcomes in request order.
    pub fn outcomes(&self) -> impl Iterator<Item = MessageOutcome<'_>> {
        (0..self.len()).map(|message| {
            let place = match self.places.get(message) {
                Some(place) => *place,
                None => Place {
                    part: 0,
                    index: message as u32,
                },
            };
            let index = place.part as usize;
            let part = &self.shipment.parts[index];
            let reason = || part.reason.get().map_or("no reason known", |reason| reason);
            match self.shipment.state(index) {
                State::Acked => MessageOutcome::Stored {
                    partition: part.partition,
                    offset: part.base_offset.load(Ordering::Relaxed) + i64::from(place.index),
                    sent_ms: part.sent_ms.load(Ordering::Relaxed),
                },
                State::NotStored => MessageOutcome::NotStored(reason()),
                State::Open | State::Sent | State::Unknown => MessageOutcome::Unknown(reason()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::admission::Admission;

    fn shipment(admission: &Admission, messages: &[u32], wait: Duration) -> Arc<Shipment> {
        let parts = messages
            .iter()
            .enumerate()
            .map(|(partition, messages)| PartSize {
                partition: partition as i32,
                messages: *messages,
                bytes: 10,
            });
        let permit = Arc::new(admission.try_reserve(100).expect("fits"));
        let metrics = Arc::new(TaskMetrics::noop());
        Shipment::new(parts, 1_000, Instant::now() + wait, metrics, permit)
    }

    fn outcomes(report: &Report) -> Vec<MessageOutcome<'_>> {
        report.outcomes().collect()
    }

    #[tokio::test]
    async fn offsets_follow_the_base_and_the_permit_outlives_the_request() {
        let admission = Admission::new(100);
        let shipment = shipment(&admission, &[2], Duration::from_secs(60));
        let part = shipment.part(0);
        let delivery = Delivery::new(shipment, Vec::new());
        assert!(part.send(Instant::now(), 2_000));
        part.ack(41);
        let report = delivery.outcome().await;
        assert!(report.all_stored());
        let stored = |offset| MessageOutcome::Stored {
            partition: 0,
            offset,
            sent_ms: 2_000,
        };
        assert_eq!(outcomes(&report), [stored(41), stored(42)]);
        drop(report);
        assert_eq!(admission.in_flight(), 100, "the batch still holds it");
        drop(part);
        assert_eq!(admission.in_flight(), 0);
    }

    #[tokio::test]
    async fn a_deadline_withdraws_what_is_open_and_leaves_unknown_what_was_sent() {
        let admission = Admission::new(100);
        let shipment = shipment(&admission, &[1, 1, 1], Duration::from_millis(20));
        let parts: Vec<_> = (0..3).map(|part| shipment.part(part)).collect();
        let places = (0..3).rev().map(|part| Place { part, index: 0 }).collect();
        let delivery = Delivery::new(shipment, places);
        assert!(parts[0].send(Instant::now(), 1));
        parts[0].ack(7);
        assert!(parts[1].send(Instant::now(), 1));
        let report = delivery.outcome().await;
        assert!(!report.all_stored());
        let outcomes = outcomes(&report);
        assert!(
            matches!(outcomes[0], MessageOutcome::NotStored(_)),
            "{outcomes:?}"
        );
        // A caller who read "withdrawn" here would send again, and double it.
        let unknown = MessageOutcome::Unknown("Kafka did not acknowledge within the deadline");
        assert_eq!(outcomes[1], unknown);
        let acked = MessageOutcome::Stored {
            partition: 0,
            offset: 7,
            sent_ms: 1_000,
        };
        assert_eq!(outcomes[2], acked, "sent is never before received");
        // Too late: what was withdrawn is not sent, what is unknown stays so.
        assert!(!parts[2].send(Instant::now(), 2));
        parts[1].ack(8);
        assert!(matches!(
            report.outcomes().nth(1),
            Some(MessageOutcome::Unknown(_))
        ));
    }

    #[tokio::test]
    async fn a_refusal_settles_sent_and_open_parts_alike() {
        let admission = Admission::new(100);
        let shipment = shipment(&admission, &[1, 1], Duration::from_secs(60));
        let parts: Vec<_> = (0..2).map(|part| shipment.part(part)).collect();
        let places = (0..2).map(|part| Place { part, index: 0 }).collect();
        assert!(parts[0].send(Instant::now(), 1));
        let reason: Arc<str> = "topic is gone".into();
        parts.iter().for_each(|part| part.refuse(&reason));
        let report = Delivery::new(shipment, places).outcome().await;
        assert_eq!(
            outcomes(&report),
            [MessageOutcome::NotStored("topic is gone"); 2]
        );
    }
}
