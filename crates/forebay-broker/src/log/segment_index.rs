//! The sparse index of one segment: offsets and times to file positions.

use bytes::{Buf, BufMut};

use super::batch::BatchHeader;

/// At most one entry per so many bytes of log, as Apache Kafka's default.
const BYTES_PER_ENTRY: u64 = 4096;
const FILE_MAGIC: &[u8; 8] = b"fbindex1";
const ENTRY_BYTES: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    offset: i64,
    position: u64,
    /// Largest timestamp of the segment before this entry's batch.
    max_timestamp_before: i64,
}

/// Sparse index and the figures that queries by time need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SegmentIndex {
    entries: Vec<Entry>,
    indexed_up_to: u64,
    times: Option<Times>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    first: i64,
    max: i64,
    /// Position of the batch that holds the largest timestamp.
    max_position: u64,
}

impl SegmentIndex {
    /// Adds the batch that stands at `position`; batches come in file order.
    pub(crate) fn add(&mut self, batch: &BatchHeader, position: u64) {
        if self.entries.is_empty() || position - self.indexed_up_to >= BYTES_PER_ENTRY {
            self.entries.push(Entry {
                offset: batch.base_offset,
                position,
                max_timestamp_before: self.times.map_or(i64::MIN, |times| times.max),
            });
            self.indexed_up_to = position;
        }
        let timestamp = batch.max_timestamp;
        match &mut self.times {
            Some(times) if timestamp > times.max => {
                times.max = timestamp;
                times.max_position = position;
            }
            Some(_) => {}
            None => {
                self.times = Some(Times {
                    first: timestamp,
                    max: timestamp,
                    max_position: position,
                });
            }
        }
    }

    /// A position from which reading on meets the batch holding `offset`.
    pub(crate) fn position_of(&self, offset: i64) -> u64 {
        self.before(self.entries.partition_point(|entry| entry.offset <= offset))
    }

    /// A position from which reading on meets the first batch with a record of
    /// `timestamp` or later.
    pub(crate) fn position_of_time(&self, timestamp: i64) -> u64 {
        self.before(
            self.entries
                .partition_point(|entry| entry.max_timestamp_before < timestamp),
        )
    }

    fn before(&self, end: usize) -> u64 {
        end.checked_sub(1).map_or(0, |at| self.entries[at].position)
    }

    /// Timestamp of the first batch; `None` without batches.
    pub(crate) fn first_timestamp(&self) -> Option<i64> {
        self.times.map(|times| times.first)
    }

    /// Largest timestamp and the position of its batch.
    pub(crate) fn max_timestamp(&self) -> Option<(i64, u64)> {
        self.times.map(|times| (times.max, times.max_position))
    }

    /// The index as a file; `segment_bytes` ties it to the segment's state.
    pub(crate) fn to_file(&self, segment_bytes: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.entries.len() * ENTRY_BYTES);
        out.put_slice(FILE_MAGIC);
        out.put_u64(segment_bytes);
        out.put_u64(self.indexed_up_to);
        let times = self.times.unwrap_or(Times {
            first: -1,
            max: -1,
            max_position: u64::MAX,
        });
        out.put_i64(times.first);
        out.put_i64(times.max);
        out.put_u64(times.max_position);
        for entry in &self.entries {
            out.put_i64(entry.offset);
            out.put_u64(entry.position);
            out.put_i64(entry.max_timestamp_before);
        }
        out.put_u32(crc32c::crc32c(&out));
        out
    }

    /// Reads [`Self::to_file`]; `None` unless whole and of a segment that still
    /// has `segment_bytes`.
    pub(crate) fn from_file(bytes: &[u8], segment_bytes: u64) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if crc != crc32c::crc32c(body).to_be_bytes() {
            return None;
        }
        let mut body = body.strip_prefix(FILE_MAGIC)?;
        if body.len() < 40 || body.get_u64() != segment_bytes {
            return None;
        }
        let indexed_up_to = body.get_u64();
        let times = Times {
            first: body.get_i64(),
            max: body.get_i64(),
            max_position: body.get_u64(),
        };
        let mut entries = Vec::with_capacity(body.len() / ENTRY_BYTES);
        while body.len() >= ENTRY_BYTES {
            entries.push(Entry {
                offset: body.get_i64(),
                position: body.get_u64(),
                max_timestamp_before: body.get_i64(),
            });
        }
        let times = (times.max_position != u64::MAX).then_some(times);
        Some(Self {
            entries,
            indexed_up_to,
            times,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fixture::BatchFixture;

    fn filled() -> SegmentIndex {
        let mut index = SegmentIndex::default();
        for n in 0..100 {
            let bytes = BatchFixture::default().timestamp(n * 10).records(1).build();
            let header = BatchHeader {
                base_offset: n,
                ..BatchHeader::parse(&bytes).unwrap()
            };
            index.add(&header, n as u64 * 1000);
        }
        index
    }

    #[test]
    fn positions_are_at_or_before_what_is_asked() {
        let index = filled();
        assert_eq!(index.entries.len(), 20);
        for offset in 0..100_u64 {
            let found = index.position_of(offset as i64);
            assert!(found <= offset * 1000 && offset * 1000 - found < 5000);
            let by_time = index.position_of_time(offset as i64 * 10);
            assert!(by_time <= offset * 1000 && offset * 1000 - by_time <= 5000);
        }
        assert_eq!(index.max_timestamp(), Some((990, 99_000)));
    }

    #[test]
    fn the_file_is_refused_when_stale_or_damaged() {
        let index = filled();
        let file = index.to_file(100_000);
        assert_eq!(SegmentIndex::from_file(&file, 100_000), Some(index));
        assert_eq!(SegmentIndex::from_file(&file, 100_001), None);
        for length in 0..file.len() {
            assert_eq!(SegmentIndex::from_file(&file[..length], 100_000), None);
        }
        let empty = SegmentIndex::default();
        assert_eq!(SegmentIndex::from_file(&empty.to_file(0), 0), Some(empty));
    }
}
