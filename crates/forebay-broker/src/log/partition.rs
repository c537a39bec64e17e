//! One open partition: its state, who may wait for it, and its life.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use super::producer_state::ProducerTable;
use super::segment::Segment;
use super::sync::{SyncPhase, SyncQueue};
use super::{producer_snapshot, recovery};
use crate::disk::Disk;
use crate::durable_file;
use crate::topic_config::TopicConfig;

const LOG_START_FILE: &str = "log-start";

/// What all partitions share.
#[derive(Debug, Clone)]
pub(crate) struct LogServices {
    /// Records count as stored only once an fdatasync has covered them.
    pub(crate) fsync: bool,
    pub(crate) disk: Arc<Disk>,
    pub(crate) sync_queue: SyncQueue,
}

/// Whether a partition still takes records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    /// What the disk holds is unknown until a restart: an fdatasync failed, or
    /// somebody has deleted the file.
    Broken(Arc<str>),
    Deleted,
}

/// What those who wait for durability look at.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// Everything below this offset is stored, and visible to readers.
    pub(crate) stored: i64,
    pub(crate) health: Health,
}

#[derive(Debug)]
pub(super) struct LogState {
    /// In order of offsets, never empty; the last one is appended to.
    pub(super) segments: Vec<Segment>,
    pub(super) log_start: i64,
    pub(super) next_offset: i64,
    /// End of what readers see: with fsync, what is durable.
    pub(super) stored: i64,
    pub(super) producers: ProducerTable,
    /// Files written to since the last fdatasync began.
    pub(super) unsynced: Vec<Arc<File>>,
    pub(super) health: Health,
    /// Where compaction has got to: segments below are clean.
    pub(super) clean_up_to: i64,
}

impl LogState {
    pub(super) fn active(&mut self) -> &mut Segment {
        self.segments
            .last_mut()
            .expect("a partition always has an active segment")
    }

    /// Nothing is acknowledged from now on, until a restart.
    pub(super) fn break_down(&mut self, label: &str, why: String) {
        if self.health == Health::Well {
            tracing::error!(
                partition = label,
                "{why}: the partition refuses records until a restart"
            );
            self.health = Health::Broken(why.into());
        }
    }
}

/// An open partition. Methods that touch files block; the locks are held for
/// single writes and look-ups, never over a read, an fdatasync or a rewrite.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Topic and number, for log lines.
    pub(super) label: String,
    pub(super) directory: PathBuf,
    pub(super) services: LogServices,
    pub(super) config: Arc<RwLock<TopicConfig>>,
    pub(super) state: Mutex<LogState>,
    pub(super) sync_phase: Mutex<SyncPhase>,
    /// Held by whoever replaces or removes segments.
    pub(super) upkeep: Mutex<()>,
    progress: watch::Sender<Progress>,
    waiting_readers: Mutex<Vec<Arc<Notify>>>,
    itself: Weak<Self>,
}

impl Partition {
    /// Opens the partition in `directory`, creating or recovering it.
    pub(crate) fn open(
        label: String,
        directory: PathBuf,
        config: Arc<RwLock<TopicConfig>>,
        services: LogServices,
        now_ms: i64,
    ) -> io::Result<Arc<Self>> {
        let mut recovered = recovery::open(&directory, now_ms)?;
        let first = recovered
            .segments
            .first()
            .map_or(0, |segment| segment.base_offset);
        let log_start = load_log_start(&directory)?.unwrap_or(0).max(first);
        if services.fsync {
            // What a killed process left in the page cache was never synced.
            for segment in &recovered.segments {
                segment.file.sync_data()?;
            }
            durable_file::sync_directory(&directory)?;
        }
        if log_start > recovered.next_offset {
            recovered.next_offset = log_start;
            recovered
                .segments
                .push(Segment::create(&directory, log_start)?);
        }
        let stored = recovered.next_offset;
        let state = LogState {
            segments: recovered.segments,
            log_start,
            next_offset: stored,
            stored,
            producers: recovered.producers,
            unsynced: Vec::new(),
            health: Health::Well,
            clean_up_to: 0,
        };
        Ok(Arc::new_cyclic(|itself| Self {
            label,
            directory,
            services,
            config,
            state: Mutex::new(state),
            sync_phase: Mutex::new(SyncPhase::Idle),
            upkeep: Mutex::new(()),
            progress: watch::Sender::new(Progress {
                stored,
                health: Health::Well,
            }),
            waiting_readers: Mutex::new(Vec::new()),
            itself: Weak::clone(itself),
        }))
    }

    pub(super) fn itself(&self) -> Weak<Self> {
        Weak::clone(&self.itself)
    }

    /// First offset that can be read, and the end of what is stored.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        let state = self.state.lock();
        (state.log_start, state.stored)
    }

    pub(crate) fn health(&self) -> Health {
        self.state.lock().health.clone()
    }

    /// Waits until everything below `offset` is stored, or never will be.
    ///
    /// # Cancellation
    /// Safe; the records stay.
    pub(crate) async fn stored(&self, offset: i64) -> Health {
        let mut progress = self.progress.subscribe();
        let reached = |now: &Progress| now.stored >= offset || now.health != Health::Well;
        match progress.wait_for(reached).await {
            Ok(now) if now.stored >= offset => Health::Well,
            Ok(now) => now.health.clone(),
            // The sender is in `self`, so it cannot have gone.
            Err(_) => Health::Deleted,
        }
    }

    /// Has `reader` notified once when more is stored or the partition changes.
    pub(crate) fn notify_on_change(&self, reader: &Arc<Notify>) {
        let mut waiting = self.waiting_readers.lock();
        // Readers that timed out left theirs behind.
        waiting.retain(|waiter| Arc::strong_count(waiter) > 1);
        waiting.push(Arc::clone(reader));
    }

    pub(super) fn publish(&self, stored: i64, health: Health) {
        self.progress.send_modify(|progress| {
            progress.stored = progress.stored.max(stored);
            progress.health = health;
        });
        self.wake_readers();
    }

    pub(super) fn wake_readers(&self) {
        for reader in self.waiting_readers.lock().drain(..) {
            reader.notify_one();
        }
    }

    /// Refuses everything from now on; the caller removes the directory.
    pub(crate) fn mark_deleted(&self) {
        let stored = {
            let mut state = self.state.lock();
            state.health = Health::Deleted;
            state.stored
        };
        self.publish(stored, Health::Deleted);
    }

    /// Syncs everything and saves indexes and producers, so that the next open
    /// need not read the log.
    pub(crate) fn close(&self) -> io::Result<()> {
        let _upkeep = self.upkeep.lock();
        let mut state = self.state.lock();
        if state.health != Health::Well {
            return Ok(());
        }
        for file in std::mem::take(&mut state.unsynced) {
            file.sync_data()?;
        }
        for segment in &state.segments {
            segment.write_index()?;
        }
        producer_snapshot::save(&self.directory, state.next_offset, &state.producers)
    }

    /// Moves the first readable offset up to `offset` (-1: the end), durably;
    /// answers the new one, or `None` beyond the end.
    pub(crate) fn delete_records_before(&self, offset: i64) -> io::Result<Option<i64>> {
        let _upkeep = self.upkeep.lock();
        let (log_start, stored) = self.bounds();
        let offset = if offset == -1 { stored } else { offset };
        if offset < 0 || offset > stored {
            return Ok(None);
        }
        if offset > log_start {
            self.save_log_start(offset)?;
        }
        Ok(Some(offset.max(log_start)))
    }

    pub(super) fn save_log_start(&self, offset: i64) -> io::Result<()> {
        let text = durable_file::seal(&format!("{offset}\n"));
        let path = self.directory.join(LOG_START_FILE);
        let write = || durable_file::replace(&path, text.as_bytes());
        self.services.disk.with_reserve(write)?;
        let mut state = self.state.lock();
        state.log_start = state.log_start.max(offset);
        Ok(())
    }
}

fn load_log_start(directory: &Path) -> io::Result<Option<i64>> {
    match std::fs::read_to_string(directory.join(LOG_START_FILE)) {
        Ok(text) => Ok(durable_file::unseal(&text).and_then(|text| text.trim_end().parse().ok())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
