//! The API's shapes of a task and the engine's, each into the other.

use forebay_api::tasks::{self, CreateDatahubTask, TaskStatus, TaskTarget, TaskView};
use forebay_engine::Engine;
use forebay_engine::task::{NewTask, RunState, Tag, Target, TargetKind, Task};

/// What CreateDatahubTask asks for; `home` is the instance of a target that
/// names none (Type TOPIC).
pub(super) fn new_task(request: CreateDatahubTask, home: &str) -> NewTask {
    let target = Target {
        kind: match request.target.kind {
            tasks::TargetKind::Kafka => TargetKind::Kafka,
            tasks::TargetKind::Topic => TargetKind::Topic,
        },
        instance: request.target.instance.unwrap_or_else(|| home.to_owned()),
        topic: request.target.topic,
        auto_create: request.target.auto_create_topic,
        partition_num: request.target.partition_num,
    };
    let tag = |tag: tasks::Tag| Tag {
        key: tag.key,
        value: tag.value,
    };
    NewTask {
        description: request.description,
        qps_limit: request.target.qps_limit,
        tags: request.tags.into_iter().map(tag).collect(),
        ..NewTask::new(request.name, target)
    }
}

/// A task as Describe shows it.
pub(super) fn view(task: &Task, engine: &Engine) -> TaskView {
    let spec = &task.spec;
    let kind = match spec.target.kind {
        TargetKind::Kafka => tasks::TargetKind::Kafka,
        TargetKind::Topic => tasks::TargetKind::Topic,
    };
    let tag = |tag: &Tag| tasks::Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    TaskView {
        task_id: spec.task_id.to_string(),
        datahub_id: spec.datahub_id().to_string(),
        name: spec.name.clone(),
        description: spec.description.clone(),
        status: match task.run {
            RunState::Running => TaskStatus::Running,
            RunState::Paused => TaskStatus::Paused,
        },
        target: TaskTarget {
            kind,
            instance: Some(spec.target.instance.clone()),
            topic: spec.target.topic.clone(),
            partition_num: spec.target.partition_num,
            auto_create_topic: spec.target.auto_create,
            qps_limit: spec.qps_limit,
        },
        created_ms: spec.created_ms,
        tags: spec.tags.iter().map(tag).collect(),
        task_max: spec.tasks_max,
        sync_throttle_limit: spec.sync_throttle_limit,
        auto_expand: spec.auto_expand,
        error_message: String::new(),
        warn_message: engine
            .durability_warning(&spec.target.instance, &spec.target.topic)
            .unwrap_or_default(),
    }
}
