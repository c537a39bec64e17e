//! The topic that a task aims at: allowed, there, or made; and what it is now.

use std::time::Duration;

use forebay_api::{ApiError, ErrorCode};
use forebay_engine::task::Target;
use forebay_engine::{Engine, TopicError};
use tokio::time::{Instant, timeout, timeout_at};

use super::error;

/// # Errors
/// UnsupportedOperation for a reserved name, InstanceNotExist,
/// ResourceNotFound where the topic is missing and must not be made, or what
/// Kafka says.
pub(super) async fn ensure_target(
    engine: &Engine,
    target: &Target,
    deadline: Instant,
) -> Result<(), ApiError> {
    if engine.is_reserved_topic(&target.instance, &target.topic) {
        return Err(error::reserved_topic(&target.topic));
    }
    let make = target.auto_create.then_some(target.partition_num);
    let ensured = engine.ensure_topic(&target.instance, &target.topic, make);
    match timeout_at(deadline, ensured).await {
        Ok(Ok(_)) => {
            let warning = engine.durability_warning(&target.instance, &target.topic);
            if let Some(warning) = warning {
                tracing::warn!(
                    topic = target.topic,
                    warning,
                    "a task aims at a fragile topic"
                );
            }
            Ok(())
        }
        Ok(Err(refusal)) => Err(told(refusal, target)),
        Err(_) => Err(error::outcome_unknown(
            "Kafka did not answer within the deadline; the topic may have been made, the task was not",
        )),
    }
}

/// How long describing a task waits for Kafka: the rest of the answer does not
/// need it.
const LOOK: Duration = Duration::from_secs(1);

/// What a task's topic is at this moment.
pub(super) enum TargetNow {
    /// It has so many partitions, whatever it was created with.
    Partitions(i32),
    /// The cluster says that there is none.
    Gone,
    /// The cluster was not to be asked in time.
    NotKnown,
}

/// Asks the cluster, for a second at most.
pub(super) async fn target_now(engine: &Engine, target: &Target) -> TargetNow {
    let looked_up = engine.ensure_topic(&target.instance, &target.topic, None);
    match timeout(LOOK, looked_up).await {
        Ok(Ok(info)) => match i32::try_from(info.partitions) {
            Ok(count) if count > 0 => TargetNow::Partitions(count),
            _ => TargetNow::NotKnown,
        },
        Ok(Err(TopicError::NotFound(_))) => TargetNow::Gone,
        Ok(Err(_)) | Err(_) => TargetNow::NotKnown,
    }
}

/// What is wrong with a task whose topic is gone.
pub(super) fn gone(topic: &str) -> String {
    format!("the topic [{topic}] is gone: make it again, or delete the task")
}

fn told(refusal: TopicError, target: &Target) -> ApiError {
    match refusal {
        TopicError::UnknownInstance(id) => ApiError::new(
            ErrorCode::InvalidParameterValueInstanceNotExist,
            format!("no instance [{id}]"),
        ),
        TopicError::NotFound(topic) => ApiError::new(
            ErrorCode::ResourceNotFound,
            format!(
                "no topic [{topic}] in [{}]; UseAutoCreateTopic would make it",
                target.instance
            ),
        ),
        TopicError::Refused(reason) => ApiError::new(ErrorCode::InvalidParameterValue, reason),
        TopicError::Unavailable(reason) => error::not_stored(reason),
    }
}
