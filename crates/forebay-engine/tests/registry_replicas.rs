//! Several registries on one log: what one answers, all come to show.
#![allow(clippy::unwrap_used, reason = "a failed test is what it says")]

mod registry_support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use forebay_engine::registry::{
    AppendFault, MemoryLog, NoteTopic, Registry, RegistryError, TaskChange, TopicKey, TopicNotes,
};
use forebay_engine::task::{RunState, TaskId};
use futures_util::future::{LocalBoxFuture, join, join_all};
use registry_support::*;

#[actix::test]
async fn a_restart_keeps_everything() {
    let log = MemoryLog::new();
    let first = started(&log).await;
    let paused = id(&create(&first, "paused").await.unwrap());
    let running = id(&create(&first, "running").await.unwrap());
    let gone = id(&create(&first, "gone").await.unwrap());
    assert_eq!(pause(&first, &paused).await.unwrap().run, RunState::Paused);
    rename(&first, &running, "renamed").await.unwrap();
    delete(&first, &gone).await.unwrap();
    let before = first.table.all();
    drop(first);

    log.compact(true);
    let second = started(&log).await;
    assert_eq!(second.table.all(), before);
    let entry = second.table.lookup(paused.datahub_id().as_str()).unwrap();
    assert!(!entry.is_running());
    assert_eq!(
        second.table.by_name("renamed").unwrap().run,
        RunState::Running
    );
    assert!(second.table.by_task_id(gone.as_str()).is_none());
}

#[actix::test]
async fn notes_of_topics_are_shared_kept_and_forgotten() {
    let log = MemoryLog::new();
    let (near, far) = join(started(&log), async { started(&log.replica()).await }).await;
    let key = TopicKey::new("ckafka-forebay0", "orders");
    let notes = |note: &str| TopicNotes {
        note: note.to_owned(),
        created_ms: 7,
        ..TopicNotes::default()
    };
    let set = async |registry: &Registry, notes: Option<TopicNotes>| {
        let key = key.clone();
        registry
            .addr()
            .send(NoteTopic { key, notes })
            .await
            .unwrap()
    };
    for note in ["first", "second"] {
        set(&near, Some(notes(note))).await.unwrap();
        assert_eq!(near.notes.get(&key), notes(note), "when it is answered");
        eventually("the other replica shows it", || {
            far.notes.get(&key) == notes(note)
        })
        .await;
    }
    let other = TopicKey::new("ckafka-forebay0", "order");
    assert_eq!(near.notes.get(&other), TopicNotes::default());
    log.compact(true);
    let third = started(&log.replica()).await;
    assert_eq!(third.notes.get(&key), notes("second"));
    assert!(third.table.all().is_empty(), "they are no tasks");
    set(&far, None).await.unwrap();
    assert_eq!(far.notes.get(&key), TopicNotes::default());
    eventually("all forget it", || {
        near.notes.get(&key) == TopicNotes::default()
    })
    .await;

    log.fail_appends([AppendFault::NotStored]);
    let refused = set(&near, Some(notes("lost"))).await;
    assert!(
        matches!(refused, Err(RegistryError::NotStored(_))),
        "{refused:?}"
    );
    assert_eq!(near.notes.get(&key), TopicNotes::default());
}

#[actix::test]
async fn a_pause_is_in_force_when_it_is_answered() {
    let log = MemoryLog::new();
    let (near, far) = join(started(&log), async { started(&log.replica()).await }).await;
    let task = id(&create(&near, "a").await.unwrap());
    let datahub = task.datahub_id();
    let kept = near.table.lookup(datahub.as_str()).unwrap();
    for _ in 0..20 {
        pause(&near, &task).await.unwrap();
        assert!(!kept.is_running());
        assert!(!near.table.lookup(datahub.as_str()).unwrap().is_running());
        let shown = || far.table.lookup(datahub.as_str());
        eventually("the pause on the other replica", || {
            shown().is_some_and(|entry| !entry.is_running())
        })
        .await;
        // Already so: succeeds.
        assert_eq!(pause(&far, &task).await.unwrap().run, RunState::Paused);
        assert_eq!(resume(&far, &task).await.unwrap().run, RunState::Running);
        assert_eq!(resume(&far, &task).await.unwrap().run, RunState::Running);
        eventually("the resume on the first replica", || kept.is_running()).await;
    }
}

#[actix::test]
async fn unknown_tasks_names_taken_and_fixed_ids_are_told() {
    let log = MemoryLog::new();
    let registry = started(&log).await;
    let nobody = TaskId::random();
    let missing = Err(RegistryError::NotFound(nobody.to_string()));
    assert_eq!(pause(&registry, &nobody).await, missing);
    assert_eq!(delete(&registry, &nobody).await, missing);
    assert_eq!(rename(&registry, &nobody, "x").await, missing);
    let task = id(&create(&registry, "a").await.unwrap());
    let taken = Err(RegistryError::NameTaken("a".into()));
    assert_eq!(create(&registry, "a").await, taken);
    let other = id(&create(&registry, "b").await.unwrap());
    assert_eq!(rename(&registry, &other, "a").await, taken);
    // Its own name is no conflict.
    assert!(rename(&registry, &task, "a").await.is_ok());

    let mut spec = new_task("quickstart");
    spec.task_id = TaskId::parse("task-forebay0");
    let message = forebay_engine::registry::CreateTask { spec };
    let created = registry
        .addr()
        .send(message.clone())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(created.spec.datahub_id().as_str(), "datahub-forebay0");
    let mut again = message;
    again.spec.name = "other".into();
    let refused = registry.addr().send(again).await.unwrap();
    assert_eq!(refused, Err(RegistryError::IdTaken("task-forebay0".into())));
}

#[actix::test]
async fn observers_hear_each_change_after_the_table_shows_it() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let observer = Arc::new(move |change: &TaskChange| {
        sink.lock().unwrap().push(match change {
            TaskChange::Added(task) => format!("added {}", task.spec().name),
            TaskChange::Modified(task) => format!("modified {}", task.spec().name),
            TaskChange::RunState(task) => format!("running {}", task.is_running()),
            TaskChange::Removed(task) => format!("removed {}", task.is_deleted()),
        });
    });
    let log = Arc::new(MemoryLog::new());
    let registry = Registry::start(log, config(), vec![observer]);
    registry.status.settled().await.unwrap();
    let task = id(&create(&registry, "a").await.unwrap());
    pause(&registry, &task).await.unwrap();
    rename(&registry, &task, "b").await.unwrap();
    delete(&registry, &task).await.unwrap();
    assert_eq!(
        *heard.lock().unwrap(),
        ["added a", "running false", "modified b", "removed true"]
    );
}

#[actix::test]
async fn concurrent_modifies_of_different_fields_all_take_effect() {
    let log = MemoryLog::new();
    let (one, two) = join(started(&log), async { started(&log.replica()).await }).await;
    let task = id(&create(&one, "a").await.unwrap());
    agree(&[&one, &two]).await;
    for round in 0..50 {
        let (name, text) = (format!("name{round}"), format!("text {round}"));
        let (renamed, described) =
            join(rename(&one, &task, &name), describe(&two, &task, &text)).await;
        renamed.unwrap();
        described.unwrap();
        agree(&[&one, &two]).await;
        let shown = one.table.by_task_id(task.as_str()).unwrap();
        assert_eq!((&shown.spec.name, &shown.spec.description), (&name, &text));
    }
}

#[actix::test]
async fn one_name_goes_to_one_task() {
    let log = MemoryLog::new();
    let (one, two) = join(started(&log), async { started(&log.replica()).await }).await;
    for round in 0..30 {
        let name = format!("name{round}");
        let creations = (0..6).map(|n| create(if n % 2 == 0 { &one } else { &two }, &name));
        let replies = join_all(creations).await;
        let won: Vec<_> = replies.iter().flatten().collect();
        assert_eq!(won.len(), 1, "{replies:?}");
        let taken = Err(RegistryError::NameTaken(name.clone()));
        assert_eq!(replies.iter().filter(|reply| **reply == taken).count(), 5);
        agree(&[&one, &two]).await;
        let named = two
            .table
            .all()
            .into_iter()
            .filter(|task| task.spec.name == name);
        assert_eq!(
            named.map(|task| id(&task)).collect::<Vec<_>>(),
            [id(won[0])]
        );
    }
    let third = started(&log.replica()).await;
    assert_eq!(third.table.all(), one.table.all());
}

#[actix::test]
async fn a_rename_that_loses_is_undone() {
    let log = MemoryLog::new();
    let (one, two) = join(started(&log), async { started(&log.replica()).await }).await;
    let a = id(&create(&one, "a").await.unwrap());
    let b = id(&create(&one, "b").await.unwrap());
    agree(&[&one, &two]).await;
    for round in 0..30 {
        let name = format!("name{round}");
        let before: HashMap<_, _> = [&a, &b]
            .map(|id| {
                (
                    id.clone(),
                    one.table.by_task_id(id.as_str()).unwrap().spec.name.clone(),
                )
            })
            .into();
        let (first, second) = join(rename(&one, &a, &name), rename(&two, &b, &name)).await;
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let loser = if first.is_ok() { &b } else { &a };
        agree(&[&one, &two]).await;
        let shown = one.table.by_task_id(loser.as_str()).unwrap();
        assert_eq!(shown.spec.name, before[loser]);
        assert_ne!(one.table.by_name(&name).unwrap().spec.task_id, *loser);
    }
}

#[actix::test]
async fn what_crosses_a_deletion_does_not_bring_the_task_back() {
    let log = MemoryLog::new();
    let (one, two) = join(started(&log), async { started(&log.replica()).await }).await;
    for round in 0..30 {
        let task = id(&create(&one, &format!("name{round}")).await.unwrap());
        agree(&[&one, &two]).await;
        let (deleted, crossed) = join(
            delete(&one, &task),
            join_all::<[LocalBoxFuture<'_, _>; 3]>([
                Box::pin(describe(&two, &task, "late")),
                Box::pin(pause(&two, &task)),
                Box::pin(resume(&two, &task)),
            ]),
        )
        .await;
        deleted.unwrap();
        for reply in crossed {
            assert!(matches!(reply, Ok(_) | Err(RegistryError::NotFound(_))));
        }
        agree(&[&one, &two]).await;
        assert!(one.table.by_task_id(task.as_str()).is_none());
    }
    // Nothing of the tasks stays in the log but tombstones.
    log.compact(false);
    eventually("an empty log", || {
        log.compact(false);
        log.records()
            .iter()
            .all(|(_, record)| record.value.is_none())
    })
    .await;
}

/// What was answered `Ok`.
#[derive(Debug)]
enum Done {
    Created(TaskId),
    Deleted(TaskId),
    Paused(TaskId),
    Other,
}

async fn mixed_call(
    n: usize,
    registry: &Registry,
    tasks: &[TaskId],
) -> Result<Done, RegistryError> {
    let task = &tasks[n / 7 % tasks.len()];
    // Odd tasks are never resumed: an answered pause stays in force.
    let resumable = (n / 7 % tasks.len()).is_multiple_of(2);
    match n % 7 {
        0 => create(registry, &format!("new{}", n % 301))
            .await
            .map(|t| Done::Created(id(&t))),
        1 => rename(registry, task, &format!("renamed{}", n % 211))
            .await
            .map(|_| Done::Other),
        2 | 3 => {
            let paused = pause(registry, task).await?;
            assert_eq!(paused.run, RunState::Paused);
            if !resumable && let Some(shown) = registry.table.by_task_id(task.as_str()) {
                assert_eq!(shown.run, RunState::Paused, "answered, so in force");
            }
            Ok(Done::Paused(task.clone()))
        }
        4 if resumable => resume(registry, task).await.map(|_| Done::Other),
        5 if n.is_multiple_of(5) => delete(registry, task)
            .await
            .map(|_| Done::Deleted(task.clone())),
        _ => describe(registry, task, &format!("text {n}"))
            .await
            .map(|_| Done::Other),
    }
}

async fn a_thousand_mixed_calls(compacting: bool) {
    let log = MemoryLog::new();
    let (one, two) = join(started(&log), async { started(&log.replica()).await }).await;
    let names: Vec<_> = (0..40).map(|n| format!("start{n}")).collect();
    let created = join_all(names.iter().map(|name| create(&one, name))).await;
    let tasks: Vec<_> = created.into_iter().map(|task| id(&task.unwrap())).collect();
    agree(&[&one, &two]).await;

    let calls = (0..1000).map(|n| mixed_call(n, if n / 3 % 2 == 0 { &one } else { &two }, &tasks));
    let cleaner = async {
        if compacting {
            loop {
                log.compact(false);
                tokio::task::yield_now().await;
            }
        }
        std::future::pending::<()>().await;
    };
    let replies = tokio::select! {
        replies = join_all(calls) => replies,
        () = cleaner => unreachable!(),
    };
    agree(&[&one, &two]).await;
    let third = started(&log.replica()).await;
    assert_eq!(third.table.all(), one.table.all());

    let mut done = [0; 4];
    for reply in &replies {
        match reply {
            Ok(Done::Created(id)) => {
                done[0] += 1;
                assert!(third.table.by_task_id(id.as_str()).is_some());
            }
            Ok(Done::Deleted(id)) => {
                done[1] += 1;
                assert!(third.table.by_task_id(id.as_str()).is_none());
            }
            Ok(Done::Paused(id)) => {
                done[2] += 1;
                let odd = tasks.iter().position(|task| task == id).unwrap() % 2 == 1;
                if let Some(shown) = third.table.by_task_id(id.as_str())
                    && odd
                {
                    assert_eq!(shown.run, RunState::Paused);
                }
            }
            Ok(Done::Other) => done[3] += 1,
            Err(RegistryError::NotFound(_) | RegistryError::NameTaken(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(done.iter().all(|count| *count > 5), "{done:?}");
    let mut names: Vec<_> = third
        .table
        .all()
        .iter()
        .map(|task| task.spec.name.clone())
        .collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "names are unique");
}

#[actix::test]
async fn a_thousand_mixed_calls_leave_all_replicas_the_same() {
    a_thousand_mixed_calls(false).await;
}

#[actix::test]
async fn a_thousand_mixed_calls_while_the_log_is_compacted() {
    a_thousand_mixed_calls(true).await;
}
