//! Reading whole batches by offset.

use std::io;

use super::batch::BatchHeader;
use super::partition::{Health, Partition};
use super::segment::SegmentView;

/// Batches, and the log's bounds when they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Whole batches; the first one holds the offset asked for, or the next
    /// one there is. Empty at the end.
    pub(crate) batches: Vec<u8>,
    pub(crate) log_start: i64,
    pub(crate) stored: i64,
}

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("offset {offset} is outside the log, {log_start} to {stored}")]
    OutOfRange {
        offset: i64,
        log_start: i64,
        stored: i64,
    },
    #[error("the topic has been deleted")]
    Deleted,
    #[error("cannot read the log: {0}")]
    Io(#[from] io::Error),
}

impl Partition {
    /// Reads from `offset` on, at most `max_bytes`; with `at_least_one`, the
    /// first batch even if it is larger. Never beyond what is stored.
    pub(crate) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Slice, ReadError> {
        let (log_start, stored) = self.readable()?;
        if offset < log_start || offset > stored {
            return Err(ReadError::OutOfRange {
                offset,
                log_start,
                stored,
            });
        }
        let mut slice = Slice {
            batches: Vec::new(),
            log_start,
            stored,
        };
        if offset == stored {
            return Ok(slice);
        }
        let mut after = None;
        while let Some(mut view) = self.view_from(offset, after) {
            let wanted = |header: &BatchHeader| header.last_offset() >= offset;
            match view.seek(wanted)? {
                Some(first) if first.base_offset < stored => {
                    slice.batches = read_batches(&view, &first, max_bytes, at_least_one, stored)?;
                    break;
                }
                Some(_) => break,
                // Compaction may have emptied the rest of this segment.
                None => after = Some(view.base_offset),
            }
        }
        Ok(slice)
    }

    fn readable(&self) -> Result<(i64, i64), ReadError> {
        let state = self.state.lock();
        match state.health {
            Health::Deleted => Err(ReadError::Deleted),
            // What was stored before can still be read.
            Health::Well | Health::Broken(_) => Ok((state.log_start, state.stored)),
        }
    }

    /// The segment that may hold `offset`, or the one following `after`.
    pub(super) fn view_from(&self, offset: i64, after: Option<i64>) -> Option<SegmentView> {
        let state = self.state.lock();
        let at = match after {
            Some(base) => state
                .segments
                .partition_point(|segment| segment.base_offset <= base),
            None => {
                let behind = state
                    .segments
                    .partition_point(|segment| segment.base_offset <= offset);
                behind.saturating_sub(1)
            }
        };
        let segment = state.segments.get(at)?;
        Some(segment.view(segment.index.position_of(offset)))
    }
}

fn read_batches(
    view: &SegmentView,
    first: &BatchHeader,
    max_bytes: usize,
    at_least_one: bool,
    stored: i64,
) -> io::Result<Vec<u8>> {
    let length = if first.size > max_bytes {
        if !at_least_one {
            return Ok(Vec::new());
        }
        first.size
    } else {
        max_bytes
    };
    let mut bytes = view.read(length)?;
    let mut whole = 0;
    while let Ok(header) = BatchHeader::parse(&bytes[whole..]) {
        if header.base_offset >= stored || whole + header.size > bytes.len() {
            break;
        }
        whole += header.size;
    }
    bytes.truncate(whole);
    Ok(bytes)
}
