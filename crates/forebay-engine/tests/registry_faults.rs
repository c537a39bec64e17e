//! What the log can do to a registry, and what callers are told then.
#![allow(clippy::unwrap_used, reason = "a failed test is what it says")]

mod registry_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Actor;
use forebay_engine::registry::log_record::{KeyKind, RunValue, WriteId};
use forebay_engine::registry::{
    AppendFault, CreateTask, MemoryLog, PauseTask, Registry, RegistryConfig, RegistryError,
    TaskChange, TaskRegistryActor,
};
use forebay_engine::task::{RunState, TaskId};
use futures_util::future::{join, join_all};
use registry_support::*;

async fn with_short_deadline(log: &MemoryLog) -> Registry {
    let registry = start(log, short_deadline());
    registry.status.settled().await.unwrap();
    registry
}

fn paused(registry: &Registry, id: &TaskId) -> bool {
    let task = registry.table.by_task_id(id.as_str()).unwrap();
    task.run == RunState::Paused
}

#[actix::test]
async fn every_outcome_of_an_append_is_told_as_it_is() {
    let log = MemoryLog::new();
    let registry = with_short_deadline(&log).await;
    let task = id(&create(&registry, "a").await.unwrap());

    log.fail_appends([AppendFault::NotStored]);
    let reply = pause(&registry, &task).await;
    assert!(
        matches!(reply, Err(RegistryError::NotStored(_))),
        "{reply:?}"
    );
    assert!(!paused(&registry, &task));

    // Unknown to the appender, but read back: known.
    log.fail_appends([AppendFault::UnknownStored]);
    assert_eq!(pause(&registry, &task).await.unwrap().run, RunState::Paused);
    log.fail_appends([AppendFault::StoredSilent]);
    assert_eq!(
        resume(&registry, &task).await.unwrap().run,
        RunState::Running
    );

    for fault in [AppendFault::UnknownLost, AppendFault::LostSilent] {
        log.fail_appends([fault]);
        let begun = Instant::now();
        let reply = pause(&registry, &task).await;
        assert!(matches!(reply, Err(RegistryError::Unknown(_))), "{reply:?}");
        assert!(begun.elapsed() >= short_deadline().call_deadline);
        assert!(!paused(&registry, &task));
    }

    // Deletions carry no write of their own; the same holds for them.
    for (fault, gone) in [
        (AppendFault::NotStored, false),
        (AppendFault::UnknownLost, false),
        (AppendFault::UnknownStored, true),
    ] {
        log.fail_appends([fault]);
        assert_eq!(delete(&registry, &task).await.is_ok(), gone, "{fault:?}");
        let shown = registry.table.by_task_id(task.as_str());
        assert_eq!(shown.is_none(), gone, "{fault:?}");
    }
}

#[actix::test]
async fn a_slow_append_is_answered_by_its_read_back_and_does_not_hold_up_others() {
    let log = MemoryLog::new();
    let registry = started(&log).await;
    let task = id(&create(&registry, "a").await.unwrap());
    log.delay_appends(Duration::from_secs(600));
    let begun = Instant::now();
    let calls = (0..50).map(|n| describe(&registry, &task, if n % 2 == 0 { "x" } else { "y" }));
    for reply in join_all(calls).await {
        reply.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(600));
}

#[actix::test]
async fn a_stale_tail_keeps_the_last_state_and_says_so() {
    let log = MemoryLog::new();
    let here = log.replica();
    let registry = with_short_deadline(&here).await;
    let other = started(&log).await;
    let task = id(&create(&registry, "a").await.unwrap());
    agree(&[&registry, &other]).await;
    assert_eq!(registry.status.get().problem, None);

    here.set_reachable(false);
    eventually("the problem", || registry.status.get().problem.is_some()).await;
    pause(&other, &task).await.unwrap();
    assert!(!paused(&registry, &task));
    assert!(registry.status.get().loaded);
    let before = registry.status.get().tail_confirmed_ms_ago.unwrap();
    eventually("a growing lag", || {
        registry.status.get().tail_confirmed_ms_ago.unwrap() >= before + 50
    })
    .await;
    // Stored, but not confirmed by the own tail.
    let reply = describe(&registry, &task, "late").await;
    assert!(matches!(reply, Err(RegistryError::Unknown(_))), "{reply:?}");

    here.set_reachable(true);
    agree(&[&registry, &other]).await;
    assert!(paused(&registry, &task));
    eventually("no problem", || registry.status.get().problem.is_none()).await;
    assert!(registry.status.get().tail_confirmed_ms_ago.unwrap() < 60_000);
}

#[actix::test]
async fn an_idle_tail_confirms_itself() {
    let log = MemoryLog::new();
    let registry = started(&log).await;
    for _ in 0..5 {
        eventually("a fresh confirmation", || {
            registry.status.get().tail_confirmed_ms_ago.unwrap() < 20
        })
        .await;
        eventually("an older one", || {
            registry.status.get().tail_confirmed_ms_ago.unwrap() >= 20
        })
        .await;
    }
}

#[actix::test]
async fn a_start_without_the_log_waits_and_recovers() {
    let log = MemoryLog::new();
    log.set_reachable(false);
    let registry = start(&log, config());
    eventually("the problem", || registry.status.get().problem.is_some()).await;
    let status = registry.status.get();
    assert_eq!((status.loaded, status.tail_confirmed_ms_ago), (false, None));
    let reply = create(&registry, "a").await;
    assert!(
        matches!(reply, Err(RegistryError::NotReady(_))),
        "{reply:?}"
    );
    assert_eq!(log.appends(), 0);
    log.set_reachable(true);
    registry.status.settled().await.unwrap();
    create(&registry, "a").await.unwrap();
}

#[actix::test]
async fn a_wrongly_configured_log_is_refused_at_the_start_only() {
    let log = MemoryLog::new();
    let fix = "set cleanup.policy=compact on topic __forebay_tasks";
    log.set_unusable(Some(fix));
    let refused = start(&log, config());
    assert_eq!(refused.status.settled().await, Err(fix.into()));
    assert_eq!(refused.status.get().fatal.as_deref(), Some(fix));

    log.set_unusable(None);
    let running = started(&log).await;
    let task = id(&create(&running, "a").await.unwrap());
    log.set_unusable(Some(fix));
    log.recreate(Vec::new());
    eventually("the problem", || {
        running.status.get().problem.as_deref() == Some(fix)
    })
    .await;
    assert!(running.table.by_task_id(task.as_str()).is_some());
    assert_eq!(running.status.get().fatal, None);
}

#[actix::test]
async fn a_cut_or_recreated_log_is_read_anew() {
    let log = MemoryLog::new();
    let registry = started(&log).await;
    let kept = id(&create(&registry, "kept").await.unwrap());
    let lost = id(&create(&registry, "lost").await.unwrap());
    let records = log.records().into_iter().map(|(_, record)| record);
    let of_kept: Vec<_> = records
        .filter(|record| KeyKind::parse(&record.key).unwrap().1 == kept)
        .collect();
    // Longer and shorter than before.
    let mut longer = of_kept.clone();
    for _ in 0..50 {
        let write = WriteId::random();
        let state = RunState::Paused;
        longer.push(RunValue { write, state }.to_record(&kept));
    }
    log.recreate(longer);
    eventually("the new log", || {
        registry.table.by_task_id(lost.as_str()).is_none() && paused(&registry, &kept)
    })
    .await;
    log.recreate(of_kept);
    eventually("the newer log", || !paused(&registry, &kept)).await;
    pause(&registry, &kept).await.unwrap();
    log.delete_records(3);
    eventually("an empty table", || registry.table.is_empty()).await;
    create(&registry, "after").await.unwrap();
}

#[actix::test]
async fn callers_waiting_while_the_log_is_recreated_are_answered() {
    let log = MemoryLog::new();
    let here = log.replica();
    let registry = with_short_deadline(&here).await;
    let task = id(&create(&registry, "a").await.unwrap());
    here.set_reachable(false);
    eventually("the problem", || registry.status.get().problem.is_some()).await;
    let (reply, ()) = join(pause(&registry, &task), async {
        eventually("the append", || log.records().len() == 3).await;
        // The pause is lost with the old log.
        let mut records: Vec<_> = log
            .records()
            .into_iter()
            .map(|(_, record)| record)
            .collect();
        records.pop();
        log.recreate(records);
        here.set_reachable(true);
    })
    .await;
    assert!(matches!(reply, Err(RegistryError::Unknown(_))), "{reply:?}");
    assert!(!paused(&registry, &task));
}

#[actix::test]
async fn a_tail_that_was_stale_for_long_reloads() {
    let log = MemoryLog::new();
    let here = log.replica();
    let config = RegistryConfig {
        reload_after: Duration::from_millis(100),
        poll_wait: Duration::from_millis(20),
        ..config()
    };
    let stale = start(&here, config);
    stale.status.settled().await.unwrap();
    let other = started(&log).await;
    let gone = id(&create(&other, "gone").await.unwrap());
    create(&other, "stays").await.unwrap();
    agree(&[&stale, &other]).await;
    here.set_reachable(false);
    eventually("the problem", || stale.status.get().problem.is_some()).await;
    delete(&other, &gone).await.unwrap();
    // The tombstones go as well: only a reload can tell.
    log.compact(true);
    eventually("a long time", || {
        stale.status.get().tail_confirmed_ms_ago.unwrap() > 200
    })
    .await;
    assert_eq!(stale.table.len(), 2);
    here.set_reachable(true);
    agree(&[&stale, &other]).await;
    assert_eq!(stale.table.len(), 1);
}

#[actix::test]
async fn a_high_watermark_that_falls_back_takes_nothing_back() {
    let log = MemoryLog::new();
    let config = RegistryConfig {
        reload_after: Duration::from_millis(50),
        poll_wait: Duration::from_millis(10),
        ..config()
    };
    let registry = start(&log, config);
    registry.status.settled().await.unwrap();
    let task = id(&create(&registry, "a").await.unwrap());
    pause(&registry, &task).await.unwrap();
    log.hold_back(1);
    // Not confirmed while the end is out of sight; long enough to reload.
    eventually("staleness", || {
        registry.status.get().tail_confirmed_ms_ago.unwrap() > 300
    })
    .await;
    assert!(paused(&registry, &task));
    log.hold_back(0);
    eventually("confirmation", || {
        registry.status.get().tail_confirmed_ms_ago.unwrap() < 50
    })
    .await;
    assert!(paused(&registry, &task));
}

#[actix::test]
async fn a_record_compacted_away_before_it_was_read_back_is_answered() {
    let log = MemoryLog::new();
    let here = log.replica();
    let registry = started(&here).await;
    let other = started(&log).await;
    let task = id(&create(&registry, "a").await.unwrap());
    let deleted = id(&create(&registry, "b").await.unwrap());
    agree(&[&registry, &other]).await;
    here.set_reachable(false);
    eventually("the problem", || registry.status.get().problem.is_some()).await;
    let calls = join(
        pause(&registry, &task),
        describe(&registry, &deleted, "late"),
    );
    let (replies, ()) = join(calls, async {
        eventually("both appends", || log.appends() == 4).await;
        eventually("both on the other", || paused(&other, &task)).await;
        resume(&other, &task).await.unwrap();
        delete(&other, &deleted).await.unwrap();
        log.compact(false);
        here.set_reachable(true);
    })
    .await;
    // Done, and undone by another since.
    assert_eq!(replies.0.unwrap().run, RunState::Paused);
    assert_eq!(replies.1, Err(RegistryError::NotFound(deleted.to_string())));
    agree(&[&registry, &other]).await;
    assert!(!paused(&registry, &task));
}

/// Two replicas, of which the second stops reading where the test wants.
async fn one_and_a_blind_one(log: &MemoryLog) -> (Registry, Registry, MemoryLog) {
    let blind_log = log.replica();
    let (one, blind) = (started(log).await, started(&blind_log).await);
    create(&one, "b").await.unwrap();
    agree(&[&one, &blind]).await;
    blind_log.set_reachable(false);
    eventually("the problem", || blind.status.get().problem.is_some()).await;
    (one, blind, blind_log)
}

#[actix::test]
async fn a_losing_creation_is_undone_although_that_fails_at_first() {
    let log = MemoryLog::new();
    let (one, blind, blind_log) = one_and_a_blind_one(&log).await;
    create(&one, "same").await.unwrap();
    let before = log.appends();
    let (reply, ()) = join(create(&blind, "same"), async {
        eventually("its append", || log.appends() == before + 1).await;
        log.fail_appends([AppendFault::NotStored, AppendFault::UnknownLost]);
        blind_log.set_reachable(true);
    })
    .await;
    assert_eq!(reply, Err(RegistryError::NameTaken("same".into())));
    assert_eq!(
        log.appends(),
        before + 4,
        "two failed repairs and a good one"
    );
    assert_eq!(blind.table.len(), 2, "gone when it is answered");
    agree(&[&one, &blind]).await;
}

#[actix::test]
async fn a_losing_rename_finds_a_name_when_the_old_one_is_gone_too() {
    let log = MemoryLog::new();
    let (one, blind, blind_log) = one_and_a_blind_one(&log).await;
    let task = id(&one.table.by_name("b").unwrap());
    let winner = id(&create(&one, "x").await.unwrap());
    let (reply, ()) = join(rename(&blind, &task, "x"), async {
        eventually("the rename on the other", || {
            one.table.by_name("b").is_none() && one.table.len() == 2
        })
        .await;
        create(&one, "b").await.unwrap();
        blind_log.set_reachable(true);
    })
    .await;
    assert_eq!(reply, Err(RegistryError::NameTaken("x".into())));
    agree(&[&one, &blind]).await;
    let shown = one.table.by_task_id(task.as_str()).unwrap();
    assert_eq!(shown.spec.name, format!("b-{}", task.suffix()));
    assert_eq!(id(&one.table.by_name("x").unwrap()), winner);
}

#[actix::test]
async fn what_is_written_to_a_deleted_task_is_refused_and_removed() {
    let log = MemoryLog::new();
    let (one, blind, blind_log) = one_and_a_blind_one(&log).await;
    let task = id(&one.table.by_name("b").unwrap());
    delete(&one, &task).await.unwrap();
    let before = log.appends();
    let calls = join(describe(&blind, &task, "late"), pause(&blind, &task));
    let (replies, ()) = join(calls, async {
        eventually("both appends", || log.appends() == before + 2).await;
        blind_log.set_reachable(true);
    })
    .await;
    let missing = Err(RegistryError::NotFound(task.to_string()));
    assert_eq!(replies.0, missing);
    agree(&[&one, &blind]).await;
    eventually("nothing but tombstones", || {
        log.compact(false);
        log.records()
            .iter()
            .all(|(_, record)| record.value.is_none())
    })
    .await;
    eventually("an empty table", || {
        one.table.is_empty() && blind.table.is_empty()
    })
    .await;
}

#[actix::test]
async fn as_many_calls_wait_as_may_and_the_rest_is_refused() {
    let log = MemoryLog::new();
    let here = log.replica();
    let config = RegistryConfig {
        max_pending: 10,
        ..short_deadline()
    };
    let registry = start(&here, config);
    registry.status.settled().await.unwrap();
    here.set_reachable(false);
    eventually("the problem", || registry.status.get().problem.is_some()).await;
    let names: Vec<_> = (0..30).map(|n| format!("name{n}")).collect();
    let replies = join_all(names.iter().map(|name| create(&registry, name))).await;
    let refused = Err(RegistryError::TooManyCalls { limit: 10 });
    assert_eq!(
        replies.iter().filter(|reply| **reply == refused).count(),
        20
    );
    assert_eq!(log.appends(), 10);
    here.set_reachable(true);
    eventually("the ten", || registry.table.len() == 10).await;
    create(&registry, "room again").await.unwrap();
}

#[actix::test]
async fn what_was_taken_is_done_although_the_caller_left() {
    let log = MemoryLog::new();
    let registry = started(&log).await;
    let task = id(&create(&registry, "a").await.unwrap());
    let message = PauseTask(task.to_string());
    let mut call = Box::pin(registry.addr().send(message));
    // Polled once, so that the mailbox has it; then the caller goes.
    let waker = std::task::Waker::noop();
    let polled = call
        .as_mut()
        .poll(&mut std::task::Context::from_waker(waker));
    assert!(polled.is_pending());
    eventually("the append", || log.appends() == 2).await;
    drop(call);
    eventually("the pause", || paused(&registry, &task)).await;
}

#[test]
fn callers_are_answered_when_the_registry_stops() {
    let log = MemoryLog::new();
    let system = actix::System::new();
    let reply = system.block_on(async {
        let arbiter = actix::Arbiter::new();
        let (actor, _table, status) =
            TaskRegistryActor::new(Arc::new(log.clone()), config(), Vec::new());
        let addr = TaskRegistryActor::start_in_arbiter(&arbiter.handle(), |_| actor);
        status.settled().await.unwrap();
        log.set_reachable(false);
        eventually("the problem", || status.get().problem.is_some()).await;
        let spec = new_task("a");
        let call = addr.send(CreateTask { spec });
        let (reply, ()) = join(call, async {
            eventually("the append", || log.appends() == 1).await;
            arbiter.stop();
        })
        .await;
        reply
    });
    // The mailbox's own error, when the arbiter drops the reply as well.
    assert!(matches!(reply, Ok(Err(RegistryError::Unknown(_))) | Err(_)));
}

/// A registry that panics when it shows a task whose name begins with "panic".
fn easily_upset(log: &MemoryLog) -> Registry {
    let observer = Arc::new(|change: &TaskChange| match change {
        TaskChange::Added(task) if task.spec().name.starts_with("panic") => {
            panic!("told to panic: {}", task.spec().name)
        }
        _ => {}
    });
    Registry::start(Arc::new(log.clone()), config(), vec![observer])
}

#[actix::test]
async fn a_registry_that_panics_keeps_its_tasks_and_starts_again() {
    let log = MemoryLog::new();
    let registry = easily_upset(&log);
    registry.status.settled().await.unwrap();
    let task = id(&create(&registry, "a").await.unwrap());
    let seen = registry.table.lookup(task.datahub_id().as_str()).unwrap();
    let before = registry.addr();

    // Whoever waits is told that nobody knows; the log has it all the same.
    let spec = new_task("panic-1");
    let reply = before.send(CreateTask { spec }).await;
    let is_unknown = matches!(reply, Ok(Err(RegistryError::Unknown(_))) | Err(_));
    assert!(is_unknown, "{reply:?}");
    eventually("the actor's end", || !before.connected()).await;
    assert!(seen.is_running(), "delivery goes by the last state");
    assert!(registry.status.get().loaded);

    eventually("another actor", || registry.addr().connected()).await;
    let paused_again = async || {
        let reply = registry.addr().send(PauseTask(task.to_string())).await;
        match reply.unwrap() {
            // It may still be reading.
            Err(RegistryError::NotReady(_)) => false,
            reply => reply.unwrap().run == RunState::Paused,
        }
    };
    let begun = Instant::now();
    while !paused_again().await {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "never ready again"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(!seen.is_running(), "the same table is written to");
    assert!(registry.table.by_name("panic-1").is_some());
    assert_eq!(registry.status.get().problem, None);

    registry.stop().await;
    assert!(!registry.addr().connected(), "a stop is no failure");
}

#[actix::test]
async fn a_tail_that_panics_takes_the_registry_along_into_its_next_life() {
    let log = MemoryLog::new();
    let registry = started(&log).await;
    let task = id(&create(&registry, "a").await.unwrap());
    let before = registry.addr();
    // The tail, and the tails of its first successors.
    log.panic_reads(4);
    eventually("the actor's end", || !before.connected()).await;
    eventually("the failure is told", || {
        let problem = registry.status.get().problem;
        problem.is_some_and(|problem| problem.contains("has failed"))
    })
    .await;
    assert!(registry.table.by_task_id(task.as_str()).is_some());
    // What another replica does meanwhile is seen.
    let run = RunValue {
        write: WriteId::random(),
        state: RunState::Paused,
    };
    log.push(vec![run.to_record(&task)]);
    eventually("the pause", || paused(&registry, &task)).await;
    eventually("no problem", || registry.status.get().problem.is_none()).await;
    create(&registry, "b").await.unwrap();
}

#[actix::test]
async fn after_a_panic_a_log_that_was_cut_meanwhile_is_taken_as_it_is() {
    let log = MemoryLog::new();
    let registry = started(&log).await;
    for name in ["a", "b", "c"] {
        create(&registry, name).await.unwrap();
    }
    log.panic_reads(1);
    eventually("the panic", || !registry.addr().connected()).await;
    log.recreate(Vec::new());
    eventually("the empty log", || registry.table.is_empty()).await;
    create(&registry, "d").await.unwrap();
}
