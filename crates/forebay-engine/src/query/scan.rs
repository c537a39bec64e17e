//! From fetched batches to the records that were asked for.
//!
//! Batches are decompressed one at a time, and none after the last record that
//! is wanted.

use bytes::Bytes;
use forebay_kafka::{
    DecodedRecord, Error,
    record_batch::{
        decode::{Batch, batches},
        inflate::InflateBudget,
    },
};

use super::{error::QueryError, memory::QueryPermit};

/// How much is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) count: usize,
    /// Keys, values and headers; the first record may be longer.
    pub(super) bytes: usize,
    /// Whether the answer has its first record.
    pub(super) begun: bool,
}

impl Wanted {
    /// The first record, wherever it is.
    pub(super) const FIRST: Self = Self {
        count: 1,
        bytes: 0,
        begun: false,
    };

    pub(super) fn list(count: usize, bytes: usize) -> Self {
        Self {
            count,
            bytes,
            begun: false,
        }
    }
}

/// What a fetch's batches held.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// From the offset asked for on, by rising offset.
    pub(super) records: Vec<DecodedRecord>,
    /// Where to read on; `None` if there was no complete batch.
    pub(super) next_offset: Option<i64>,
    /// What is left of [`Wanted::bytes`]; 0 also when a record was left out.
    pub(super) bytes_left: usize,
}

/// Reads batches from `offset` on, growing `permit` by what they decompress to.
///
/// # Errors
/// [`QueryError::Unreadable`], [`QueryError::Memory`], [`QueryError::TooLarge`].
pub(super) fn scan(
    fetched: Bytes,
    offset: i64,
    wanted: Wanted,
    inflate_limit: usize,
    permit: &mut QueryPermit,
) -> Result<Scanned, QueryError> {
    let mut scanned = Scanned {
        bytes_left: wanted.bytes,
        ..Scanned::default()
    };
    for batch in batches(fetched) {
        let batch = batch?;
        if batch.header.last_offset() < offset {
            continue;
        }
        if !batch.header.is_control() {
            let records = inflated(&batch, inflate_limit, permit)?;
            for record in records {
                let record = record?;
                if record.offset >= offset && !scanned.take(record, wanted) {
                    return Ok(scanned);
                }
            }
        }
        scanned.next_offset = Some(batch.header.last_offset().saturating_add(1));
    }
    Ok(scanned)
}

/// The batch's records, their memory paid for by `permit`.
fn inflated(
    batch: &Batch,
    limit: usize,
    permit: &mut QueryPermit,
) -> Result<impl Iterator<Item = Result<DecodedRecord, Error>>, QueryError> {
    let mut refusal = None;
    let mut take = |bytes: usize| match permit.try_grow(bytes) {
        Ok(()) => true,
        Err(refused) => {
            refusal = Some(refused);
            false
        }
    };
    let mut budget = InflateBudget {
        limit,
        take: &mut take,
    };
    let records = batch.records(&mut budget);
    match (records, refusal) {
        (Err(_), Some(refused)) => Err(refused.into()),
        (records, _) => Ok(records?),
    }
}

impl Scanned {
    /// Adds a record; whether more are wanted.
    fn take(&mut self, record: DecodedRecord, wanted: Wanted) -> bool {
        let len = record_len(&record);
        let begun = wanted.begun || !self.records.is_empty();
        if begun && len > self.bytes_left {
            self.bytes_left = 0;
            self.next_offset = Some(record.offset);
            return false;
        }
        self.bytes_left = self.bytes_left.saturating_sub(len);
        self.next_offset = Some(record.offset.saturating_add(1));
        self.records.push(record);
        self.records.len() < wanted.count
    }
}

/// Bytes of key, value and headers.
fn record_len(record: &DecodedRecord) -> usize {
    let bytes = |field: &Option<Bytes>| field.as_ref().map_or(0, Bytes::len);
    bytes(&record.key) + bytes(&record.value) + record.headers.len()
}

#[cfg(test)]
mod tests;
