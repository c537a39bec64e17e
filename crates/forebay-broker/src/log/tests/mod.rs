//! The log as a whole, on real files.

mod compaction;
mod crash;
mod limits;
mod model;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use tempfile::TempDir;

use super::batch::BatchHeader;
use super::fixture::BatchFixture;
use super::record::Records;
use super::{LogServices, Partition, Slice, SyncPool};
use crate::disk::Disk;
use crate::topic_config::TopicConfig;

const NOW: i64 = 1_000_000;

/// A partition on files, to be closed, killed and opened again.
struct Bench {
    dir: TempDir,
    config: Arc<RwLock<TopicConfig>>,
    fsync: bool,
    pool: SyncPool,
}

impl Bench {
    fn new(settings: &[(&str, &str)]) -> Self {
        let mut config = TopicConfig::default();
        for (name, value) in settings {
            config.set(name, Some(value)).unwrap();
        }
        let config = Arc::new(RwLock::new(config));
        let dir = tempfile::tempdir().unwrap();
        Self {
            dir,
            config,
            fsync: false,
            pool: SyncPool::start().unwrap(),
        }
    }

    /// Opens the log; the one before it is as if its process had been killed.
    fn open(&self) -> Arc<Partition> {
        self.open_at(NOW)
    }

    fn open_at(&self, now_ms: i64) -> Arc<Partition> {
        let services = LogServices {
            fsync: self.fsync,
            disk: Arc::new(Disk::of(self.dir.path().to_owned())),
            sync_queue: self.pool.queue(),
        };
        let directory = self.dir.path().join("p");
        Partition::open(
            "t-0".into(),
            directory,
            Arc::clone(&self.config),
            services,
            now_ms,
        )
        .unwrap()
    }

    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path().join("p")).unwrap();
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect();
        files.sort();
        files
    }
}

fn append(log: &Partition, batch: &BatchFixture) -> i64 {
    log.append(&batch.build(), NOW).unwrap().base_offset
}

/// Every record's offset and key, read as a consumer would.
fn read_all(log: &Partition) -> Vec<(i64, String)> {
    let (mut offset, _) = log.bounds();
    let mut records = Vec::new();
    loop {
        let Slice {
            batches, stored, ..
        } = log.read(offset, 500, true).unwrap();
        if batches.is_empty() {
            assert!(offset <= stored);
            return records;
        }
        let mut rest = &batches[..];
        while !rest.is_empty() {
            let header = BatchHeader::parse(rest).unwrap();
            let (batch, tail) = rest.split_at(header.size);
            assert_eq!(BatchHeader::parse_whole(batch).unwrap(), header);
            for record in Records::of(&header, batch) {
                let record = record.unwrap();
                let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
                records.push((header.base_offset + i64::from(record.offset_delta), key));
            }
            offset = header.last_offset() + 1;
            rest = tail;
        }
    }
}

fn keyed(pairs: &[(&str, Option<&str>)]) -> BatchFixture {
    let fixture = BatchFixture::default();
    pairs.iter().fold(fixture, |batch, (key, value)| {
        batch.record(Some(key.as_bytes()), value.map(str::as_bytes))
    })
}

fn flip_byte(path: &Path, at: u64) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0xff], at).unwrap();
}
