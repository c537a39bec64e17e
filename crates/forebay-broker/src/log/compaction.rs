//! Compaction of sealed segments: of each key, only the newest record stays.
//!
//! Compressed batches are kept as they are, since no codec is built in. That is
//! safe, only less thorough: a record goes only if a newer one of its key was
//! seen in an uncompressed batch, and a tombstone only if no compressed batch
//! remains that might hold what it deletes.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use super::batch::{BatchHeader, with_records};
use super::partition::{Health, Partition};
use super::record::Records;
use super::retention::remove_if_there;
use super::segment::{Segment, SegmentView};
use super::segment_index::SegmentIndex;
use crate::durable_file;
use crate::topic_config::LogLimits;

/// Memory for keys in one round; what does not fit waits for the next one.
const MAX_KEY_BYTES: usize = 64 << 20;
/// A map entry's size beside its key, about.
const ENTRY_OVERHEAD: usize = 48;

/// Newest offset of each key, over the offsets below `end`.
struct NewestOffsets {
    by_key: HashMap<Vec<u8>, i64>,
    end: i64,
}

/// What decides on a record.
struct Rules {
    newest: NewestOffsets,
    /// Tombstones of batches older than this may go, if nothing is hidden.
    tombstones_go_before_ms: i64,
}

impl Partition {
    /// Compacts the sealed segments if there are new ones. The caller holds the
    /// upkeep lock.
    pub(super) fn compact(&self, limits: &LogLimits, now_ms: i64) -> io::Result<()> {
        let (views, clean_up_to) = {
            let state = self.state.lock();
            let sealed = &state.segments[..state.segments.len() - 1];
            let durable = sealed.iter().zip(&state.segments[1..]);
            let views: Vec<SegmentView> = durable
                .take_while(|(_, next)| next.base_offset <= state.stored)
                .map(|(segment, _)| segment.view(0))
                .collect();
            (views, state.clean_up_to)
        };
        let Some(last) = views.last() else {
            return Ok(());
        };
        if last.base_offset < clean_up_to {
            return Ok(());
        }
        let newest = newest_offsets(&views, clean_up_to)?;
        let end = newest.end;
        let tombstones_go_before_ms = now_ms.saturating_sub(limits.delete_retention_ms);
        let rules = Rules {
            newest,
            tombstones_go_before_ms,
        };
        self.save_producers()?;
        // From the oldest on: a value is gone before its tombstone is.
        let mut hidden = false;
        for view in views.iter().take_while(|view| view.base_offset < end) {
            self.rewrite(view, &rules, &mut hidden)?;
        }
        self.state.lock().clean_up_to = end;
        Ok(())
    }

    fn rewrite(&self, view: &SegmentView, rules: &Rules, hidden: &mut bool) -> io::Result<()> {
        let final_path = super::segment::segment_path(&self.directory, view.base_offset);
        let path = final_path.with_extension("compacting");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        let rewritten = write_compacted(view, rules, hidden, &file);
        let (bytes, index) = match rewritten {
            Ok((bytes, index)) if bytes < view.end => (bytes, index),
            // Nothing to gain, or nothing done: the segment stays as it is.
            other => {
                remove_if_there(&path)?;
                return other.map(|_| ());
            }
        };
        file.sync_data()?;
        // The saved index is of the old content; its length would not fit, but
        // a stale file is not worth relying on that.
        remove_if_there(&path.with_extension("index"))?;
        fs::rename(&path, &final_path)?;
        durable_file::sync_directory(&self.directory)?;
        let segment = Segment {
            base_offset: view.base_offset,
            file: Arc::new(file),
            bytes,
            index,
            path: final_path,
        };
        if let Err(error) = segment.write_index() {
            tracing::debug!(partition = self.label, %error, "index not saved; rebuilt when needed");
        }
        tracing::debug!(
            partition = self.label,
            before = view.end,
            after = bytes,
            "compacted a segment"
        );
        self.swap_in(segment)
    }

    fn swap_in(&self, compacted: Segment) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.health == Health::Deleted {
            return Ok(());
        }
        let found = state
            .segments
            .iter()
            .position(|s| s.base_offset == compacted.base_offset);
        let Some(at) = found else { return Ok(()) };
        // The first segment stays even when empty: it marks where the log begins.
        if compacted.bytes == 0 && at > 0 {
            state.segments.remove(at);
            drop(state);
            remove_if_there(&compacted.index_path())?;
            return remove_if_there(&compacted.path);
        }
        state.segments[at] = compacted;
        Ok(())
    }
}

fn for_each_batch(
    view: &SegmentView,
    mut each: impl FnMut(&BatchHeader, &[u8]) -> io::Result<bool>,
) -> io::Result<()> {
    let mut view = view.clone();
    while let Some(header) = view.header()? {
        let batch = view.read(header.size)?;
        if !each(&header, &batch)? {
            break;
        }
        view.position += header.size as u64;
    }
    Ok(())
}

fn is_opaque(header: &BatchHeader) -> bool {
    header.is_compressed() || header.is_control()
}

/// Keys of the segments not yet clean; the clean ones hold nothing newer.
fn newest_offsets(views: &[SegmentView], clean_up_to: i64) -> io::Result<NewestOffsets> {
    let mut newest = NewestOffsets {
        by_key: HashMap::new(),
        end: clean_up_to,
    };
    let mut key_bytes = 0;
    for view in views.iter().filter(|view| view.base_offset >= clean_up_to) {
        if key_bytes >= MAX_KEY_BYTES {
            break;
        }
        newest.end = view.base_offset + 1;
        for_each_batch(view, |header, batch| {
            if is_opaque(header) {
                return Ok(true);
            }
            for record in Records::of(header, batch).map_while(Result::ok) {
                let Some(key) = record.key else { continue };
                let offset = header.base_offset + i64::from(record.offset_delta);
                if newest.by_key.insert(key.to_vec(), offset).is_none() {
                    key_bytes += key.len() + ENTRY_OVERHEAD;
                }
            }
            Ok(true)
        })?;
    }
    Ok(newest)
}

fn write_compacted(
    view: &SegmentView,
    rules: &Rules,
    hidden: &mut bool,
    file: &File,
) -> io::Result<(u64, SegmentIndex)> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut index = SegmentIndex::default();
    let mut position = 0;
    for_each_batch(view, |header, batch| {
        let kept = if is_opaque(header) {
            *hidden = true;
            Some(batch.to_vec())
        } else {
            compacted_batch(header, batch, rules, *hidden)
        };
        if let Some(kept) = kept {
            out.write_all(&kept)?;
            index.add(header, position);
            position += kept.len() as u64;
        }
        Ok(true)
    })?;
    out.flush()?;
    Ok((position, index))
}

/// The batch with what stays of it; `None` if nothing does.
fn compacted_batch(
    header: &BatchHeader,
    batch: &[u8],
    rules: &Rules,
    hidden: bool,
) -> Option<Vec<u8>> {
    let tombstones_go = !hidden && header.max_timestamp < rules.tombstones_go_before_ms;
    let mut kept = Vec::new();
    let mut count = 0;
    for record in Records::of(header, batch) {
        // Appending checked it; if it cannot be read now, it is not for us to drop.
        let Ok(record) = record else {
            return Some(batch.to_vec());
        };
        let offset = header.base_offset + i64::from(record.offset_delta);
        let newer = record.key.and_then(|key| rules.newest.by_key.get(key));
        let is_newest = newer.is_none_or(|newest| *newest <= offset);
        if is_newest && !(tombstones_go && record.value_is_null) {
            kept.extend_from_slice(record.raw);
            count += 1;
        }
    }
    match count {
        0 => None,
        _ if count == header.count => Some(batch.to_vec()),
        _ => Some(with_records(batch, count, &kept)),
    }
}
