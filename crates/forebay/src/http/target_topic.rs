//! The topic that a task to be created aims at: allowed, there, or made.

use forebay_api::{ApiError, ErrorCode};
use forebay_engine::task::Target;
use forebay_engine::{Engine, TopicError};
use tokio::time::{Instant, timeout_at};

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
        Err(_) => Err(error::unknown(
            "Kafka did not answer within the deadline; the topic may have been made, the task was not",
        )),
    }
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
