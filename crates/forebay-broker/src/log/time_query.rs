//! Offsets by time.

use super::partition::Partition;
use super::read::ReadError;
use super::record::Records;
use super::segment::SegmentView;

/// A record's offset and timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimedOffset {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
}

impl Partition {
    /// The first record of `timestamp` (Unix ms) or later. In a compressed
    /// batch, which stays unopened, the batch's first offset stands for it.
    pub(crate) fn first_at_or_after(
        &self,
        timestamp: i64,
    ) -> Result<Option<TimedOffset>, ReadError> {
        let (log_start, stored) = self.bounds();
        let views: Vec<SegmentView> = {
            let state = self.state.lock();
            let may_hold = |max: Option<(i64, u64)>| max.is_some_and(|(max, _)| max >= timestamp);
            let segments = state
                .segments
                .iter()
                .filter(|s| may_hold(s.index.max_timestamp()));
            segments
                .map(|s| s.view(s.index.position_of_time(timestamp)))
                .collect()
        };
        for mut view in views {
            while view
                .seek(|header| {
                    header.max_timestamp >= timestamp && header.last_offset() >= log_start
                })?
                .is_some()
            {
                let found = first_in_batch(&mut view, |found| {
                    found.timestamp >= timestamp && found.offset >= log_start
                })?;
                if let Some(found) = found {
                    return Ok(Some(found).filter(|found| found.offset < stored));
                }
            }
        }
        Ok(None)
    }

    /// The first record with the largest timestamp of the log.
    pub(crate) fn latest_in_time(&self) -> Result<Option<TimedOffset>, ReadError> {
        let (log_start, stored) = self.bounds();
        let view = {
            let state = self.state.lock();
            let newest = state
                .segments
                .iter()
                .rev()
                .filter_map(|segment| Some((segment, segment.index.max_timestamp()?)))
                .max_by_key(|(_, (max, _))| *max);
            newest.map(|(segment, (max, position))| (segment.view(position), max))
        };
        let Some((mut view, max)) = view else {
            return Ok(None);
        };
        let found = first_in_batch(&mut view, |found| found.timestamp == max)?;
        Ok(found.filter(|found| (log_start..stored).contains(&found.offset)))
    }
}

/// Looks into the batch at the view's position, and goes on behind it.
fn first_in_batch(
    view: &mut SegmentView,
    wanted: impl Fn(&TimedOffset) -> bool,
) -> Result<Option<TimedOffset>, ReadError> {
    let Some(header) = view.header()? else {
        return Ok(None);
    };
    let found = if header.is_compressed() {
        let (offset, timestamp) = (header.base_offset, header.max_timestamp);
        Some(TimedOffset { offset, timestamp })
    } else {
        let batch = view.read(header.size)?;
        let timed = |offset_delta, timestamp_delta: i64| TimedOffset {
            offset: header.base_offset + i64::from(offset_delta),
            timestamp: header.base_timestamp.saturating_add(timestamp_delta),
        };
        Records::of(&header, &batch)
            .map_while(Result::ok)
            .map(|record| timed(record.offset_delta, record.timestamp_delta))
            .find(wanted)
    };
    view.position += header.size as u64;
    Ok(found)
}
