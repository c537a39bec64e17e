//! The open batches of one lane's partitions, as `PartitionQueue` holds them.

use std::collections::VecDeque;

/// When records were appended, and how many: kept in runs, since a request
/// appends several at once.
type Runs = VecDeque<(u64, usize)>;

/// One partition as one replica writes it.
#[derive(Default)]
struct Partition {
    open: Runs,
    records: usize,
    /// Whether a batch of it waits in the lane or is under way.
    awake: bool,
}

/// What a frame carries of one partition.
pub(super) struct Batch {
    pub(super) partition: usize,
    pub(super) records: usize,
    pub(super) runs: Runs,
}

/// The partitions of one lane, and which of them wait for a frame.
pub(super) struct Partitions {
    all: Vec<Partition>,
    backlog: VecDeque<usize>,
    batch_limit: usize,
}

impl Partitions {
    pub(super) fn new(count: usize, batch_limit: usize) -> Self {
        let mut all = Vec::new();
        all.resize_with(count, Partition::default);
        Self {
            all,
            backlog: VecDeque::new(),
            batch_limit,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Records that wait, or are under way if `awake` without any.
    pub(super) fn burden(&self, partition: usize) -> usize {
        self.all[partition].records + usize::from(self.all[partition].awake)
    }

    pub(super) fn append(&mut self, partition: usize, at: u64, records: usize) {
        let part = &mut self.all[partition];
        part.open.push_back((at, records));
        part.records += records;
        if !part.awake {
            part.awake = true;
            self.backlog.push_back(partition);
        }
    }

    /// Since when the batch waits that has waited the longest.
    pub(super) fn oldest(&self) -> Option<u64> {
        let first = *self.backlog.front()?;
        self.all[first].open.front().map(|run| run.0)
    }

    /// Seals the batch of the partition that has waited the longest.
    pub(super) fn seal(&mut self) -> Option<Batch> {
        let partition = self.backlog.pop_front()?;
        let part = &mut self.all[partition];
        let records = part.records.min(self.batch_limit);
        let mut runs = Runs::new();
        let mut left = records;
        while left > 0 {
            let (at, count) = part.open.pop_front()?;
            let taken = count.min(left);
            runs.push_back((at, taken));
            if taken < count {
                part.open.push_front((at, count - taken));
            }
            left -= taken;
        }
        part.records -= records;
        Some(Batch {
            partition,
            records,
            runs,
        })
    }

    /// The batch was acknowledged: the next one may go.
    pub(super) fn settle(&mut self, partition: usize) {
        let part = &mut self.all[partition];
        part.awake = part.records > 0;
        if part.awake {
            self.backlog.push_back(partition);
        }
    }

    /// Records that wait in open batches.
    pub(super) fn waiting(&self) -> usize {
        self.all.iter().map(|part| part.records).sum()
    }
}
