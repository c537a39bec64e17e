//! Encoding messages straight into a v2 record batch.
//!
//! The batch is built in one buffer whose first 61 bytes are kept free for the
//! header, so that appending a record is one copy of its key and value, and
//! closing the batch patches the header and sums it up. Format: KIP-98 and
//! <https://kafka.apache.org/documentation/#recordbatch>.

use std::ops::Range;

use super::{
    compress::Packed,
    header::{
        ATTRIBUTES, BASE_OFFSET, BASE_SEQUENCE, BASE_TIMESTAMP, BATCH_LENGTH, CRC, Compression,
        HEADER_LEN, LAST_OFFSET_DELTA, MAGIC, MAX_TIMESTAMP, PARTITION_LEADER_EPOCH,
        PRODUCER_EPOCH, PRODUCER_ID, RECORD_COUNT,
    },
};

/// Longest form of a varint of 32 and of 64 bits.
const MAX_VARINT: usize = 5;
const MAX_VARLONG: usize = 10;

/// Who writes a batch, and where in its sequence the batch stands (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerStamp {
    /// Producer id, as InitProducerId gave it.
    pub producer_id: i64,
    /// Producer epoch.
    pub epoch: i16,
    /// Sequence number of the batch's first record.
    pub base_sequence: i32,
}

/// An uncompressed v2 record batch under construction.
///
/// Offsets are relative to the batch, timestamps relative to its first record.
#[derive(Clone, Debug, Default)]
pub struct BatchEncoder {
    buf: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchEncoder {
    /// Number of records so far.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Whether no record has been appended.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Length in bytes of the batch if it were closed now, header included.
    pub fn encoded_len(&self) -> usize {
        self.buf.len().max(HEADER_LEN)
    }

    /// Makes room for `additional` bytes of records, so that a run of appends
    /// grows the buffer at most once.
    pub fn reserve(&mut self, additional: usize) {
        let header = if self.buf.is_empty() { HEADER_LEN } else { 0 };
        self.buf.reserve(header + additional);
    }

    /// The most bytes that a record with this key and value can take in a
    /// batch, whatever its place: for reserving.
    pub fn max_record_len(key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
        let len = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        len(key) + len(value) + 4 * MAX_VARINT + MAX_VARLONG + 2
    }

    /// The length of a batch that holds just this record: what a topic's
    /// `max.message.bytes` is compared with.
    pub fn single_record_batch_len(key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
        let body = body_len(0, 0, key, value);
        HEADER_LEN + varint_len(body as i64) + body
    }

    /// The length that appending this record adds to the batch.
    pub fn record_len(&self, timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
        let delta = if self.count == 0 {
            0
        } else {
            timestamp_ms - self.base_timestamp
        };
        let body = body_len(delta, self.count, key, value);
        varint_len(body as i64) + body
    }

    /// Appends a record without headers. `None` is Kafka's null: no key, or a
    /// tombstone.
    pub fn push(&mut self, timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        if self.count == 0 {
            self.buf.resize(HEADER_LEN, 0);
            self.base_timestamp = timestamp_ms;
            self.max_timestamp = timestamp_ms;
        }
        let delta = timestamp_ms - self.base_timestamp;
        self.max_timestamp = self.max_timestamp.max(timestamp_ms);
        let body = body_len(delta, self.count, key, value);
        let buf = &mut self.buf;
        put_varint(buf, body as i64);
        buf.push(0); // attributes: none are defined for records
        put_varint(buf, delta);
        put_varint(buf, i64::from(self.count));
        put_nullable(buf, key);
        put_nullable(buf, value);
        put_varint(buf, 0); // no headers
        self.count += 1;
    }

    /// A copy that holds only the records in `ranges` of record numbers
    /// (ascending, not overlapping), renumbered from 0.
    ///
    /// For taking out what was withdrawn before the batch was sent: rare, so
    /// it simply encodes anew.
    pub fn retain(&self, ranges: &[Range<usize>]) -> Self {
        let mut kept = Self::default();
        kept.reserve(self.buf.len());
        let mut wanted = ranges.iter().peekable();
        let mut rest = self.records();
        for index in 0..self.count() {
            let record = OwnRecord::take(&mut rest);
            while wanted.peek().is_some_and(|range| range.end <= index) {
                wanted.next();
            }
            if wanted.peek().is_some_and(|range| range.contains(&index)) {
                kept.push(
                    self.base_timestamp + record.timestamp_delta,
                    record.key,
                    record.value,
                );
            }
        }
        kept
    }

    /// The records, as they stand after the header.
    pub(crate) fn records(&self) -> &[u8] {
        self.buf.get(HEADER_LEN..).unwrap_or_default()
    }

    /// Closes the batch: fills in the header and the checksum.
    ///
    /// From here on its bytes never change: a sequenced batch is frozen.
    pub fn freeze(self, stamp: ProducerStamp) -> FrozenBatch {
        self.freeze_as(None, stamp)
    }

    /// Closes the batch with what its records were compressed to, if they were.
    pub(crate) fn freeze_as(self, packed: Option<Packed>, stamp: ProducerStamp) -> FrozenBatch {
        debug_assert!(self.count > 0, "an empty batch cannot be sent");
        let Self {
            buf,
            count,
            base_timestamp,
            max_timestamp,
        } = self;
        let (mut buf, compression) = match packed {
            Some(packed) => (packed.batch, packed.codec.into()),
            None => (buf, Compression::None),
        };
        let mut put = |range: Range<usize>, bytes: &[u8]| buf[range].copy_from_slice(bytes);
        put(BASE_OFFSET, &0i64.to_be_bytes());
        // The leader fills in its own epoch; -1 says that we do not know it.
        put(PARTITION_LEADER_EPOCH, &(-1i32).to_be_bytes());
        put(MAGIC, &[2]);
        put(ATTRIBUTES, &compression.attributes().to_be_bytes());
        put(LAST_OFFSET_DELTA, &(count - 1).to_be_bytes());
        put(BASE_TIMESTAMP, &base_timestamp.to_be_bytes());
        put(MAX_TIMESTAMP, &max_timestamp.to_be_bytes());
        put(PRODUCER_ID, &stamp.producer_id.to_be_bytes());
        put(PRODUCER_EPOCH, &stamp.epoch.to_be_bytes());
        put(BASE_SEQUENCE, &stamp.base_sequence.to_be_bytes());
        put(RECORD_COUNT, &count.to_be_bytes());
        let length = i32::try_from(buf.len() - BATCH_LENGTH.end)
            .expect("a batch is closed long before it reaches 2 GiB");
        buf[BATCH_LENGTH].copy_from_slice(&length.to_be_bytes());
        let crc = crc32c::crc32c(&buf[CRC.end..]);
        buf[CRC].copy_from_slice(&crc.to_be_bytes());
        FrozenBatch {
            bytes: buf,
            count,
            base_timestamp,
            stamp,
        }
    }
}

/// A batch whose bytes and sequence are settled.
#[derive(Debug)]
pub struct FrozenBatch {
    bytes: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    stamp: ProducerStamp,
}

impl FrozenBatch {
    /// The batch as it goes over the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of records.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Timestamp of the first record, Unix milliseconds.
    pub fn base_timestamp(&self) -> i64 {
        self.base_timestamp
    }

    /// Under which producer and sequence it was frozen.
    pub fn stamp(&self) -> ProducerStamp {
        self.stamp
    }
}

/// A record as [`BatchEncoder::push`] wrote it: well-formed and without headers.
struct OwnRecord<'a> {
    timestamp_delta: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'a> OwnRecord<'a> {
    fn take(rest: &mut &'a [u8]) -> Self {
        let body = take_varint(rest) as usize;
        let mut record = take_bytes(rest, body);
        take_bytes(&mut record, 1); // attributes
        let timestamp_delta = take_varint(&mut record);
        take_varint(&mut record); // offset delta: given anew
        let mut nullable = || match take_varint(&mut record) {
            -1 => None,
            len => Some(take_bytes(&mut record, len as usize)),
        };
        let (key, value) = (nullable(), nullable());
        Self {
            timestamp_delta,
            key,
            value,
        }
    }
}

fn take_bytes<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(len);
    *rest = left;
    taken
}

fn take_varint(rest: &mut &[u8]) -> i64 {
    let mut value = 0u64;
    for (index, byte) in rest.iter().enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            break;
        }
    }
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

fn body_len(
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> usize {
    let nullable = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => varint_len(bytes.len() as i64) + bytes.len(),
        None => 1,
    };
    1 + varint_len(timestamp_delta)
        + varint_len(i64::from(offset_delta))
        + nullable(key)
        + nullable(value)
        + 1
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn varint_len(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn put_nullable(buf: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_varint(buf, bytes.len() as i64);
            buf.extend_from_slice(bytes);
        }
        None => put_varint(buf, -1),
    }
}

fn put_varint(buf: &mut Vec<u8>, value: i64) {
    let mut value = zigzag(value);
    while value >= 0x80 {
        buf.push(value as u8 | 0x80);
        value >>= 7;
    }
    buf.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record_batch::decode::{DecodedRecord, decode_batches};

    const STAMP: ProducerStamp = ProducerStamp {
        producer_id: 4711,
        epoch: 3,
        base_sequence: 2_000_000_000,
    };

    type Message = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

    fn encode(messages: &[Message]) -> BatchEncoder {
        let mut encoder = BatchEncoder::default();
        for (time, key, value) in messages {
            let expected =
                encoder.encoded_len() + encoder.record_len(*time, key.as_deref(), value.as_deref());
            encoder.push(*time, key.as_deref(), value.as_deref());
            assert_eq!(
                encoder.encoded_len(),
                expected,
                "record_len foretells the growth"
            );
        }
        encoder
    }

    fn decode(batch: &FrozenBatch) -> Vec<Message> {
        let records: Vec<DecodedRecord> = decode_batches(batch.bytes().to_vec().into(), 0)
            .expect("own batches decode")
            .records;
        records
            .iter()
            .enumerate()
            .map(|(index, record)| {
                assert_eq!(record.offset, index as i64);
                assert!(record.headers.is_empty());
                (
                    record.timestamp_ms,
                    record.key.as_ref().map(|key| key.to_vec()),
                    record.value.as_ref().map(|value| value.to_vec()),
                )
            })
            .collect()
    }

    fn messages() -> impl Strategy<Value = Vec<Message>> {
        let bytes = |max| proptest::collection::vec(any::<u8>(), 0..max);
        let message = (
            0i64..4_000_000_000_000,
            proptest::option::of(bytes(40)),
            proptest::option::of(bytes(300)),
        );
        proptest::collection::vec(message, 1..60)
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_decoded(messages in messages()) {
            let frozen = encode(&messages).freeze(STAMP);
            prop_assert_eq!(frozen.count() as usize, messages.len());
            prop_assert_eq!(decode(&frozen), messages);
        }

        #[test]
        fn retain_keeps_exactly_the_ranges(
            messages in messages(),
            cuts in proptest::collection::vec(any::<bool>(), 60),
        ) {
            let ranges: Vec<_> = (0..messages.len()).filter(|i| cuts[*i]).map(|i| i..i + 1).collect();
            let kept: Vec<_> = ranges.iter().map(|r| messages[r.start].clone()).collect();
            let batch = encode(&messages).retain(&ranges);
            prop_assert_eq!(batch.count(), kept.len());
            if !kept.is_empty() {
                prop_assert_eq!(decode(&batch.freeze(STAMP)), kept);
            }
        }

        #[test]
        fn max_record_len_is_never_exceeded((time, key, value) in (any::<i32>(), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)), proptest::collection::vec(any::<u8>(), 0..300))) {
            let mut encoder = BatchEncoder::default();
            encoder.push(0, None, None);
            let len = encoder.record_len(i64::from(time), key.as_deref(), Some(&value));
            prop_assert!(len <= BatchEncoder::max_record_len(key.as_deref(), Some(&value)));
        }
    }

    #[test]
    fn a_single_record_batch_has_the_foretold_length() {
        for size in [0, 1, 63, 64, 8191, 8192, 1_048_576] {
            let value = vec![b'x'; size];
            let mut encoder = BatchEncoder::default();
            encoder.push(7, Some(b"key"), Some(&value));
            let foretold = BatchEncoder::single_record_batch_len(Some(b"key"), Some(&value));
            assert_eq!(encoder.freeze(STAMP).bytes().len(), foretold);
        }
    }
}
