//! The header of a record batch, format v2 (KIP-98), which is both the wire's
//! and the disk's format.

/// Bytes of a batch header, before its first record.
pub(crate) const HEADER_BYTES: usize = 61;
/// Base offset and length field: what the length field itself does not count.
const LENGTH_OVERHEAD: usize = 12;
/// The checksum covers everything from the attributes on.
const CRC_FROM: usize = 21;
const COUNT_AT: usize = 57;

const COMPRESSION_MASK: i16 = 0x07;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;

/// Why bytes are not a record batch.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BatchError {
    #[error("expected a batch of at least {HEADER_BYTES} bytes, got {0}")]
    Short(usize),
    #[error("expected magic 2, got {0}")]
    Magic(i8),
    #[error("the batch says it has {said} bytes, but {got} are there")]
    Length { said: i64, got: usize },
    #[error("checksum is {said:08x}, the content's is {computed:08x}")]
    Checksum { said: u32, computed: u32 },
    #[error("{count} records do not fit a last offset delta of {last_offset_delta}")]
    Count { count: i32, last_offset_delta: i32 },
}

/// A batch header's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    /// Bytes of the whole batch, header included.
    pub(crate) size: usize,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) count: i32,
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`; the records need not be there.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        if bytes.len() < HEADER_BYTES {
            return Err(BatchError::Short(bytes.len()));
        }
        let magic = bytes[16] as i8;
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        let length = i32::from_be_bytes(field(bytes, 8));
        let size = i64::from(length) + LENGTH_OVERHEAD as i64;
        if size < HEADER_BYTES as i64 {
            return Err(BatchError::Length {
                said: size,
                got: bytes.len(),
            });
        }
        let header = Self {
            base_offset: i64::from_be_bytes(field(bytes, 0)),
            size: size as usize,
            crc: u32::from_be_bytes(field(bytes, 17)),
            attributes: i16::from_be_bytes(field(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: i64::from_be_bytes(field(bytes, 27)),
            max_timestamp: i64::from_be_bytes(field(bytes, 35)),
            producer_id: i64::from_be_bytes(field(bytes, 43)),
            producer_epoch: i16::from_be_bytes(field(bytes, 51)),
            base_sequence: i32::from_be_bytes(field(bytes, 53)),
            count: i32::from_be_bytes(field(bytes, COUNT_AT)),
        };
        // Compaction takes records out, so fewer than the delta says are fine here.
        if header.count < 1 || i64::from(header.count) > i64::from(header.last_offset_delta) + 1 {
            return Err(BatchError::Count {
                count: header.count,
                last_offset_delta: header.last_offset_delta,
            });
        }
        Ok(header)
    }

    /// Reads and verifies one whole batch that is all of `bytes`.
    pub(crate) fn parse_whole(bytes: &[u8]) -> Result<Self, BatchError> {
        let header = Self::parse(bytes)?;
        if header.size != bytes.len() {
            return Err(BatchError::Length {
                said: header.size as i64,
                got: bytes.len(),
            });
        }
        let computed = crc32c::crc32c(&bytes[CRC_FROM..]);
        if computed != header.crc {
            return Err(BatchError::Checksum {
                said: header.crc,
                computed,
            });
        }
        Ok(header)
    }

    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// Sequence of the last record; sequences go from 2^31 - 1 on to 0.
    pub(crate) fn last_sequence(&self) -> i32 {
        wrapping_sequence(self.base_sequence, self.last_offset_delta)
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.attributes & COMPRESSION_MASK != 0
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }
}

/// `sequence + delta` as Kafka counts sequences: 31 bits, wrapping to 0.
pub(crate) fn wrapping_sequence(sequence: i32, delta: i32) -> i32 {
    ((i64::from(sequence) + i64::from(delta)) & i64::from(i32::MAX)) as i32
}

/// The first 16 bytes as stored: offset and leader epoch are the broker's to
/// give, and the checksum does not cover them.
pub(crate) fn stamped_prefix(batch: &[u8], base_offset: i64) -> [u8; 16] {
    let mut prefix: [u8; 16] = field(batch, 0);
    prefix[..8].copy_from_slice(&base_offset.to_be_bytes());
    prefix[12..].copy_from_slice(&LEADER_EPOCH.to_be_bytes());
    prefix
}

/// A single node never elects anew.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// The batch with only these records left: offsets, timestamps and sequences
/// stay as they were, length, count and checksum follow.
pub(crate) fn with_records(batch: &[u8], count: i32, records: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + records.len());
    out.extend_from_slice(&batch[..HEADER_BYTES]);
    out.extend_from_slice(records);
    let length = (out.len() - LENGTH_OVERHEAD) as i32;
    out[8..12].copy_from_slice(&length.to_be_bytes());
    out[COUNT_AT..COUNT_AT + 4].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c::crc32c(&out[CRC_FROM..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fixture::BatchFixture;

    #[test]
    fn reads_what_a_producer_writes() {
        let bytes = BatchFixture::default().producer(7, 2, 5).records(3).build();
        let header = BatchHeader::parse_whole(&bytes).unwrap();
        assert_eq!(
            (
                header.producer_id,
                header.producer_epoch,
                header.base_sequence
            ),
            (7, 2, 5)
        );
        assert_eq!(
            (
                header.count,
                header.last_offset_delta,
                header.last_sequence()
            ),
            (3, 2, 7)
        );
        assert_eq!(header.size, bytes.len());
    }

    #[test]
    fn every_changed_byte_after_the_prefix_is_noticed() {
        let bytes = BatchFixture::default().records(2).build();
        for at in 16..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            assert!(BatchHeader::parse_whole(&broken).is_err(), "byte {at}");
        }
    }

    #[test]
    fn short_and_negative_lengths_are_errors() {
        let bytes = BatchFixture::default().records(1).build();
        for length in 0..bytes.len() {
            assert!(BatchHeader::parse_whole(&bytes[..length]).is_err());
        }
        let mut negative = bytes;
        negative[8..12].copy_from_slice(&(-1_i32).to_be_bytes());
        assert!(matches!(
            BatchHeader::parse(&negative),
            Err(BatchError::Length { .. })
        ));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(wrapping_sequence(i32::MAX, 1), 0);
        assert_eq!(wrapping_sequence(i32::MAX - 1, 3), 1);
    }
}
