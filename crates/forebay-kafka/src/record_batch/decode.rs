//! From the bytes of a log to records.
//!
//! Nothing here trusts the bytes: lengths are checked against what is there
//! before anything is taken or allocated. Keys and values are slices of the
//! bytes that were given, so they keep these alive.

use bytes::Bytes;

use super::{
    header::{BatchHeader, Compression, HEADER_LEN},
    inflate::{InflateBudget, InflateError, inflate},
};
use crate::Error;

/// What the compressed batches of one [`decode_batches`] may unpack to, in bytes.
const MAX_INFLATED: usize = 64 << 20;

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
    /// Names and values.
    pub headers: RecordHeaders,
}

/// A record's headers, as their bytes: a list of a million empty ones would
/// take many times the memory of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordHeaders(Bytes);

impl RecordHeaders {
    /// Names and values, in the record's order; names need not be UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = (Bytes, Option<Bytes>)> + Clone + use<> {
        let mut rest = Cut(self.0.clone());
        // They were read once before.
        std::iter::from_fn(move || rest.header())
    }

    /// Their length in the log, in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
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
/// Those of [`batches`] and [`Batch::records`]; all the compressed batches
/// together must not unpack to more than 64 MiB.
pub fn decode_batches(bytes: Bytes, from_offset: i64) -> Result<DecodedBatches, Error> {
    let mut found = DecodedBatches::default();
    let mut left = MAX_INFLATED;
    let mut take = |bytes: usize| {
        let after = left.checked_sub(bytes);
        left = after.unwrap_or(left);
        after.is_some()
    };
    let mut budget = InflateBudget {
        limit: MAX_INFLATED,
        take: &mut take,
    };
    for batch in batches(bytes) {
        let batch = batch?;
        if batch.header.last_offset() < from_offset {
            continue;
        }
        if !batch.header.is_control() {
            for record in batch.records(&mut budget)? {
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

/// The complete batches in `bytes`, by their headers. Ends after the first
/// error: [`Error::CorruptBatch`] or [`Error::OldFormat`].
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
    /// The batch's records, decompressed within the budget; an item is an
    /// error if the rest is malformed.
    ///
    /// # Errors
    /// [`Error::BatchTooLarge`] and [`Error::NoMemory`] where the budget does
    /// not hold them; [`Error::CorruptBatch`] if they cannot be decompressed;
    /// [`Error::UnsupportedCompression`] for a codec that is not defined.
    pub fn records(&self, budget: &mut InflateBudget<'_>) -> Result<BatchRecords, Error> {
        let packed = self.bytes.slice(HEADER_LEN..);
        let plain = match self.header.compression() {
            Compression::None => packed,
            codec @ Compression::Unknown => {
                return Err(Error::UnsupportedCompression {
                    offset: self.header.base_offset,
                    codec: codec.name(),
                });
            }
            // Compaction may leave a batch without records and without a byte.
            _ if packed.is_empty() => packed,
            codec => inflate(codec, &packed, budget)
                .map_err(|error| self.not_inflated(codec, error, budget.limit))?,
        };
        Ok(BatchRecords {
            header: self.header,
            rest: Cut(plain),
            left: self.header.record_count,
        })
    }

    fn not_inflated(&self, codec: Compression, error: InflateError, limit: usize) -> Error {
        let offset = self.header.base_offset;
        match error {
            InflateError::OverLimit => Error::BatchTooLarge { offset, limit },
            InflateError::NoMemory(bytes) => Error::NoMemory { offset, bytes },
            InflateError::Malformed(reason) => Error::CorruptBatch {
                offset,
                reason: format!("{}: {reason}", codec.name()),
            },
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
#[derive(Debug, Clone)]
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
        let count = body.count()?;
        let headers = RecordHeaders(body.0.clone());
        for _ in 0..count {
            body.header()?;
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

    /// Name and value.
    fn header(&mut self) -> Option<(Bytes, Option<Bytes>)> {
        let len = self.varint()?;
        Some((self.take(len)?, self.nullable()?))
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
mod tests;
