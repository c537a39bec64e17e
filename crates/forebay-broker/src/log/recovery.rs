//! Opening a partition's directory after a clean stop or a crash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::batch::{BatchHeader, HEADER_BYTES};
use super::producer_snapshot;
use super::producer_state::ProducerTable;
use super::segment::Segment;
use super::segment_index::SegmentIndex;

/// A partition's content as found.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// In order of offsets, never empty.
    pub(crate) segments: Vec<Segment>,
    pub(crate) next_offset: i64,
    pub(crate) producers: ProducerTable,
}

/// Opens the segments of `directory`. The last one's torn tail is cut off; a
/// sealed one keeps its bytes, but those from a damaged batch on are not served.
pub(crate) fn open(directory: &Path, now_ms: i64) -> io::Result<Recovered> {
    fs::create_dir_all(directory)?;
    let mut bases = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("log") => bases.extend(base_of(&path)),
            // What a crash left of a compaction or of a small file.
            Some("compacting" | "new") => fs::remove_file(&path)?,
            _ => {}
        }
    }
    bases.sort_unstable();
    let mut segments = Vec::with_capacity(bases.len().max(1));
    for (at, base) in bases.iter().enumerate() {
        let is_last = at + 1 == bases.len();
        segments.push(open_segment(directory, *base, is_last)?);
    }
    if segments.is_empty() {
        segments.push(Segment::create(directory, 0)?);
    }
    let next_offset = next_offset(&segments)?;
    let producers = rebuild_producers(directory, &segments, next_offset, now_ms)?;
    Ok(Recovered {
        segments,
        next_offset,
        producers,
    })
}

fn base_of(path: &Path) -> Option<i64> {
    path.file_stem()?
        .to_str()?
        .parse()
        .ok()
        .filter(|base| *base >= 0)
}

fn open_segment(directory: &Path, base_offset: i64, is_last: bool) -> io::Result<Segment> {
    let path = super::segment::segment_path(directory, base_offset);
    let file = OpenOptions::new().read(true).write(true).open(&path)?;
    let file_bytes = file.metadata()?.len();
    let saved = fs::read(path.with_extension("index")).ok();
    let saved = saved.and_then(|bytes| SegmentIndex::from_file(&bytes, file_bytes));
    let (index, bytes) = match saved {
        Some(index) => (index, file_bytes),
        None => scan(&file, base_offset, file_bytes)?,
    };
    if bytes < file_bytes {
        let lost = file_bytes - bytes;
        if is_last {
            tracing::warn!(file = %path.display(), bytes = lost, "cut a torn tail off the log");
            file.set_len(bytes)?;
        } else {
            tracing::error!(
                file = %path.display(), from = bytes, bytes = lost,
                "a sealed segment is damaged: its records from there on cannot be read"
            );
        }
    }
    (&file).seek(SeekFrom::Start(bytes))?;
    Ok(Segment {
        base_offset,
        file: Arc::new(file),
        bytes,
        index,
        path,
    })
}

/// Reads and verifies every batch; returns the index and the bytes up to the
/// first one that is not whole.
fn scan(file: &File, base_offset: i64, file_bytes: u64) -> io::Result<(SegmentIndex, u64)> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    reader.seek(SeekFrom::Start(0))?;
    let mut index = SegmentIndex::default();
    let mut position = 0;
    let mut expected = base_offset;
    let mut batch = Vec::new();
    while position + HEADER_BYTES as u64 <= file_bytes {
        batch.resize(HEADER_BYTES, 0);
        reader.read_exact(&mut batch)?;
        let Ok(header) = BatchHeader::parse(&batch) else {
            break;
        };
        if header.base_offset < expected || position + header.size as u64 > file_bytes {
            break;
        }
        batch.resize(header.size, 0);
        reader.read_exact(&mut batch[HEADER_BYTES..])?;
        if BatchHeader::parse_whole(&batch).is_err() {
            break;
        }
        index.add(&header, position);
        position += header.size as u64;
        expected = header.last_offset() + 1;
    }
    Ok((index, position))
}

fn next_offset(segments: &[Segment]) -> io::Result<i64> {
    let Some(last) = segments.last() else {
        return Ok(0);
    };
    let mut view = last.view(last.index.position_of(i64::MAX));
    let mut next = last.base_offset;
    view.seek(|header| {
        next = header.last_offset() + 1;
        false
    })?;
    Ok(next)
}

/// From the snapshot and what came after it; from all headers without one.
fn rebuild_producers(
    directory: &Path,
    segments: &[Segment],
    next_offset: i64,
    now_ms: i64,
) -> io::Result<ProducerTable> {
    let snapshot = producer_snapshot::load(directory)?.filter(|saved| saved.end <= next_offset);
    if snapshot.is_none() {
        // One from beyond the log's end would look right once the log has grown.
        producer_snapshot::remove(directory)?;
    }
    let (mut producers, from) = snapshot.map_or((ProducerTable::default(), 0), |saved| {
        (saved.producers, saved.end)
    });
    let first = segments
        .partition_point(|segment| segment.base_offset <= from)
        .saturating_sub(1);
    for segment in &segments[first..] {
        let mut view = segment.view(segment.index.position_of(from));
        view.seek(|header| {
            if header.base_offset >= from {
                producers.record(header, now_ms);
            }
            false
        })?;
    }
    Ok(producers)
}
