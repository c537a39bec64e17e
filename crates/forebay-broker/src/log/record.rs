//! The records inside an uncompressed batch, as far as a broker looks at them.

use super::batch::{BatchHeader, HEADER_BYTES};

/// Why the records of a batch cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("record {index} of the batch is malformed: {what}")]
pub(crate) struct RecordError {
    pub(crate) index: i32,
    pub(crate) what: &'static str,
}

/// One record; slices point into the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// The record as it stands, its length field included.
    pub(crate) raw: &'a [u8],
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key: Option<&'a [u8]>,
    /// A null value: in a compacted topic, a tombstone.
    pub(crate) value_is_null: bool,
}

/// Iterates over the records of an uncompressed batch; ends after an error.
/// Also an error: bytes left over after the last record.
pub(crate) struct Records<'a> {
    rest: &'a [u8],
    next: i32,
    count: i32,
}

impl<'a> Records<'a> {
    pub(crate) fn of(header: &BatchHeader, batch: &'a [u8]) -> Self {
        Self {
            rest: batch.get(HEADER_BYTES..).unwrap_or_default(),
            next: 0,
            count: header.count,
        }
    }

    fn read(&mut self) -> Result<Record<'a>, &'static str> {
        let mut body = self.rest;
        let length = varint(&mut body).ok_or("no length")?;
        let length = usize::try_from(length).map_err(|_| "negative length")?;
        let raw_bytes = self.rest.len() - body.len() + length;
        let raw = self.rest.get(..raw_bytes).ok_or("longer than the batch")?;
        self.rest = &self.rest[raw_bytes..];
        let mut body = &body[..length];
        take(&mut body, 1).ok_or("no attributes")?;
        let timestamp_delta = varint(&mut body).ok_or("no timestamp")?;
        let offset_delta = varint(&mut body).ok_or("no offset delta")?;
        let offset_delta = i32::try_from(offset_delta).map_err(|_| "offset delta out of range")?;
        let key = nullable(&mut body).ok_or("key longer than the record")?;
        let value = nullable(&mut body).ok_or("value longer than the record")?;
        Ok(Record {
            raw,
            timestamp_delta,
            offset_delta,
            key,
            value_is_null: value.is_none(),
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next;
        let result = if index < self.count {
            self.read()
        } else if index == self.count && !self.rest.is_empty() {
            Err("bytes after the last record")
        } else {
            return None;
        };
        self.next = if result.is_ok() {
            index + 1
        } else {
            self.count + 1
        };
        Some(result.map_err(|what| RecordError { index, what }))
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

/// `Some(None)` is null.
fn nullable<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match usize::try_from(varint(bytes)?) {
        Ok(length) => take(bytes, length).map(Some),
        Err(_) => Some(None),
    }
}

/// A zigzag variable-length integer.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fixture::BatchFixture;

    fn read(batch: &[u8]) -> Result<Vec<Option<Vec<u8>>>, RecordError> {
        let header = BatchHeader::parse(batch).unwrap();
        Records::of(&header, batch)
            .map(|r| r.map(|r| r.key.map(<[u8]>::to_vec)))
            .collect()
    }

    #[test]
    fn keys_and_tombstones_are_seen() {
        let batch = BatchFixture::default()
            .record(Some(b"a"), Some(b"1"))
            .record(None, Some(b""))
            .record(Some(b"b"), None)
            .build();
        assert_eq!(
            read(&batch).unwrap(),
            vec![Some(b"a".to_vec()), None, Some(b"b".to_vec())]
        );
        let header = BatchHeader::parse(&batch).unwrap();
        let tombstones: Vec<bool> = Records::of(&header, &batch)
            .map(|r| r.unwrap().value_is_null)
            .collect();
        assert_eq!(tombstones, [false, false, true]);
    }

    #[test]
    fn cut_or_overlong_records_are_errors() {
        let batch = BatchFixture::default()
            .record(Some(b"key"), Some(b"value"))
            .build();
        for length in HEADER_BYTES..batch.len() {
            assert!(read(&batch[..length]).is_err(), "{length} bytes");
        }
        let mut longer = batch;
        longer.push(0);
        assert_eq!(
            read(&longer).unwrap_err().what,
            "bytes after the last record"
        );
    }
}
