//! Group commit: one fdatasync of a partition covers everything appended to it
//! before, for all producers that wait.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use super::partition::Partition;

/// Enough for several partitions' fdatasyncs to share a commit of the file
/// system's journal.
const THREADS: usize = 4;

/// Whether a partition's sync is due, under way, or due again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyncPhase {
    Idle,
    Queued,
    Running,
    RunningAndDueAgain,
}

#[derive(Debug, Default)]
struct Queue {
    due: VecDeque<Weak<Partition>>,
    closed: bool,
}

/// Where partitions that need an fdatasync line up.
#[derive(Debug, Clone, Default)]
pub(crate) struct SyncQueue {
    shared: Arc<(Mutex<Queue>, Condvar)>,
}

impl SyncQueue {
    /// Has `partition` synced soon; a request while one is queued costs nothing.
    pub(super) fn request(&self, partition: &Partition) {
        {
            let mut phase = partition.sync_phase.lock();
            match *phase {
                SyncPhase::Idle => *phase = SyncPhase::Queued,
                SyncPhase::Running => {
                    *phase = SyncPhase::RunningAndDueAgain;
                    return;
                }
                SyncPhase::Queued | SyncPhase::RunningAndDueAgain => return,
            }
        }
        self.push(partition.itself());
    }

    fn push(&self, partition: Weak<Partition>) {
        let (queue, due) = &*self.shared;
        queue.lock().due.push_back(partition);
        due.notify_one();
    }

    /// The next one; `None` when closed and empty.
    fn pop(&self) -> Option<Weak<Partition>> {
        let (queue, due) = &*self.shared;
        let mut queue = queue.lock();
        loop {
            if let Some(partition) = queue.due.pop_front() {
                return Some(partition);
            }
            if queue.closed {
                return None;
            }
            due.wait(&mut queue);
        }
    }
}

/// The threads that sync. Dropping it finishes what is queued.
#[derive(Debug)]
pub(crate) struct SyncPool {
    queue: SyncQueue,
    threads: Vec<JoinHandle<()>>,
}

impl SyncPool {
    pub(crate) fn start() -> std::io::Result<Self> {
        let queue = SyncQueue::default();
        let threads = (0..THREADS)
            .map(|number| {
                let queue = queue.clone();
                std::thread::Builder::new()
                    .name(format!("broker-sync-{number}"))
                    .spawn(move || {
                        while let Some(partition) = queue.pop() {
                            if let Some(partition) = partition.upgrade() {
                                partition.sync_queued();
                            }
                        }
                    })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { queue, threads })
    }

    pub(crate) fn queue(&self) -> SyncQueue {
        self.queue.clone()
    }
}

impl Drop for SyncPool {
    fn drop(&mut self) {
        let (queue, due) = &*self.queue.shared;
        queue.lock().closed = true;
        due.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a sync thread has panicked");
            }
        }
    }
}

impl Partition {
    fn sync_queued(&self) {
        *self.sync_phase.lock() = SyncPhase::Running;
        if catch_unwind(AssertUnwindSafe(|| self.sync())).is_err() {
            self.sync_panicked();
        }
        let again = {
            let mut phase = self.sync_phase.lock();
            let again = *phase == SyncPhase::RunningAndDueAgain;
            *phase = if again {
                SyncPhase::Queued
            } else {
                SyncPhase::Idle
            };
            again
        };
        if again {
            self.services.sync_queue.push(self.itself());
        }
    }

    /// The thread goes on for other partitions; whoever waits for this one is
    /// refused, as after a failed fdatasync.
    fn sync_panicked(&self) {
        let mut state = self.state.lock();
        state.break_down(&self.label, "syncing has panicked".to_owned());
        let (stored, health) = (state.stored, state.health.clone());
        drop(state);
        self.publish(stored, health);
    }

    /// Makes durable what has been appended so far, and says so.
    fn sync(&self) {
        let (files, end) = {
            let mut state = self.state.lock();
            (std::mem::take(&mut state.unsynced), state.next_offset)
        };
        let synced = files.iter().try_for_each(|file| file.sync_data());
        let mut state = self.state.lock();
        // Syncing works on a file without a name too, which no start finds.
        let stored = match synced {
            Ok(()) => state.active().is_still_there(),
            Err(error) => Err(format!("fdatasync failed: {error}")),
        };
        match stored {
            Ok(()) => state.stored = state.stored.max(end),
            // After a failed fdatasync the kernel may call the lost pages clean:
            // a second one that succeeds would prove nothing.
            Err(why) => state.break_down(&self.label, why),
        }
        let (stored, health) = (state.stored, state.health.clone());
        drop(state);
        self.publish(stored, health);
    }
}
