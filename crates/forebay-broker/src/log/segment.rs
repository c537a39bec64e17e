//! One segment file: batches one after the other, named by its first offset.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::{BatchHeader, HEADER_BYTES, stamped_prefix};
use super::segment_index::SegmentIndex;

/// A segment; only a partition's last one is appended to.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) file: Arc<File>,
    /// Bytes of whole batches; what may follow in the file does not count.
    pub(crate) bytes: u64,
    pub(crate) index: SegmentIndex,
    pub(crate) path: PathBuf,
}

/// Path of the segment beginning at `base_offset`.
pub(crate) fn segment_path(directory: &Path, base_offset: i64) -> PathBuf {
    directory.join(format!("{base_offset:020}.log"))
}

impl Segment {
    pub(crate) fn create(directory: &Path, base_offset: i64) -> io::Result<Self> {
        let path = segment_path(directory, base_offset);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        Ok(Self {
            base_offset,
            file: Arc::new(file),
            bytes: 0,
            index: SegmentIndex::default(),
            path,
        })
    }

    /// Appends a batch under `base_offset`. On an error the file is as before;
    /// the outer error means that not even that could be had.
    pub(crate) fn append(
        &mut self,
        batch: &[u8],
        header: &BatchHeader,
    ) -> Result<io::Result<()>, io::Error> {
        let prefix = stamped_prefix(batch, header.base_offset);
        if let Err(error) = write_both(&self.file, &prefix, &batch[prefix.len()..]) {
            // A partial batch must not stay in front of the next one.
            self.file.set_len(self.bytes)?;
            (&*self.file).seek(SeekFrom::Start(self.bytes))?;
            return Ok(Err(error));
        }
        self.index.add(header, self.bytes);
        self.bytes += batch.len() as u64;
        Ok(Ok(()))
    }

    /// Whether the next start will find what has been appended.
    ///
    /// # Errors
    /// The file has been deleted by somebody else.
    pub(crate) fn is_still_there(&self) -> Result<(), String> {
        // Some network file systems count no names at all, so both are asked.
        let has_no_name = self.file.metadata().is_ok_and(|file| file.nlink() == 0);
        match has_no_name && matches!(self.path.try_exists(), Ok(false)) {
            true => Err(format!("{} has been deleted", self.path.display())),
            false => Ok(()),
        }
    }

    pub(crate) fn index_path(&self) -> PathBuf {
        self.path.with_extension("index")
    }

    /// Writes the index beside the segment. Not synced: it carries a checksum,
    /// and a missing one is rebuilt.
    pub(crate) fn write_index(&self) -> io::Result<()> {
        std::fs::write(self.index_path(), self.index.to_file(self.bytes))
    }

    pub(crate) fn view(&self, position: u64) -> SegmentView {
        SegmentView {
            base_offset: self.base_offset,
            file: Arc::clone(&self.file),
            position,
            end: self.bytes,
        }
    }
}

fn write_both(mut file: &File, first: &[u8], second: &[u8]) -> io::Result<()> {
    let mut written = loop {
        match file.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
            Ok(written) => break written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    for part in [first, second] {
        if written < part.len() {
            file.write_all(&part[written..])?;
            written = 0;
        } else {
            written -= part.len();
        }
    }
    Ok(())
}

/// A stretch of a segment as it was at one moment; appends and compaction do
/// not change what is read through it.
#[derive(Debug, Clone)]
pub(crate) struct SegmentView {
    pub(crate) base_offset: i64,
    pub(crate) file: Arc<File>,
    pub(crate) position: u64,
    pub(crate) end: u64,
}

impl SegmentView {
    /// The header at the current position; `None` at the end.
    pub(crate) fn header(&self) -> io::Result<Option<BatchHeader>> {
        if self.end < self.position + HEADER_BYTES as u64 {
            return Ok(None);
        }
        let mut bytes = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut bytes, self.position)?;
        let header = BatchHeader::parse(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Some(header))
    }

    /// Goes on to the first batch that `wanted` accepts; `None` at the end.
    pub(crate) fn seek(
        &mut self,
        mut wanted: impl FnMut(&BatchHeader) -> bool,
    ) -> io::Result<Option<BatchHeader>> {
        while let Some(header) = self.header()? {
            if wanted(&header) {
                return Ok(Some(header));
            }
            self.position += header.size as u64;
        }
        Ok(None)
    }

    /// Up to `length` bytes from the current position.
    pub(crate) fn read(&self, length: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(left)];
        self.file.read_exact_at(&mut bytes, self.position)?;
        Ok(bytes)
    }
}
