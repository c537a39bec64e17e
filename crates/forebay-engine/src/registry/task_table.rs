//! The task table that every thread reads and only the registry's actor writes.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use dashmap::DashMap;

use crate::task::{RunState, Task, TaskId, TaskSpec};

const RUNNING: u8 = 0;
const PAUSED: u8 = 1;
const DELETED: u8 = 2;

/// What a task keeps through its modifications.
#[derive(Default)]
struct Core {
    state: AtomicU8,
    extension: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// One task, as the table holds it.
///
/// The spec is that of the moment of the look-up; the run state is always the
/// present one, also through a reference kept from before: nothing caches it.
pub struct TaskEntry {
    spec: Arc<TaskSpec>,
    claim: i64,
    core: Arc<Core>,
}

impl TaskEntry {
    /// Everything but the run state.
    pub fn spec(&self) -> &Arc<TaskSpec> {
        &self.spec
    }

    /// Whether messages are taken now. False also once the task is deleted.
    pub fn is_running(&self) -> bool {
        self.core.state.load(Ordering::Acquire) == RUNNING
    }

    /// Whether the task has been deleted since the look-up.
    pub fn is_deleted(&self) -> bool {
        self.core.state.load(Ordering::Acquire) == DELETED
    }

    /// A place for what delivery hangs on a task (resolved topic, metric
    /// handles). Survives modifies and pauses, goes with the deletion.
    pub fn extension(&self) -> &OnceLock<Arc<dyn Any + Send + Sync>> {
        &self.core.extension
    }

    /// The task as of now. A deleted one is shown as paused.
    pub fn task(&self) -> Task {
        let run = if self.is_running() {
            RunState::Running
        } else {
            RunState::Paused
        };
        Task {
            spec: Arc::clone(&self.spec),
            run,
        }
    }
}

impl fmt::Debug for TaskEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskEntry")
            .field("spec", &self.spec)
            .field("running", &self.is_running())
            .finish_non_exhaustive()
    }
}

/// A cheap, shared reference to a table's entry.
#[derive(Clone, Debug)]
pub struct TaskRef(Arc<TaskEntry>);

impl Deref for TaskRef {
    type Target = TaskEntry;

    fn deref(&self) -> &TaskEntry {
        &self.0
    }
}

/// What happened to a task, told to observers after the table shows it.
#[derive(Clone, Debug)]
pub enum TaskChange {
    /// A task is new.
    Added(TaskRef),
    /// A task's spec changed.
    Modified(TaskRef),
    /// A task was paused or resumed.
    RunState(TaskRef),
    /// A task is gone.
    Removed(TaskRef),
}

/// Called on the registry's thread after each change; must not block.
pub type TaskObserver = Arc<dyn Fn(&TaskChange) + Send + Sync>;

/// All tasks by access point. Clones share one table.
#[derive(Clone, Default)]
pub struct TaskTable {
    by_datahub: Arc<DashMap<String, TaskRef>>,
}

impl TaskTable {
    /// The task behind an access point: one read of the map, no allocation.
    pub fn lookup(&self, datahub_id: &str) -> Option<TaskRef> {
        self.by_datahub
            .get(datahub_id)
            .map(|entry| TaskRef::clone(&entry))
    }

    /// The task with this id.
    pub fn by_task_id(&self, task_id: &str) -> Option<Task> {
        let id = TaskId::parse(task_id)?;
        self.lookup(id.datahub_id().as_str())
            .map(|entry| entry.task())
    }

    /// The task that owns this name. Looks at every task: not for hot paths.
    pub fn by_name(&self, name: &str) -> Option<Task> {
        let mut owner: Option<TaskRef> = None;
        for entry in self.by_datahub.iter() {
            let rank = |task: &TaskRef| (task.claim, task.spec.task_id.clone());
            if entry.spec.name == name
                && owner
                    .as_ref()
                    .is_none_or(|owner| rank(&entry) < rank(owner))
            {
                owner = Some(entry.clone());
            }
        }
        owner.map(|entry| entry.task())
    }

    /// Every task, by creation time and id. Not one moment's picture: changes
    /// made meanwhile may or may not show.
    pub fn all(&self) -> Vec<Task> {
        let mut all: Vec<Task> = self.by_datahub.iter().map(|entry| entry.task()).collect();
        all.sort_by(|a, b| {
            (a.spec.created_ms, &a.spec.task_id).cmp(&(b.spec.created_ms, &b.spec.task_id))
        });
        all
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.by_datahub.len()
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.by_datahub.is_empty()
    }

    /// Running and paused tasks.
    pub fn counts(&self) -> (usize, usize) {
        let running = self
            .by_datahub
            .iter()
            .filter(|entry| entry.is_running())
            .count();
        (running, self.by_datahub.len().saturating_sub(running))
    }

    /// Shows `task`; returns what changed by it.
    pub(super) fn put(&self, task: &Task, claim: i64) -> Option<TaskChange> {
        let key = task.spec.datahub_id();
        let state = match task.run {
            RunState::Running => RUNNING,
            RunState::Paused => PAUSED,
        };
        let Some(old) = self.lookup(key.as_str()) else {
            let core = Core {
                state: AtomicU8::new(state),
                extension: OnceLock::new(),
            };
            let entry = entry(task, claim, Arc::new(core));
            self.by_datahub.insert(key.into(), entry.clone());
            return Some(TaskChange::Added(entry));
        };
        // Release, against the Acquire of readers: who is told of the pause
        // knows that every later look at the flag sees it.
        let before = old.core.state.swap(state, Ordering::AcqRel);
        if old.spec == task.spec && old.claim == claim {
            return (before != state).then_some(TaskChange::RunState(old));
        }
        let entry = entry(task, claim, Arc::clone(&old.core));
        self.by_datahub.insert(key.into(), entry.clone());
        Some(TaskChange::Modified(entry))
    }

    /// Takes a task away.
    pub(super) fn remove(&self, id: &TaskId) -> Option<TaskChange> {
        let (_, entry) = self.by_datahub.remove(id.datahub_id().as_str())?;
        entry.core.state.store(DELETED, Ordering::Release);
        Some(TaskChange::Removed(entry))
    }

    /// The ids of all tasks that are not in `keep`.
    pub(super) fn others(&self, keep: &HashSet<TaskId>) -> Vec<TaskId> {
        self.by_datahub
            .iter()
            .map(|entry| entry.spec.task_id.clone())
            .filter(|id| !keep.contains(id))
            .collect()
    }
}

fn entry(task: &Task, claim: i64, core: Arc<Core>) -> TaskRef {
    TaskRef(Arc::new(TaskEntry {
        spec: Arc::clone(&task.spec),
        claim,
        core,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{NewTask, Target, TargetKind};

    fn task(name: &str) -> Task {
        let target = Target {
            kind: TargetKind::Kafka,
            instance: "ckafka-forebay0".into(),
            topic: "t".into(),
            auto_create: false,
            partition_num: None,
        };
        let spec = NewTask::new(name, target).into_spec(TaskId::random(), 5);
        Task {
            spec: Arc::new(spec),
            run: RunState::Running,
        }
    }

    #[test]
    fn a_kept_reference_sees_pause_and_deletion_and_the_extension_stays() {
        let table = TaskTable::default();
        let mut task = task("a");
        assert!(matches!(table.put(&task, 0), Some(TaskChange::Added(_))));
        let datahub = task.spec.datahub_id();
        let kept = table.lookup(datahub.as_str()).unwrap();
        kept.extension().set(Arc::new(42_u32)).unwrap();

        task.run = RunState::Paused;
        assert!(matches!(table.put(&task, 0), Some(TaskChange::RunState(_))));
        assert!(!kept.is_running());
        assert!(table.put(&task, 0).is_none(), "nothing changed");

        let mut spec = TaskSpec::clone(&task.spec);
        spec.name = "b".into();
        task.spec = Arc::new(spec);
        assert!(matches!(table.put(&task, 3), Some(TaskChange::Modified(_))));
        let fresh = table.lookup(datahub.as_str()).unwrap();
        assert_eq!(fresh.spec().name, "b");
        assert!(!fresh.is_running());
        let extension = fresh.extension().get().unwrap();
        assert_eq!(extension.downcast_ref::<u32>(), Some(&42));

        task.run = RunState::Running;
        table.put(&task, 3);
        assert!(kept.is_running());
        table.remove(&task.spec.task_id);
        assert!(kept.is_deleted() && !kept.is_running());
        assert!(table.lookup(datahub.as_str()).is_none());
    }

    #[test]
    fn the_first_claim_owns_a_name() {
        let table = TaskTable::default();
        let (late, early) = (task("same"), task("same"));
        table.put(&late, 9);
        table.put(&early, 2);
        let owner = table.by_name("same").unwrap();
        assert_eq!(owner.spec.task_id, early.spec.task_id);
        assert_eq!(table.all().len(), 2);
        assert_eq!(table.counts(), (2, 0));
        assert_eq!(
            table.by_task_id(late.spec.task_id.as_str()),
            Some(late.clone())
        );
    }
}
