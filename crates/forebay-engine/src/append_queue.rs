//! Appends that wait for their turn share the next batch.
//!
//! One batch of a partition is under way at a time. Where each append were a
//! batch of its own, a thousand changes at once would take a thousand round
//! trips.

use std::collections::VecDeque;

use forebay_kafka::{record_batch::encode::BatchEncoder, writer::WriteOutcome};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};

use crate::registry::{AppendError, LogRecord};

/// Keys and values of a batch, unless one append alone has more: far below
/// what brokers take by default (1 MB).
const GROUP_BYTES: usize = 256 * 1024;

/// What is waiting. Bounded by the registry, which bounds its calls.
#[derive(Default)]
pub(crate) struct AppendQueue(Mutex<VecDeque<Waiting>>);

struct Waiting {
    /// In a batch of its own: the one that it shared was refused.
    alone: bool,
    records: Vec<LogRecord>,
    give_up: Instant,
    reply: oneshot::Sender<Result<i64, AppendError>>,
}

/// The offset of an append's first record, or why there is none.
pub(crate) type Appended = oneshot::Receiver<Result<i64, AppendError>>;

impl AppendQueue {
    /// Gets in line. Not wanted any more once the receiver is dropped, or
    /// after `give_up`, unless it is under way by then.
    pub(crate) fn enter(&self, records: Vec<LogRecord>, give_up: Instant) -> Appended {
        let (reply, appended) = oneshot::channel();
        self.0.lock().push_back(Waiting {
            alone: false,
            records,
            give_up,
            reply,
        });
        appended
    }

    /// The next ones to go together, in their order; `None` where nobody waits.
    pub(crate) fn next_group(&self, now: Instant) -> Option<Group> {
        let mut queue = self.0.lock();
        let mut members: Vec<Waiting> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = queue.front() {
            let size: usize = next.records.iter().map(size).sum();
            if let Some(first) = members.first()
                && (first.alone || next.alone || bytes + size > GROUP_BYTES)
            {
                break;
            }
            let next = queue.pop_front().expect("it is at the front");
            if now >= next.give_up {
                next.answer(Err(AppendError::NotStored(
                    "Kafka could not be reached in time".to_owned(),
                )));
            } else if !next.reply.is_closed() {
                bytes += size;
                members.push(next);
            }
        }
        (!members.is_empty()).then_some(Group { members })
    }

    /// Tells each what became of the batch. Those of a batch that was refused
    /// go again one by one, before all others: what is wrong with one of them,
    /// or with their size together, is not the others' fault.
    pub(crate) fn settle(&self, group: Group, outcome: &WriteOutcome) {
        let is_refused = matches!(outcome, WriteOutcome::NotStored { .. });
        if !is_refused || group.members.len() < 2 {
            return group.settle(outcome);
        }
        let mut queue = self.0.lock();
        for member in group.members.into_iter().rev() {
            queue.push_front(Waiting {
                alone: true,
                ..member
            });
        }
    }
}

fn size(record: &LogRecord) -> usize {
    record.key.len() + record.value.as_ref().map_or(0, Vec::len)
}

impl Waiting {
    fn answer(self, answer: Result<i64, AppendError>) {
        if self.reply.send(answer).is_err() {
            tracing::debug!("whoever appended to the registry's log has left");
        }
    }
}

/// Appends of one batch. Dropping it leaves their outcome unknown.
pub(crate) struct Group {
    members: Vec<Waiting>,
}

impl Group {
    /// All records, with `now` (Unix ms) as their time.
    pub(crate) fn encode(&self, now: i64) -> BatchEncoder {
        let mut batch = BatchEncoder::default();
        for record in self.members.iter().flat_map(|member| &member.records) {
            batch.push(now, Some(&record.key), record.value.as_deref());
        }
        batch
    }

    /// When the last of them is not wanted any more.
    pub(crate) fn give_up(&self) -> Instant {
        let times = self.members.iter().map(|member| member.give_up);
        times.max().expect("a group has members")
    }

    fn settle(self, outcome: &WriteOutcome) {
        let mut before = 0;
        for member in self.members {
            let count = i64::try_from(member.records.len()).unwrap_or(i64::MAX);
            member.answer(match outcome {
                WriteOutcome::Acked { base_offset } => Ok(base_offset + before),
                WriteOutcome::NotStored { reason } => Err(AppendError::NotStored(reason.clone())),
                WriteOutcome::Unknown { reason } => Err(AppendError::Unknown(reason.clone())),
                WriteOutcome::Withdrawn => Err(AppendError::NotStored(
                    "Kafka could not be reached in time".to_owned(),
                )),
            });
            before += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn records(count: usize, bytes: usize) -> Vec<LogRecord> {
        let record = LogRecord {
            key: vec![b'k'],
            value: Some(vec![b'v'; bytes]),
        };
        vec![record; count]
    }

    #[test]
    fn each_learns_where_its_own_records_are() {
        let queue = AppendQueue::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(20);
        assert!(queue.next_group(now).is_none());
        let mut waiting: Vec<_> = [1, 2, 3]
            .map(|count| queue.enter(records(count, 10), later))
            .into();
        // Who has left is not written any more.
        waiting.remove(1).close();
        let group = queue.next_group(now).unwrap();
        assert_eq!(group.members.len(), 2);
        queue.settle(group, &WriteOutcome::Acked { base_offset: 100 });
        let offsets = waiting.iter_mut().map(|one| one.try_recv().unwrap());
        let offsets: Vec<i64> = offsets.map(Result::unwrap).collect();
        assert_eq!(offsets, [100, 101]);
        assert!(queue.next_group(now).is_none());
    }

    #[test]
    fn a_group_is_bounded_and_nothing_waits_in_vain() {
        let queue = AppendQueue::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(20);
        let mut late = queue.enter(records(1, 1), now);
        let mut half = queue.enter(records(1, GROUP_BYTES / 2), later);
        let mut more = queue.enter(records(1, GROUP_BYTES / 2), later);
        let mut huge = queue.enter(records(1, GROUP_BYTES * 2), later);
        let first = queue.next_group(now).unwrap();
        assert_eq!(first.members.len(), 1);
        let expired = late.try_recv().unwrap();
        assert!(matches!(expired, Err(AppendError::NotStored(_))));
        let reason = "silent".to_owned();
        queue.settle(first, &WriteOutcome::Unknown { reason });
        assert!(matches!(
            half.try_recv().unwrap(),
            Err(AppendError::Unknown(_))
        ));
        // Of a group that is dropped nothing is known.
        drop(queue.next_group(now));
        assert!(more.try_recv().is_err());
        let last = queue.next_group(now).unwrap();
        assert_eq!((last.members.len(), last.give_up()), (1, later));
        queue.settle(last, &WriteOutcome::Acked { base_offset: 7 });
        assert_eq!(huge.try_recv().unwrap().unwrap(), 7);
    }

    #[test]
    fn who_shared_a_refused_batch_gets_one_alone() {
        let queue = AppendQueue::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(20);
        let mut first = queue.enter(records(1, 1), later);
        let mut second = queue.enter(records(1, 1), later);
        let both = queue.next_group(now).unwrap();
        let mut third = queue.enter(records(1, 1), later);
        let reason = "too large".to_owned();
        let refused = WriteOutcome::NotStored { reason };
        queue.settle(both, &refused);
        assert!(first.try_recv().is_err(), "nobody knows yet");
        let outcomes = [
            refused,
            WriteOutcome::Acked { base_offset: 3 },
            WriteOutcome::Acked { base_offset: 4 },
        ];
        for outcome in outcomes {
            let alone = queue.next_group(now).unwrap();
            assert_eq!(alone.members.len(), 1);
            queue.settle(alone, &outcome);
        }
        assert!(matches!(
            first.try_recv().unwrap(),
            Err(AppendError::NotStored(_))
        ));
        assert_eq!(second.try_recv().unwrap().unwrap(), 3);
        assert_eq!(third.try_recv().unwrap().unwrap(), 4);
        assert!(queue.next_group(now).is_none());
    }
}
