//! Produce, versions 3–7: batches as they are, error codes as numbers.

use std::{io::Cursor, time::Duration};

use rskafka::protocol::{
    api_key::ApiKey,
    api_version::{ApiVersion, ApiVersionRange},
    messages::{
        ReadVersionedError, ReadVersionedType, RequestBody, WriteVersionedError, WriteVersionedType,
    },
};

use super::wire::{NEVER_FLEXIBLE, put_len, put_string, read_answer, versions};
use crate::connection::Throttling;

/// A topic's name, its partitions, and one v2 batch for each.
pub(crate) type TopicBatches<'a> = (&'a str, Vec<(i32, &'a [u8])>);

/// A produce request whose batches have been encoded before.
#[derive(Debug)]
pub(crate) struct RawProduce<'a> {
    /// −1 for all in-sync replicas.
    pub(crate) acks: i16,
    /// How long the broker may wait for the replicas.
    pub(crate) timeout_ms: i32,
    /// Each topic once.
    pub(crate) topics: Vec<TopicBatches<'a>>,
}

impl RequestBody for RawProduce<'_> {
    type ResponseBody = ProduceAnswer;
    const API_KEY: ApiKey = ApiKey::Produce;
    /// 3 brought v2 batches, 7 zstd (KIP-110).
    const API_VERSION_RANGE: ApiVersionRange = versions(3, 7);
    const FIRST_TAGGED_FIELD_IN_REQUEST_VERSION: ApiVersion = NEVER_FLEXIBLE;
}

impl RawProduce<'_> {
    fn encoded_len(&self) -> usize {
        let topics = self.topics.iter().map(|(name, partitions)| {
            let batches = partitions.iter().map(|(_, batch)| 8 + batch.len());
            2 + name.len() + 4 + batches.sum::<usize>()
        });
        2 + 2 + 4 + 4 + topics.sum::<usize>()
    }
}

impl WriteVersionedType<Vec<u8>> for RawProduce<'_> {
    fn write_versioned(
        &self,
        buf: &mut Vec<u8>,
        _version: ApiVersion,
    ) -> Result<(), WriteVersionedError> {
        buf.reserve(self.encoded_len());
        buf.extend_from_slice(&(-1i16).to_be_bytes()); // no transaction
        buf.extend_from_slice(&self.acks.to_be_bytes());
        buf.extend_from_slice(&self.timeout_ms.to_be_bytes());
        put_len(buf, self.topics.len())?;
        for (name, partitions) in &self.topics {
            put_string(buf, name)?;
            put_len(buf, partitions.len())?;
            for (partition, batch) in partitions {
                buf.extend_from_slice(&partition.to_be_bytes());
                put_len(buf, batch.len())?;
                buf.extend_from_slice(batch);
            }
        }
        Ok(())
    }
}

/// The broker's answer.
#[derive(Debug, Default)]
pub(crate) struct ProduceAnswer {
    /// By topic, in the broker's order; few, so they are looked through.
    topics: Vec<(String, Vec<ProducedPartition>)>,
    /// For how long the broker does not read on.
    pub(crate) throttle: Duration,
}

/// What became of a partition's batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducedPartition {
    pub(crate) partition: i32,
    /// 0 is success.
    pub(crate) code: i16,
    /// Offset of the batch's first record, −1 if it failed.
    pub(crate) base_offset: i64,
    /// When the broker appended it, −1 unless the topic uses LogAppendTime.
    pub(crate) log_append_time_ms: i64,
}

impl ProduceAnswer {
    /// For looking up partitions, quickest in the order of the request: brokers
    /// keep to that, mostly.
    pub(crate) fn lookup(&self) -> AnswerLookup<'_> {
        AnswerLookup {
            topics: &self.topics,
            topic: 0,
            next: 0,
        }
    }
}

/// Looks up one partition after the other, from where the last was found.
pub(crate) struct AnswerLookup<'a> {
    topics: &'a [(String, Vec<ProducedPartition>)],
    topic: usize,
    next: usize,
}

impl AnswerLookup<'_> {
    /// What became of a partition's batch; `None` if the broker left it out.
    pub(crate) fn partition(&mut self, topic: &str, partition: i32) -> Option<ProducedPartition> {
        let is_named = |(name, _): &(String, Vec<_>)| name == topic;
        if !self.topics.get(self.topic).is_some_and(is_named) {
            self.topic = self.topics.iter().position(is_named)?;
            self.next = 0;
        }
        let (_, answers) = self.topics.get(self.topic)?;
        let (before, after) = answers.split_at(self.next.min(answers.len()));
        let places = (self.next..).zip(after).chain((0..).zip(before));
        let (place, found) = places
            .into_iter()
            .find(|(_, answer)| answer.partition == partition)?;
        self.next = place + 1;
        Some(*found)
    }
}

impl Throttling for ProduceAnswer {
    fn throttle(&self) -> Duration {
        self.throttle
    }
}

impl ReadVersionedType<Cursor<Vec<u8>>> for ProduceAnswer {
    fn read_versioned(
        cursor: &mut Cursor<Vec<u8>>,
        version: ApiVersion,
    ) -> Result<Self, ReadVersionedError> {
        read_answer(cursor, |reader| {
            let topics = reader.list(|reader| {
                let name = reader.string()?;
                let partitions = reader.list(|reader| {
                    let answer = ProducedPartition {
                        partition: reader.int32()?,
                        code: reader.int16()?,
                        base_offset: reader.int64()?,
                        log_append_time_ms: reader.int64()?,
                    };
                    if version.0.0 >= 5 {
                        reader.int64()?; // log start offset
                    }
                    Ok(answer)
                })?;
                Ok((name, partitions))
            })?;
            Ok(Self {
                topics,
                throttle: reader.throttle()?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::wire::version;

    #[test]
    fn room_is_reserved_for_exactly_what_is_written() {
        let request = RawProduce {
            acks: -1,
            timeout_ms: 4000,
            topics: vec![
                ("a", vec![(0, b"xyz"), (7, b"")]),
                ("topic", vec![(1, b"abcdef")]),
            ],
        };
        let mut buf = Vec::new();
        request.write_versioned(&mut buf, version(7)).unwrap();
        assert_eq!(buf.len(), request.encoded_len());
    }

    #[test]
    fn partitions_are_found_in_any_order() {
        let of = |partition| ProducedPartition {
            partition,
            code: 0,
            base_offset: i64::from(partition),
            log_append_time_ms: -1,
        };
        let answer = ProduceAnswer {
            topics: vec![
                ("a".to_owned(), (0..3).map(of).collect()),
                ("b".to_owned(), [7, 3, 5].map(of).into()),
            ],
            throttle: Duration::ZERO,
        };
        let mut answers = answer.lookup();
        let order = [
            ("a", 1),
            ("a", 2),
            ("a", 0),
            ("b", 3),
            ("b", 5),
            ("b", 7),
            ("a", 0),
            ("a", 0),
        ];
        for (topic, partition) in order {
            assert_eq!(answers.partition(topic, partition), Some(of(partition)));
        }
        assert_eq!(answers.partition("a", 7), None);
        assert_eq!(answers.partition("b", 3), Some(of(3)));
    }

    #[test]
    fn unknown_codes_and_offsets_come_through() {
        let mut bytes = Vec::new();
        put_len(&mut bytes, 1).unwrap();
        put_string(&mut bytes, "t").unwrap();
        put_len(&mut bytes, 1).unwrap();
        bytes.extend_from_slice(&3i32.to_be_bytes());
        bytes.extend_from_slice(&999i16.to_be_bytes());
        for number in [42i64, -1, 0] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&1500i32.to_be_bytes());
        let answer = ProduceAnswer::read_versioned(&mut Cursor::new(bytes), version(7)).unwrap();
        let mut answers = answer.lookup();
        let expected = ProducedPartition {
            partition: 3,
            code: 999,
            base_offset: 42,
            log_append_time_ms: -1,
        };
        assert_eq!(answers.partition("t", 3), Some(expected));
        assert_eq!(answers.partition("t", 4), None);
        assert_eq!(answers.partition("u", 3), None);
        assert_eq!(answer.throttle, Duration::from_millis(1500));
    }
}
