//! What a partition remembers of idempotent producers (KIP-98): the epoch and
//! the last five batches of each.

use std::collections::{HashMap, VecDeque};

use super::batch::{BatchHeader, wrapping_sequence};

/// As many batches as Apache Kafka remembers, and clients may have in flight.
const REMEMBERED_BATCHES: usize = 5;
/// `producer.id.expiration.ms` of Apache Kafka: a day.
const EXPIRES_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// Where one remembered batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchPlace {
    pub(crate) base_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
}

/// One producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    pub(crate) last_seen_ms: i64,
    /// Oldest first, never empty.
    pub(crate) batches: VecDeque<BatchPlace>,
}

/// What to do with a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It is already there.
    Duplicate(BatchPlace),
}

/// Why a batch is out of its producer's order.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SequenceError {
    #[error("producer {id} epoch {epoch}: expected sequence {expected}, got {got}")]
    OutOfOrder {
        id: i64,
        epoch: i16,
        expected: i32,
        got: i32,
    },
    #[error("producer {id}: epoch {got} is older than {current}")]
    StaleEpoch { id: i64, current: i16, got: i16 },
}

impl SequenceError {
    /// Picks the code that fits.
    pub(crate) fn code(&self, out_of_order: i16, stale_epoch: i16) -> i16 {
        match self {
            Self::OutOfOrder { .. } => out_of_order,
            Self::StaleEpoch { .. } => stale_epoch,
        }
    }
}

/// All producers of a partition.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ProducerTable {
    producers: HashMap<i64, Producer>,
}

impl ProducerTable {
    /// Judges a batch before it is appended. A producer that is not known may
    /// begin with any sequence, as with Apache Kafka: its state may have expired.
    pub(crate) fn check(&self, batch: &BatchHeader) -> Result<Verdict, SequenceError> {
        let Some(producer) = self.producers.get(&batch.producer_id) else {
            return Ok(Verdict::Append);
        };
        let (id, epoch) = (batch.producer_id, batch.producer_epoch);
        if epoch < producer.epoch {
            return Err(SequenceError::StaleEpoch {
                id,
                current: producer.epoch,
                got: epoch,
            });
        }
        let expected = if epoch > producer.epoch {
            0
        } else {
            let same = |place: &&BatchPlace| {
                place.base_sequence == batch.base_sequence
                    && place.last_sequence == batch.last_sequence()
            };
            if let Some(place) = producer.batches.iter().find(same) {
                return Ok(Verdict::Duplicate(*place));
            }
            let newest = producer
                .batches
                .back()
                .map_or(-1, |place| place.last_sequence);
            wrapping_sequence(newest, 1)
        };
        let got = batch.base_sequence;
        if got == expected {
            Ok(Verdict::Append)
        } else {
            Err(SequenceError::OutOfOrder {
                id,
                epoch,
                expected,
                got,
            })
        }
    }

    /// Remembers a batch that is in the log; its header has the final offset.
    pub(crate) fn record(&mut self, batch: &BatchHeader, now_ms: i64) {
        if batch.producer_id < 0 || batch.is_control() {
            return;
        }
        let place = BatchPlace {
            base_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            base_offset: batch.base_offset,
            last_offset: batch.last_offset(),
        };
        let producer = self
            .producers
            .entry(batch.producer_id)
            .or_insert_with(|| Producer {
                epoch: batch.producer_epoch,
                last_seen_ms: now_ms,
                batches: VecDeque::with_capacity(REMEMBERED_BATCHES),
            });
        if producer.epoch != batch.producer_epoch {
            producer.epoch = batch.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == REMEMBERED_BATCHES {
            producer.batches.pop_front();
        }
        producer.batches.push_back(place);
        producer.last_seen_ms = now_ms;
    }

    /// Forgets producers that have not written for a day.
    pub(crate) fn expire(&mut self, now_ms: i64) {
        self.producers
            .retain(|_, producer| now_ms - producer.last_seen_ms < EXPIRES_AFTER_MS);
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (i64, &Producer)> {
        self.producers.iter().map(|(id, producer)| (*id, producer))
    }

    pub(crate) fn insert(&mut self, id: i64, producer: Producer) {
        self.producers.insert(id, producer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fixture::BatchFixture;

    fn header(epoch: i16, sequence: i32, count: i32, offset: i64) -> BatchHeader {
        let bytes = BatchFixture::default()
            .producer(1, epoch, sequence)
            .records(count)
            .build();
        BatchHeader {
            base_offset: offset,
            ..BatchHeader::parse(&bytes).unwrap()
        }
    }

    fn table_with(batches: i32) -> ProducerTable {
        let mut table = ProducerTable::default();
        for n in 0..batches {
            table.record(&header(3, n * 2, 2, i64::from(n) * 2), 0);
        }
        table
    }

    #[test]
    fn an_unknown_producer_begins_anywhere() {
        assert_eq!(
            ProducerTable::default().check(&header(0, 77, 1, 0)),
            Ok(Verdict::Append)
        );
    }

    #[test]
    fn the_newest_and_the_fifth_duplicate_are_known_the_sixth_is_not() {
        let table = table_with(6);
        for (sequence, offset) in [(10, 10), (2, 2)] {
            match table.check(&header(3, sequence, 2, 0)).unwrap() {
                Verdict::Duplicate(place) => assert_eq!(place.base_offset, offset),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(
            table.check(&header(3, 0, 2, 0)),
            Err(SequenceError::OutOfOrder {
                expected: 12,
                got: 0,
                ..
            })
        ));
    }

    #[test]
    fn gaps_and_epochs() {
        let table = table_with(2);
        assert_eq!(table.check(&header(3, 4, 1, 0)), Ok(Verdict::Append));
        assert!(matches!(
            table.check(&header(3, 5, 1, 0)),
            Err(SequenceError::OutOfOrder {
                expected: 4,
                got: 5,
                ..
            })
        ));
        assert!(matches!(
            table.check(&header(4, 4, 1, 0)),
            Err(SequenceError::OutOfOrder { expected: 0, .. })
        ));
        assert_eq!(table.check(&header(4, 0, 1, 0)), Ok(Verdict::Append));
        assert!(matches!(
            table.check(&header(2, 0, 1, 0)),
            Err(SequenceError::StaleEpoch {
                current: 3,
                got: 2,
                ..
            })
        ));
    }

    #[test]
    fn sequences_wrap() {
        let mut table = ProducerTable::default();
        table.record(&header(0, i32::MAX, 2, 0), 0);
        assert_eq!(table.check(&header(0, 1, 1, 0)), Ok(Verdict::Append));
        assert!(table.check(&header(0, 2, 1, 0)).is_err());
    }

    #[test]
    fn silent_producers_expire_after_a_day() {
        let mut table = table_with(1);
        table.expire(EXPIRES_AFTER_MS - 1);
        assert_eq!(table.iter().len(), 1);
        table.expire(EXPIRES_AFTER_MS);
        assert_eq!(table.iter().len(), 0);
    }
}
