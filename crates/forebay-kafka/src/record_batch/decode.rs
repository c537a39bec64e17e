//! From the bytes of a log to records.
//!
//! Nothing here trusts the bytes: lengths are checked against what is there
//! before anything is taken or allocated. Keys and values are slices of the
//! bytes that were given, so they keep these alive.

use bytes::Bytes;

use super::header::{BatchHeader, Compression, HEADER_LEN};
use crate::Error;

/// A record as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedRecord {
    /// Offset in the partition.
    pub offset: i64,
    /// CreateTime or, if the topic says so, LogAppendTime; Unix milliseconds.
    pub timestamp_ms: i64,
    /// The key; `None` is Kafka's null.
    pub key: Option<Bytes>,
    /// The value; `None` is Kafka's null, a tombstone.
    pub value: Option<Bytes>,
    /// Names and values, in the record's order; names need not be UTF-8.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// What [`decode_batches`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecodedBatches {
    /// Users' records, by rising offset.
    pub records: Vec<DecodedRecord>,
    /// Where to read on: one after the last complete batch, whether or not
    /// compaction has left that offset; `None` if there was no complete batch.
    pub next_offset: Option<i64>,
}

/// Decodes the records at or after `from_offset`.
///
/// Skipped are records before that (a broker answers with whole batches),
/// control records, and a last batch that is cut off.
///
/// # Errors
/// [`Error::CorruptBatch`], [`Error::UnsupportedCompression`].
pub fn decode_batches(bytes: Bytes, from_offset: i64) -> Result<DecodedBatches, Error> {
    let mut found = DecodedBatches::default();
    for batch in batches(bytes) {
        let batch = batch?;
        if batch.header.last_offset() < from_offset {
            continue;
        }
        if !batch.header.is_control() {
            for record in batch.records()? {
                let record = record?;
                if record.offset >= from_offset {
                    found.records.push(record);
                }
            }
        }
        found.next_offset = Some(batch.header.last_offset().saturating_add(1));
    }
    Ok(found)
}

/// The complete batches in `bytes`. Ends after the first error.
pub fn batches(bytes: Bytes) -> impl Iterator<Item = Result<Batch, Error>> {
    let mut rest = bytes;
    std::iter::from_fn(move || match BatchHeader::read(&rest) {
        Ok(Some(header)) => Some(Ok(Batch {
            header,
            bytes: rest.split_to(header.len),
        })),
        Ok(None) => None,
        Err(error) => {
            rest.clear();
            Some(Err(error))
        }
    })
}

/// A complete batch whose checksum is right.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its header.
    pub header: BatchHeader,
    /// All of it, header included.
    bytes: Bytes,
}

impl Batch {
    /// The batch's records; an item is an error if the rest is malformed.
    ///
    /// # Errors
    /// [`Error::UnsupportedCompression`].
    pub fn records(&self) -> Result<BatchRecords, Error> {
        // Decompression belongs here: it yields the plain bytes of the
        // records, under a cap that the caller sets.
        match self.header.compression() {
            Compression::None => Ok(BatchRecords {
                header: self.header,
                rest: Cut(self.bytes.slice(HEADER_LEN..)),
                left: self.header.record_count,
            }),
            codec => Err(Error::UnsupportedCompression {
                offset: self.header.base_offset,
                codec: codec.name(),
            }),
        }
    }
}

/// Iterator over a batch's records.
#[derive(Debug)]
pub struct BatchRecords {
    header: BatchHeader,
    rest: Cut,
    left: i32,
}

impl Iterator for BatchRecords {
    type Item = Result<DecodedRecord, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        let record = self.rest.record(&self.header).ok_or_else(|| {
            self.left = 0;
            Error::CorruptBatch {
                offset: self.header.base_offset,
                reason: "a record is malformed".to_owned(),
            }
        });
        Some(record)
    }
}

/// Bytes that are taken from the front; `None` from any method means that they
/// are malformed.
#[derive(Debug)]
struct Cut(Bytes);

impl Cut {
    fn take(&mut self, len: i64) -> Option<Bytes> {
        let len = usize::try_from(len)
            .ok()
            .filter(|len| *len <= self.0.len())?;
        Some(self.0.split_to(len))
    }

    /// Bytes with their length before them, −1 for null.
    fn nullable(&mut self) -> Option<Option<Bytes>> {
        match self.varint()? {
            -1 => Some(None),
            len => self.take(len).map(Some),
        }
    }

    /// A zigzag varint of up to 64 bits.
    fn varint(&mut self) -> Option<i64> {
        let mut value = 0u64;
        for index in 0..10 {
            let byte = *self.0.get(index)?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if index == 9 && bits > 1 {
                return None;
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                self.0 = self.0.slice(index + 1..);
                return Some(((value >> 1) as i64) ^ -((value & 1) as i64));
            }
        }
        None
    }

    fn record(&mut self, header: &BatchHeader) -> Option<DecodedRecord> {
        let len = self.varint()?;
        let mut body = Cut(self.take(len)?);
        body.take(1)?; // attributes: none are defined for records
        let timestamp_delta = body.varint()?;
        let offset_delta = body.varint()?;
        if !(0..=i64::from(header.last_offset_delta)).contains(&offset_delta) {
            return None;
        }
        let key = body.nullable()?;
        let value = body.nullable()?;
        let mut headers = Vec::new();
        for _ in 0..body.count()? {
            let len = body.varint()?;
            headers.push((body.take(len)?, body.nullable()?));
        }
        if !body.0.is_empty() {
            return None;
        }
        let timestamp_ms = if header.is_log_append_time() {
            header.max_timestamp
        } else {
            header.base_timestamp.checked_add(timestamp_delta)?
        };
        let offset = header.base_offset.checked_add(offset_delta)?;
        Some(DecodedRecord {
            offset,
            timestamp_ms,
            key,
            value,
            headers,
        })
    }

    /// A number of headers. Each takes two bytes at least, so that a lie about
    /// the number cannot cost more than what is there.
    fn count(&mut self) -> Option<i64> {
        let count = self.varint()?;
        let most = self.0.len() as i64 / 2;
        (0..=most).contains(&count).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record_batch::{
        encode::{BatchEncoder, ProducerStamp},
        header::{
            ATTRIBUTES, BASE_OFFSET, BATCH_LENGTH, CRC, LAST_OFFSET_DELTA, MAGIC, MAX_TIMESTAMP,
            RECORD_COUNT,
        },
    };

    const STAMP: ProducerStamp = ProducerStamp {
        producer_id: 9,
        epoch: 1,
        base_sequence: 5,
    };

    /// Three records at offsets `base`, `base + 1`, `base + 2`.
    fn batch(base: i64) -> Vec<u8> {
        let mut encoder = BatchEncoder::default();
        encoder.push(1000, Some(b"k"), Some(b"first"));
        encoder.push(1001, None, Some(b""));
        encoder.push(999, Some(b""), Some(b"third"));
        let mut bytes = encoder.freeze(STAMP).bytes().to_vec();
        bytes[BASE_OFFSET].copy_from_slice(&base.to_be_bytes());
        bytes
    }

    fn sum_up(bytes: &mut [u8]) {
        let crc = crc32c::crc32c(&bytes[CRC.end..]);
        bytes[CRC].copy_from_slice(&crc.to_be_bytes());
    }

    /// A batch of one record with this body, offset 0.
    fn batch_of(body: &[u8]) -> Vec<u8> {
        let mut bytes = batch(0);
        bytes.truncate(HEADER_LEN);
        assert!(body.len() < 64);
        bytes.push(body.len() as u8 * 2);
        bytes.extend_from_slice(body);
        bytes[RECORD_COUNT].copy_from_slice(&1i32.to_be_bytes());
        let len = (bytes.len() - BATCH_LENGTH.end) as i32;
        bytes[BATCH_LENGTH].copy_from_slice(&len.to_be_bytes());
        sum_up(&mut bytes);
        bytes
    }

    fn decode(bytes: Vec<u8>, from: i64) -> DecodedBatches {
        decode_batches(bytes.into(), from).unwrap()
    }

    fn offsets(found: &DecodedBatches) -> Vec<i64> {
        found.records.iter().map(|record| record.offset).collect()
    }

    #[test]
    fn records_before_the_offset_and_a_cut_off_batch_are_left_out() {
        let mut bytes = [batch(10), batch(13), batch(16)].concat();
        bytes.pop();
        let found = decode(bytes, 12);
        assert_eq!(offsets(&found), [12, 13, 14, 15]);
        assert_eq!(found.next_offset, Some(16));
        assert_eq!(found.records[0].key.as_deref(), Some(&b""[..]));
        assert_eq!(found.records[0].timestamp_ms, 999);
        assert_eq!(found.records[2].key, None);
        assert_eq!(found.records[2].value.as_deref(), Some(&b""[..]));
        for len in 0..batch(0).len() {
            let found = decode(batch(0)[..len].to_vec(), 0);
            assert_eq!(found, DecodedBatches::default(), "{len} bytes");
        }
    }

    #[test]
    fn what_compaction_leaves_keeps_the_batchs_end() {
        let mut bytes = batch(10);
        bytes[LAST_OFFSET_DELTA].copy_from_slice(&40i32.to_be_bytes());
        sum_up(&mut bytes);
        let found = decode(bytes.clone(), 13);
        assert_eq!((offsets(&found), found.next_offset), (vec![], Some(51)));
        let none_left = batch_of(&[]);
        let mut none_left = none_left[..HEADER_LEN].to_vec();
        none_left[RECORD_COUNT].fill(0);
        none_left[BATCH_LENGTH].copy_from_slice(&49i32.to_be_bytes());
        sum_up(&mut none_left);
        assert_eq!(decode(none_left, 0).next_offset, Some(3));
    }

    #[test]
    fn control_batches_are_skipped() {
        let mut bytes = batch(10);
        bytes[ATTRIBUTES].copy_from_slice(&0x30i16.to_be_bytes());
        sum_up(&mut bytes);
        let found = decode([bytes, batch(13)].concat(), 10);
        assert_eq!(offsets(&found), [13, 14, 15]);
    }

    #[test]
    fn the_time_of_the_append_overrides_that_of_the_records() {
        let mut bytes = batch(0);
        bytes[ATTRIBUTES].copy_from_slice(&0x08i16.to_be_bytes());
        bytes[MAX_TIMESTAMP].copy_from_slice(&7777i64.to_be_bytes());
        sum_up(&mut bytes);
        assert!(
            decode(bytes, 0)
                .records
                .iter()
                .all(|record| record.timestamp_ms == 7777)
        );
    }

    #[test]
    fn null_values_and_odd_headers_are_read() {
        // Attributes, deltas; null key, null value; headers "\xff" = null, "" = "v".
        let body = [0, 0, 0, 1, 1, 4, 2, 0xff, 1, 0, 2, b'v'];
        let found = decode(batch_of(&body), 0);
        let headers = vec![
            (Bytes::from_static(b"\xff"), None),
            (Bytes::new(), Some(Bytes::from_static(b"v"))),
        ];
        let [record] = &found.records[..] else {
            panic!("one record: {found:?}")
        };
        assert_eq!(
            (&record.key, &record.value, &record.headers),
            (&None, &None, &headers)
        );
    }

    #[test]
    fn malformed_records_are_errors() {
        let too_many_headers = [0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f];
        let bodies: [&[u8]; 6] = [
            &[],
            &[0, 0, 0, 1, 1],         // ends before its headers
            &[0, 0, 0, 1, 1, 0, 0],   // goes on after its headers
            &[0, 0, 1, 1, 1, 0],      // an offset before the batch
            &[0, 0, 0, 200, 1, 1, 0], // a key beyond the record
            &too_many_headers,
        ];
        for body in bodies {
            let error = decode_batches(batch_of(body).into(), 0).unwrap_err();
            assert!(
                matches!(error, Error::CorruptBatch { offset: 0, .. }),
                "{body:?}: {error}"
            );
        }
        let mut more_than_there_are = batch(0);
        more_than_there_are[RECORD_COUNT].copy_from_slice(&i32::MAX.to_be_bytes());
        sum_up(&mut more_than_there_are);
        decode_batches(more_than_there_are.into(), 0).unwrap_err();
    }

    #[test]
    fn damage_compression_and_old_formats_are_named() {
        let error = |bytes: Vec<u8>| decode_batches(bytes.into(), 0).unwrap_err().to_string();
        let mut damaged = batch(0);
        *damaged.last_mut().unwrap() ^= 1;
        assert!(error(damaged).contains("checksum"));
        let mut old = batch(0);
        old[MAGIC.start] = 1;
        assert!(error(old).contains("expected record format 2, found 1"));
        let mut zstd = batch(0);
        zstd[ATTRIBUTES].copy_from_slice(&4i16.to_be_bytes());
        sum_up(&mut zstd);
        assert!(error(zstd).contains("compressed with zstd"));
        for length in [-1, 0, 4, 48, i32::MIN] {
            let mut bytes = batch(0);
            bytes[BATCH_LENGTH].copy_from_slice(&i32::to_be_bytes(length));
            assert!(error(bytes).contains("impossible length"), "{length}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), from: i64) {
            drop(decode_batches(bytes.into(), from));
        }

        /// With a right checksum, so that the damage reaches the records.
        #[test]
        fn damaged_batches_never_panic(
            damage in proptest::collection::vec((17usize..84, any::<u8>()), 1..6),
            from: i64,
            base: i64,
        ) {
            let mut bytes = batch(base);
            for (place, byte) in damage {
                if let Some(place) = bytes.get_mut(place) {
                    *place = byte;
                }
            }
            sum_up(&mut bytes);
            drop(decode_batches(bytes.into(), from));
        }
    }
}
