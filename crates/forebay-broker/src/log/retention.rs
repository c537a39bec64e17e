//! Letting go of old segments: by size, by age, and below the log's start.

use std::io;

use super::partition::{Health, Partition};
use super::producer_snapshot;
use crate::topic_config::LogLimits;

impl Partition {
    /// One round of upkeep: seals what is old, removes what retention no longer
    /// covers, compacts. Blocks; appends go on meanwhile.
    pub(crate) fn keep_up(&self, now_ms: i64) -> io::Result<()> {
        let _upkeep = self.upkeep.lock();
        if self.health() != Health::Well {
            return Ok(());
        }
        let limits = self.config.read().limits();
        self.seal_if_old(&limits, now_ms)?;
        let keep_from = self.keep_from(&limits, now_ms);
        self.remove_segments_below(keep_from)?;
        if limits.compact {
            self.compact(&limits, now_ms)?;
        }
        self.state.lock().producers.expire(now_ms);
        Ok(())
    }

    fn seal_if_old(&self, limits: &LogLimits, now_ms: i64) -> io::Result<()> {
        let mut state = self.state.lock();
        let active = state.active();
        let expired = limits.delete && limits.retention_ms >= 0;
        let is_old = active
            .index
            .first_timestamp()
            .is_some_and(|first| now_ms - first >= limits.segment_ms)
            || (expired
                && active
                    .index
                    .max_timestamp()
                    .is_some_and(|(max, _)| now_ms - max > limits.retention_ms));
        if is_old {
            self.roll(&mut state)
        } else {
            Ok(())
        }
    }

    /// First offset that is to stay.
    fn keep_from(&self, limits: &LogLimits, now_ms: i64) -> i64 {
        let state = self.state.lock();
        let mut keep_from = state.log_start;
        if !limits.delete {
            return keep_from;
        }
        let mut bytes: u64 = state.segments.iter().map(|segment| segment.bytes).sum();
        for (segment, next) in state.segments.iter().zip(&state.segments[1..]) {
            let too_old = limits.retention_ms >= 0
                && segment
                    .index
                    .max_timestamp()
                    .is_none_or(|(max, _)| now_ms - max > limits.retention_ms);
            let too_much = u64::try_from(limits.retention_bytes)
                .is_ok_and(|limit| bytes - segment.bytes >= limit);
            // Nothing goes that is not durable yet.
            if !(too_old || too_much) || next.base_offset > state.stored {
                break;
            }
            bytes -= segment.bytes;
            keep_from = keep_from.max(next.base_offset);
        }
        keep_from
    }

    fn remove_segments_below(&self, keep_from: i64) -> io::Result<()> {
        let (removable, log_start) = {
            let state = self.state.lock();
            let behind = state.segments.iter().zip(&state.segments[1..]);
            (
                behind
                    .take_while(|(_, next)| next.base_offset <= keep_from)
                    .count(),
                state.log_start,
            )
        };
        if removable == 0 {
            return Ok(());
        }
        // First what makes the removal harmless, then the removal.
        self.save_producers()?;
        if keep_from > log_start {
            self.save_log_start(keep_from)?;
        }
        let gone: Vec<_> = {
            let mut state = self.state.lock();
            if state.health != Health::Well {
                return Ok(());
            }
            state.segments.drain(..removable).collect()
        };
        for segment in gone {
            remove_if_there(&segment.path)?;
            remove_if_there(&segment.index_path())?;
        }
        tracing::debug!(
            partition = self.label,
            segments = removable,
            keep_from,
            "removed old segments"
        );
        Ok(())
    }

    /// The batches that are about to go may be the last of their producers.
    pub(super) fn save_producers(&self) -> io::Result<()> {
        let (stored, producers) = {
            let state = self.state.lock();
            (state.next_offset, state.producers.clone())
        };
        let write = || producer_snapshot::save(&self.directory, stored, &producers);
        self.services.disk.with_reserve(write)
    }
}

pub(super) fn remove_if_there(path: &std::path::Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
