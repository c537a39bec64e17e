//! Producer id, epoch and sequence numbers of one partition writer.
//!
//! Rules from KIP-98 and KIP-360, probed against Apache Kafka 4.4: a batch
//! carries (id, epoch, sequence of its first record); the broker accepts the
//! next sequence, answers a repeated one with its original offset, and refuses
//! gaps. After a hole the writer goes on under the next epoch with sequence 0,
//! which also fences whatever of the old epoch may still be on its way.

use crate::record_batch::encode::ProducerStamp;

/// The state from which the next batch is stamped.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// `None` until a producer id was obtained, or when its epochs are used up.
    current: Option<ProducerStamp>,
}

impl Sequence {
    /// Stamp of the next batch; `None` if a producer id has to be obtained.
    pub(super) fn next(&self) -> Option<ProducerStamp> {
        self.current
    }

    /// Begins with a producer id that was never used before.
    pub(super) fn begin(&mut self, producer_id: i64, epoch: i16) {
        self.current = Some(ProducerStamp {
            producer_id,
            epoch,
            base_sequence: 0,
        });
    }

    /// The batch stamped last, of `count` records, was acknowledged.
    pub(super) fn advance(&mut self, count: i32) {
        if let Some(stamp) = &mut self.current {
            stamp.base_sequence = wrapping_add(stamp.base_sequence, count);
        }
    }

    /// The batch stamped last was given up: go on under the next epoch, or
    /// with a new producer id when the epochs are used up.
    pub(super) fn bump(&mut self) {
        self.current = self.current.and_then(|stamp| {
            // The last epoch stays unused: a broker refuses to go beyond it.
            let epoch = stamp
                .epoch
                .checked_add(1)
                .filter(|epoch| *epoch < i16::MAX)?;
            Some(ProducerStamp {
                epoch,
                base_sequence: 0,
                ..stamp
            })
        });
    }
}

/// Sequences count to 2³¹ − 1 and begin again at 0.
fn wrapping_add(sequence: i32, count: i32) -> i32 {
    ((i64::from(sequence) + i64::from(count)) % (i64::from(i32::MAX) + 1)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_go_up_by_the_records_acknowledged_and_wrap() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.next(), None);
        sequence.begin(9, 0);
        sequence.advance(500);
        assert_eq!(sequence.next().unwrap().base_sequence, 500);
        sequence.advance(i32::MAX - 500);
        assert_eq!(sequence.next().unwrap().base_sequence, i32::MAX);
        sequence.advance(1);
        assert_eq!(sequence.next().unwrap().base_sequence, 0);
        sequence.advance(i32::MAX);
        sequence.advance(3);
        assert_eq!(sequence.next().unwrap().base_sequence, 2);
    }

    #[test]
    fn a_bump_takes_the_next_epoch_at_sequence_0() {
        let mut sequence = Sequence::default();
        sequence.begin(9, 4);
        sequence.advance(7);
        sequence.bump();
        let expected = ProducerStamp {
            producer_id: 9,
            epoch: 5,
            base_sequence: 0,
        };
        assert_eq!(sequence.next(), Some(expected));
    }

    #[test]
    fn used_up_epochs_ask_for_a_new_id() {
        let mut sequence = Sequence::default();
        sequence.begin(9, i16::MAX - 1);
        sequence.bump();
        assert_eq!(sequence.next(), None);
        sequence.bump();
        assert_eq!(
            sequence.next(),
            None,
            "bumping without an id changes nothing"
        );
    }
}
