//! Where the fields of a v2 record batch's header stand, in bytes.
//!
//! Format: <https://kafka.apache.org/documentation/#recordbatch>; all numbers
//! are big-endian.

use std::ops::Range;

use crate::Error;

/// Length of the header: the records begin here.
pub(crate) const HEADER_LEN: usize = 61;

/// Offset of the first record; the leader assigns it.
pub(crate) const BASE_OFFSET: Range<usize> = 0..8;
/// Length of everything after this field.
pub(crate) const BATCH_LENGTH: Range<usize> = 8..12;
/// The leader's epoch; the leader fills it in, so the checksum leaves it out.
pub(crate) const PARTITION_LEADER_EPOCH: Range<usize> = 12..16;
/// Version of the format: 2.
pub(crate) const MAGIC: Range<usize> = 16..17;
/// CRC-32C of everything after this field.
pub(crate) const CRC: Range<usize> = 17..21;
/// Compression and flags.
pub(crate) const ATTRIBUTES: Range<usize> = 21..23;
/// Offset of the last record less that of the first. Compaction keeps it.
pub(crate) const LAST_OFFSET_DELTA: Range<usize> = 23..27;
/// Timestamp that the records' deltas count from, Unix milliseconds.
pub(crate) const BASE_TIMESTAMP: Range<usize> = 27..35;
/// Largest timestamp, Unix milliseconds; the time of the append if so configured.
pub(crate) const MAX_TIMESTAMP: Range<usize> = 35..43;
/// Producer id, −1 without.
pub(crate) const PRODUCER_ID: Range<usize> = 43..51;
/// Producer epoch, −1 without.
pub(crate) const PRODUCER_EPOCH: Range<usize> = 51..53;
/// Sequence number of the first record, −1 without.
pub(crate) const BASE_SEQUENCE: Range<usize> = 53..57;
/// Number of records.
pub(crate) const RECORD_COUNT: Range<usize> = 57..61;

/// How a batch's records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip
    Gzip,
    /// snappy
    Snappy,
    /// lz4
    Lz4,
    /// zstd
    Zstd,
    /// A number that is not defined.
    Unknown,
}

impl Compression {
    /// The codec's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Unknown => "an unknown codec",
        }
    }

    /// The attributes of a batch of records with CreateTime, compressed thus.
    pub(crate) fn attributes(self) -> i16 {
        match self {
            Self::None | Self::Unknown => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }
}

/// The header of a v2 record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the batch's first record at the time it was written.
    pub base_offset: i64,
    /// Length of the batch in bytes, all of it.
    pub len: usize,
    /// The leader's epoch when the batch was appended.
    pub partition_leader_epoch: i32,
    /// Compression and flags, see the methods.
    pub attributes: i16,
    /// Offset of the last record less `base_offset`.
    pub last_offset_delta: i32,
    /// Timestamp that the records' deltas count from, Unix milliseconds.
    pub base_timestamp: i64,
    /// Largest timestamp, Unix milliseconds.
    pub max_timestamp: i64,
    /// Producer id, −1 without.
    pub producer_id: i64,
    /// Producer epoch, −1 without.
    pub producer_epoch: i16,
    /// Sequence number of the first record, −1 without.
    pub base_sequence: i32,
    /// Number of records, as the batch claims.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header of the batch that begins `bytes`, and checks the
    /// batch's checksum; `None` if the batch is cut off.
    ///
    /// # Errors
    /// [`Error::CorruptBatch`] if the length is impossible or the checksum
    /// does not match; [`Error::OldFormat`] before v2.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let Some(prefix) = bytes.get(..BATCH_LENGTH.end) else {
            return Ok(None);
        };
        let base_offset = i64_at(prefix, BASE_OFFSET);
        let corrupt = |reason: String| Error::CorruptBatch {
            offset: base_offset,
            reason,
        };
        let claimed = i32_at(prefix, BATCH_LENGTH);
        let len = usize::try_from(claimed)
            .ok()
            .and_then(|len| len.checked_add(BATCH_LENGTH.end));
        // Formats v0 and v1 have shorter headers; their magic stands at the same place.
        let Some(len) = len.filter(|len| *len > MAGIC.end) else {
            return Err(corrupt(format!("impossible length {claimed}")));
        };
        let Some(batch) = bytes.get(..len) else {
            return Ok(None);
        };
        let magic = batch[MAGIC.start];
        if matches!(magic, 0 | 1) {
            return Err(Error::OldFormat {
                offset: base_offset,
                version: magic,
            });
        }
        if magic != 2 {
            return Err(corrupt(format!("expected record format 2, found {magic}")));
        }
        if len < HEADER_LEN {
            return Err(corrupt(format!("impossible length {claimed}")));
        }
        let (expected, actual) = (i32_at(batch, CRC) as u32, crc32c::crc32c(&batch[CRC.end..]));
        if expected != actual {
            return Err(corrupt(format!(
                "checksum {actual:08x} instead of {expected:08x}"
            )));
        }
        Ok(Some(Self {
            base_offset,
            len,
            partition_leader_epoch: i32_at(batch, PARTITION_LEADER_EPOCH),
            attributes: i16_at(batch, ATTRIBUTES),
            last_offset_delta: i32_at(batch, LAST_OFFSET_DELTA),
            base_timestamp: i64_at(batch, BASE_TIMESTAMP),
            max_timestamp: i64_at(batch, MAX_TIMESTAMP),
            producer_id: i64_at(batch, PRODUCER_ID),
            producer_epoch: i16_at(batch, PRODUCER_EPOCH),
            base_sequence: i32_at(batch, BASE_SEQUENCE),
            record_count: i32_at(batch, RECORD_COUNT),
        }))
    }

    /// The headers of the complete batches in `bytes`, up to the first damaged one.
    pub fn scan(bytes: &[u8]) -> impl Iterator<Item = Self> {
        let mut rest = bytes;
        std::iter::from_fn(move || {
            let header = Self::read(rest).ok().flatten()?;
            rest = rest.get(header.len..)?;
            Some(header)
        })
    }

    /// Offset of the batch's last record at the time it was written; also
    /// after compaction, when that record may be gone.
    pub fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(i64::from(self.last_offset_delta))
    }

    /// How the records are compressed.
    pub fn compression(&self) -> Compression {
        match self.attributes & 0x07 {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            3 => Compression::Lz4,
            4 => Compression::Zstd,
            _ => Compression::Unknown,
        }
    }

    /// Whether the records' time is that of the append, `max_timestamp`.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & 0x08 != 0
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    /// Whether the batch holds a marker of the broker's and no user's records.
    pub fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }
}

fn array_at<const N: usize>(bytes: &[u8], field: Range<usize>) -> [u8; N] {
    bytes[field]
        .try_into()
        .expect("the field's range has this length and lies in the header")
}

fn i64_at(bytes: &[u8], field: Range<usize>) -> i64 {
    i64::from_be_bytes(array_at(bytes, field))
}

fn i32_at(bytes: &[u8], field: Range<usize>) -> i32 {
    i32::from_be_bytes(array_at(bytes, field))
}

fn i16_at(bytes: &[u8], field: Range<usize>) -> i16 {
    i16::from_be_bytes(array_at(bytes, field))
}
