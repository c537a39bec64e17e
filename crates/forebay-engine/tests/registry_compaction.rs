//! The registry's table is a pure function of its log, with the same result
//! on every compacted form of it.
#![allow(clippy::unwrap_used, reason = "a failed test is what it says")]

use std::collections::HashMap;
use std::sync::Arc;

use forebay_engine::registry::LogRecord;
use forebay_engine::registry::log_record::{KeyKind, RunValue, SpecValue, Stamps, WriteId};
use forebay_engine::registry::table::Table;
use forebay_engine::task::{RunState, Target, TargetKind, Task, TaskId, TaskSpec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

type Log = Vec<(i64, LogRecord)>;
/// What a table says: the tasks with their claims, and who owns each name.
type View = (Vec<(Task, i64)>, Vec<Option<TaskId>>);

const NAMES: [&str; 3] = ["red", "green", "blue"];

fn task_id(index: u8) -> TaskId {
    TaskId::parse(&format!("task-0000000{index}")).unwrap()
}

/// Whole calls, and single records as torn interleavings and duplicates of
/// calls leave them.
#[derive(Clone, Debug)]
enum Event {
    Create(u8, usize),
    Modify(u8, usize, Option<i64>),
    Run(u8, RunState),
    Delete(u8),
    Tombstone(u8, KeyKind),
    Unreadable(u8, KeyKind),
    UnknownKey,
    /// The record `n` places back once more.
    Again(usize),
}

fn spec(task: u8, name: usize, base: Option<WriteId>, claim: Option<i64>) -> LogRecord {
    let target = Target {
        kind: TargetKind::Kafka,
        instance: "ckafka-forebay0".into(),
        topic: "t".into(),
        auto_create: false,
        partition_num: None,
    };
    let write = WriteId::random();
    let spec = TaskSpec {
        task_id: task_id(task),
        name: NAMES[name].into(),
        // Every write shows, so that a stale one cannot pass for the latest.
        description: write.to_string(),
        target,
        qps_limit: 0,
        created_ms: 1,
        tags: Vec::new(),
        tasks_max: 1,
        sync_throttle_limit: 20,
        auto_expand: true,
    };
    let value = SpecValue {
        write,
        base,
        claim,
        stamps: Stamps::default(),
        spec: Arc::new(spec),
        extra: serde_json::Map::new(),
    };
    value.to_record()
}

fn run(task: u8, state: RunState) -> LogRecord {
    let value = RunValue {
        write: WriteId::random(),
        state,
    };
    value.to_record(&task_id(task))
}

fn log_of(events: &[Event]) -> Log {
    let mut records: Vec<LogRecord> = Vec::new();
    for event in events {
        match event {
            Event::Create(task, name) => {
                records.push(run(*task, RunState::Running));
                records.push(spec(*task, *name, None, None));
            }
            Event::Modify(task, name, claim) => {
                records.push(spec(*task, *name, Some(WriteId::random()), *claim));
            }
            Event::Run(task, state) => records.push(run(*task, *state)),
            Event::Delete(task) => {
                records.push(KeyKind::Spec.tombstone(&task_id(*task)));
                records.push(KeyKind::Run.tombstone(&task_id(*task)));
            }
            Event::Tombstone(task, kind) => records.push(kind.tombstone(&task_id(*task))),
            Event::Unreadable(task, kind) => records.push(LogRecord {
                value: Some(b"{\"write\":1}".to_vec()),
                ..kind.tombstone(&task_id(*task))
            }),
            Event::UnknownKey => records.push(LogRecord {
                key: b"colour/task-00000001".to_vec(),
                value: Some(b"{}".to_vec()),
            }),
            Event::Again(back) => {
                if let Some(index) = records.len().checked_sub(1 + back) {
                    records.push(records[index].clone());
                }
            }
        }
    }
    (0_i64..).zip(records).collect()
}

fn event() -> impl Strategy<Value = Event> {
    let task = 0_u8..4;
    let name = 0..NAMES.len();
    let state = prop_oneof![Just(RunState::Running), Just(RunState::Paused)];
    let kind = prop_oneof![Just(KeyKind::Spec), Just(KeyKind::Run)];
    prop_oneof![
        4 => (task.clone(), name.clone()).prop_map(|(t, n)| Event::Create(t, n)),
        4 => (task.clone(), name, prop::option::of(0_i64..20))
            .prop_map(|(t, n, c)| Event::Modify(t, n, c)),
        6 => (task.clone(), state).prop_map(|(t, s)| Event::Run(t, s)),
        2 => task.clone().prop_map(Event::Delete),
        1 => (task.clone(), kind.clone()).prop_map(|(t, k)| Event::Tombstone(t, k)),
        1 => (task, kind).prop_map(|(t, k)| Event::Unreadable(t, k)),
        1 => Just(Event::UnknownKey),
        2 => (0_usize..6).prop_map(Event::Again),
    ]
}

/// One run of a cleaner over the segments before `cut`.
#[derive(Clone, Debug)]
struct Pass {
    cut: prop::sample::Index,
    /// Which superseded records it leaves all the same, cycled.
    leaves: Vec<bool>,
    /// Whether tombstones are old enough to go.
    tombstones: bool,
}

fn pass() -> impl Strategy<Value = Pass> {
    let leaves = prop::collection::vec(any::<bool>(), 1..20);
    (any::<prop::sample::Index>(), leaves, any::<bool>()).prop_map(|(cut, leaves, tombstones)| {
        Pass {
            cut,
            leaves,
            tombstones,
        }
    })
}

/// Kafka's promise: order and offsets stay; of each key at least the latest
/// record stays, unless it is a tombstone all of whose predecessors are gone.
/// Tombstones at `keep_from` or later stay.
fn compact(log: &Log, pass: &Pass, keep_from: i64) -> Log {
    let cut = pass.cut.index(log.len() + 1);
    let mut latest = HashMap::new();
    for (index, (_, record)) in log[..cut].iter().enumerate() {
        latest.insert(&record.key, index);
    }
    let mut kept = Log::new();
    for (index, (offset, record)) in log.iter().enumerate() {
        let superseded = index < cut && latest[&record.key] != index;
        if superseded && !pass.leaves[index % pass.leaves.len()] {
            continue;
        }
        let first_of_key = !kept.iter().any(|(_, earlier)| earlier.key == record.key);
        let old_tombstone = index < cut
            && !superseded
            && record.value.is_none()
            && pass.tombstones
            && *offset < keep_from;
        if old_tombstone && first_of_key {
            continue;
        }
        kept.push((*offset, record.clone()));
    }
    kept
}

fn view(table: &Table) -> View {
    let owners = NAMES.iter().map(|name| table.owner(name).cloned());
    (table.all(), owners.collect())
}

fn correct(log: &Log) -> View {
    let mut table = Table::default();
    for (offset, record) in log {
        table.apply(*offset, record);
    }
    view(&table)
}

/// A plausible mistake: what has no spec yet is not worth remembering.
fn forgetful(log: &Log) -> View {
    let mut table = Table::default();
    for (offset, record) in log {
        match KeyKind::parse(&record.key) {
            Some((KeyKind::Run, task)) if table.spec_value(&task).is_none() => {}
            _ => {
                table.apply(*offset, record);
            }
        }
    }
    view(&table)
}

/// Another: an unreadable value is skipped, so that the one before stays.
fn skipping_unreadable(log: &Log) -> View {
    let mut table = Table::default();
    for (offset, record) in log {
        if record.value.as_deref() != Some(b"{\"write\":1}") {
            table.apply(*offset, record);
        }
    }
    view(&table)
}

fn same_on_every_form(applier: fn(&Log) -> View) -> Result<(), String> {
    let mut runner = TestRunner::new(Config {
        cases: 2_000,
        failure_persistence: None,
        ..Config::default()
    });
    let logs = prop::collection::vec(event(), 0..40);
    let passes = prop::collection::vec(pass(), 1..5);
    let result = runner.run(&(logs, passes), |(events, passes)| {
        let log = log_of(&events);
        let whole = applier(&log);
        let mut form = log;
        for pass in &passes {
            form = compact(&form, pass, i64::MAX);
            prop_assert_eq!(&applier(&form), &whole, "form {:?}", form);
        }
        Ok(())
    });
    result.map_err(|error| error.to_string())
}

#[test]
fn every_compacted_form_gives_the_same_table() {
    same_on_every_form(correct).unwrap();
}

#[test]
fn the_property_finds_appliers_that_depend_on_compaction() {
    assert!(same_on_every_form(forgetful).is_err());
    assert!(same_on_every_form(skipping_unreadable).is_err());
}

#[test]
fn compaction_in_front_of_a_tail_changes_nothing() {
    // A tail that has applied the log up to some point, and goes on reading
    // what a cleaner has left from there; tombstones it has not read yet are
    // younger than their retention.
    let mut runner = TestRunner::new(Config {
        cases: 2_000,
        failure_persistence: None,
        ..Config::default()
    });
    let events = prop::collection::vec(event(), 0..40);
    let passes = prop::collection::vec(pass(), 1..5);
    let split = any::<prop::sample::Index>();
    let result = runner.run(&(events, passes, split), |(events, passes, split)| {
        let log = log_of(&events);
        let split = split.index(log.len() + 1);
        let position = i64::try_from(split).unwrap();
        let mut form = log.clone();
        for pass in &passes {
            form = compact(&form, pass, position);
        }
        let mut table = Table::default();
        let rest = form.iter().filter(|(offset, _)| *offset >= position);
        for (offset, record) in log[..split].iter().chain(rest) {
            table.apply(*offset, record);
        }
        prop_assert_eq!(view(&table), correct(&log));
        prop_assert_eq!(table.len(), table.all().len());
        Ok(())
    });
    result.map_err(|error| error.to_string()).unwrap();
}

#[test]
fn a_modify_that_crossed_a_deletion_does_not_bring_the_task_back() {
    let log = log_of(&[
        Event::Create(1, 0),
        Event::Delete(1),
        Event::Modify(1, 1, Some(1)),
    ]);
    assert_eq!(correct(&log).0, Vec::new());
    // Created without a run state (not by us) it runs.
    let alone = vec![(0, spec(1, 0, None, None))];
    assert_eq!(correct(&alone).0[0].0.run, RunState::Running);
}

#[test]
fn a_modify_keeps_the_place_of_the_name() {
    let mut log = log_of(&[Event::Create(1, 0), Event::Create(2, 0)]);
    assert_eq!(correct(&log).1[0], Some(task_id(1)));
    // The first one's record now is the later; compaction takes the earlier.
    log.push((4, spec(1, 0, Some(WriteId::random()), Some(1))));
    log.remove(1);
    assert_eq!(correct(&log).1[0], Some(task_id(1)));
    // A name taken anew is a new claim.
    log.push((5, spec(1, 0, Some(WriteId::random()), None)));
    assert_eq!(correct(&log).1[0], Some(task_id(2)));
}

#[test]
fn an_unreadable_run_state_is_paused() {
    let log = log_of(&[Event::Create(1, 0), Event::Unreadable(1, KeyKind::Run)]);
    assert_eq!(correct(&log).0[0].0.run, RunState::Paused);
}
