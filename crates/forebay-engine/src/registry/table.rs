//! The log's meaning: a pure function from records to tasks.
//!
//! Each task has two independent last-writer-wins keys. What the table says
//! depends on nothing but the latest record of each key and that record's
//! offset, which compaction keeps; so every compacted form of a log gives the
//! same table, in whatever order the keys come.
//!
//! - A `run` without a `spec` is no task, but is remembered: its spec may come
//!   later in this form of the log.
//! - A `spec` without a `run` is a running task, unless a modify wrote it.
//!   Every creation writes both keys in one batch, so a modify's spec alone is
//!   the trace of a modify that crossed a deletion, and must not bring the
//!   task back.
//! - A run state that cannot be read (a newer version's) is paused: refusing
//!   is the safe side. A spec that cannot be read is no task. In both cases the
//!   unreadable record still replaces what was before; falling back to the
//!   earlier value would give another result once compaction removed it.
//! - Of several tasks with one name the owner is the one whose claim came
//!   first: the offset of the record that took the name, carried on by modifies
//!   that leave the name alone. Names do not touch delivery; the registry's
//!   actor undoes losing claims.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::log::LogRecord;
use super::log_record::{KeyKind, RunValue, SpecValue, WriteId};
use super::replicas::SeenReplicas;
use super::topic_notes::NotesByTopic;
use crate::task::{RunState, Task, TaskId};

#[derive(Clone, Debug)]
struct SpecSlot {
    offset: i64,
    /// `None`: unreadable.
    value: Option<Arc<SpecValue>>,
}

#[derive(Clone, Debug)]
struct RunSlot {
    /// `None`: unreadable.
    write: Option<WriteId>,
    state: RunState,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    spec: Option<SpecSlot>,
    run: Option<RunSlot>,
}

impl Slot {
    /// The task and its name's claim, if the keys make one.
    fn live(&self) -> Option<(Task, i64)> {
        let spec = self.spec.as_ref()?;
        let value = spec.value.as_ref()?;
        let run = match (&self.run, &value.base) {
            (Some(run), _) => run.state,
            (None, None) => RunState::Running,
            (None, Some(_)) => return None,
        };
        let task = Task {
            spec: Arc::clone(&value.spec),
            run,
        };
        Some((task, value.claim.unwrap_or(spec.offset)))
    }

    /// Whether a spec is there that this version cannot read.
    fn unreadable(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.value.is_none())
    }
}

/// What applying one record did.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The task that the record is about.
    pub task: TaskId,
    /// Which of its keys.
    pub kind: KeyKind,
    /// The write; `None` for tombstones and unreadable values.
    pub write: Option<WriteId>,
    /// Whether the record is a tombstone.
    pub tombstone: bool,
    /// Before the record, the keys were those of no task, or of a deleted one.
    pub was_gone: bool,
    /// The spec that the record replaced, and its name's claim.
    pub replaced: Option<(Arc<SpecValue>, i64)>,
}

/// All tasks as of one position in the log.
#[derive(Clone, Debug, Default)]
pub struct Table {
    slots: HashMap<TaskId, Slot>,
    names: HashMap<String, BTreeSet<(i64, TaskId)>>,
    position: i64,
    live: usize,
    notes: NotesByTopic,
    replicas: SeenReplicas,
    warned_unknown_key: bool,
}

impl Table {
    /// The offset of the next record to apply.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Moves on to `position`, over records that compaction removed.
    pub fn advance(&mut self, position: i64) {
        self.position = self.position.max(position);
    }

    /// Applies the record at `offset`. `None`: not about a task.
    pub fn apply(&mut self, offset: i64, record: &LogRecord) -> Option<Applied> {
        self.advance(offset.saturating_add(1));
        let Some((kind, task)) = KeyKind::parse(&record.key) else {
            if self.notes.apply(offset, record) || self.replicas.apply(record) {
                return None;
            }
            self.warn_unknown_key(offset, &record.key);
            return None;
        };
        let mut slot = self.slots.remove(&task).unwrap_or_default();
        let before = slot.live();
        let was_unreadable = slot.unreadable();
        let replaced = match (&slot.spec, kind) {
            (Some(spec), KeyKind::Spec) => {
                let value = spec.value.clone();
                value.map(|value| (Arc::clone(&value), value.claim.unwrap_or(spec.offset)))
            }
            _ => None,
        };
        let value = record.value.as_deref();
        let write = match kind {
            KeyKind::Spec => {
                slot.spec = value.map(|value| read_spec(offset, &task, value));
                let value = slot.spec.as_ref().and_then(|spec| spec.value.as_ref());
                value.map(|value| value.write.clone())
            }
            KeyKind::Run => {
                slot.run = value.map(|value| read_run(offset, &task, value));
                slot.run.as_ref().and_then(|run| run.write.clone())
            }
        };
        let was_gone = before.is_none() && !was_unreadable;
        self.index(&task, before, slot.live());
        if slot.spec.is_some() || slot.run.is_some() {
            self.slots.insert(task.clone(), slot);
        }
        Some(Applied {
            task,
            kind,
            write,
            tombstone: value.is_none(),
            was_gone,
            replaced,
        })
    }

    /// The replicas that told of themselves.
    pub(super) fn replicas(&self) -> &SeenReplicas {
        &self.replicas
    }

    /// What is known of topics.
    pub(super) fn notes(&self) -> &NotesByTopic {
        &self.notes
    }

    /// The task, if it exists.
    pub fn task(&self, id: &TaskId) -> Option<Task> {
        self.live(id).map(|(task, _)| task)
    }

    /// The task and the offset of its name's claim.
    pub fn live(&self, id: &TaskId) -> Option<(Task, i64)> {
        self.slots.get(id)?.live()
    }

    /// How many tasks exist.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether no task exists.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether the log holds anything about the id.
    pub fn has_records(&self, id: &TaskId) -> bool {
        self.slots.contains_key(id)
    }

    /// Whether the task has a spec that this version cannot read.
    pub fn is_unreadable(&self, id: &TaskId) -> bool {
        self.slots.get(id).is_some_and(Slot::unreadable)
    }

    /// The readable spec, whether or not it makes a task.
    pub fn spec_value(&self, id: &TaskId) -> Option<&Arc<SpecValue>> {
        self.slots.get(id)?.spec.as_ref()?.value.as_ref()
    }

    /// The write behind the run state.
    pub fn run_write(&self, id: &TaskId) -> Option<&WriteId> {
        self.slots.get(id)?.run.as_ref()?.write.as_ref()
    }

    /// Who has the name.
    pub fn owner(&self, name: &str) -> Option<&TaskId> {
        self.names.get(name)?.first().map(|(_, id)| id)
    }

    /// Every task with its name's claim, by id.
    pub fn all(&self) -> Vec<(Task, i64)> {
        let mut all: Vec<_> = self.slots.values().filter_map(Slot::live).collect();
        all.sort_by(|(a, _), (b, _)| a.spec.task_id.cmp(&b.spec.task_id));
        all
    }

    /// Keeps the name index and the count in step with one task's change.
    fn index(&mut self, id: &TaskId, before: Option<(Task, i64)>, after: Option<(Task, i64)>) {
        if let Some((task, claim)) = before {
            self.live -= 1;
            if let Some(claims) = self.names.get_mut(&task.spec.name) {
                claims.remove(&(claim, id.clone()));
                if claims.is_empty() {
                    self.names.remove(&task.spec.name);
                }
            }
        }
        if let Some((task, claim)) = after {
            self.live += 1;
            let claims = self.names.entry(task.spec.name.clone()).or_default();
            claims.insert((claim, id.clone()));
        }
    }

    fn warn_unknown_key(&mut self, offset: i64, key: &[u8]) {
        if !self.warned_unknown_key {
            self.warned_unknown_key = true;
            let key = String::from_utf8_lossy(&key[..key.len().min(64)]);
            tracing::warn!(offset, %key, "ignoring records with unknown keys in the registry's log");
        }
    }
}

fn read_spec(offset: i64, task: &TaskId, value: &[u8]) -> SpecSlot {
    let value = match SpecValue::parse(task, value) {
        Ok(value) => Some(Arc::new(value)),
        Err(error) => {
            tracing::error!(offset, %task, %error, "a task's spec is unreadable: the task is left out");
            None
        }
    };
    SpecSlot { offset, value }
}

fn read_run(offset: i64, task: &TaskId, value: &[u8]) -> RunSlot {
    match RunValue::parse(value) {
        Ok(value) => RunSlot {
            write: Some(value.write),
            state: value.state,
        },
        Err(error) => {
            tracing::error!(offset, %task, %error, "a task's run state is unreadable: taken as paused");
            RunSlot {
                write: None,
                state: RunState::Paused,
            }
        }
    }
}
