//! Replicas on one log in memory.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_engine::registry::{
    CreateTask, DeleteTask, MemoryLog, ModifyTask, PauseTask, Registry, RegistryConfig, ResumeTask,
    TaskReply,
};
use forebay_engine::task::{NewTask, Target, TargetKind, Task, TaskId};

/// Far above what any condition takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn config() -> RegistryConfig {
    RegistryConfig {
        call_deadline: Duration::from_secs(30),
        poll_wait: Duration::from_millis(200),
        retry_backoff: Duration::from_millis(5),
        ..RegistryConfig::default()
    }
}

/// Calls end soon: for those that end at their deadline.
pub(crate) fn short_deadline() -> RegistryConfig {
    RegistryConfig {
        call_deadline: Duration::from_millis(300),
        ..config()
    }
}

pub(crate) fn start(log: &MemoryLog, config: RegistryConfig) -> Registry {
    Registry::start(Arc::new(log.clone()), config, Vec::new())
}

pub(crate) async fn started(log: &MemoryLog) -> Registry {
    let registry = start(log, config());
    registry.status.settled().await.unwrap();
    registry
}

pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn new_task(name: &str) -> NewTask {
    let target = Target {
        kind: TargetKind::Kafka,
        instance: "ckafka-forebay0".into(),
        topic: "orders".into(),
        auto_create: false,
        partition_num: None,
    };
    NewTask::new(name, target)
}

pub(crate) async fn create(registry: &Registry, name: &str) -> TaskReply {
    let spec = new_task(name);
    registry.addr().send(CreateTask { spec }).await.unwrap()
}

pub(crate) async fn pause(registry: &Registry, id: &TaskId) -> TaskReply {
    registry
        .addr()
        .send(PauseTask(id.to_string()))
        .await
        .unwrap()
}

pub(crate) async fn resume(registry: &Registry, id: &TaskId) -> TaskReply {
    registry
        .addr()
        .send(ResumeTask(id.to_string()))
        .await
        .unwrap()
}

pub(crate) async fn delete(registry: &Registry, id: &TaskId) -> TaskReply {
    registry
        .addr()
        .send(DeleteTask(id.to_string()))
        .await
        .unwrap()
}

pub(crate) async fn rename(registry: &Registry, id: &TaskId, name: &str) -> TaskReply {
    let message = ModifyTask {
        task_id: id.to_string(),
        name: Some(name.into()),
        ..ModifyTask::default()
    };
    registry.addr().send(message).await.unwrap()
}

pub(crate) async fn describe(registry: &Registry, id: &TaskId, description: &str) -> TaskReply {
    let message = ModifyTask {
        task_id: id.to_string(),
        description: Some(description.into()),
        ..ModifyTask::default()
    };
    registry.addr().send(message).await.unwrap()
}

pub(crate) fn id(task: &Task) -> TaskId {
    task.spec.task_id.clone()
}

/// Whether two replicas show the same.
pub(crate) async fn agree(replicas: &[&Registry]) {
    eventually("all replicas show the same tasks", || {
        let first = replicas[0].table.all();
        replicas.iter().all(|replica| replica.table.all() == first)
    })
    .await;
}
