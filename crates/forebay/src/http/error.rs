//! What went wrong inside, as the API's codes. The one place for it.

use actix::MailboxError;
use forebay_api::{ApiError, ErrorCode};
use forebay_engine::admission::MemoryLimitReached;
use forebay_engine::query::QueryError;
use forebay_engine::registry::RegistryError;
use forebay_engine::topic_admin::TopicAdminError;

use super::body::BodyFault;

/// An error names no more tasks of a topic; there may be any number.
const NAMED_TASKS: usize = 10;

/// `not stored: …`, said only where it is certain.
pub(super) fn not_stored(reason: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        ErrorCode::ResourceUnavailableKafkaStorageError,
        format!("not stored: {reason}"),
    )
}

/// `delivery unknown: …`
pub(super) fn unknown(reason: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        ErrorCode::FailedOperation,
        format!("delivery unknown: {reason}"),
    )
}

/// RequestLimitExceeded: the only code that the SDKs' own retries know.
pub(super) fn memory(refusal: &MemoryLimitReached) -> ApiError {
    // What is larger than the whole limit fits at no time.
    let advice = match refusal.asked > refusal.limit {
        true => "send less in one request, or raise delivery.memory_limit",
        false => "send again a little later",
    };
    ApiError::new(
        ErrorCode::RequestLimitExceeded,
        format!("not stored: {refusal}; {advice}"),
    )
}

pub(super) fn draining() -> ApiError {
    ApiError::new(
        ErrorCode::RequestLimitExceeded,
        "not stored: this replica is draining before it stops; send again, to another one",
    )
}

pub(super) fn body(fault: &BodyFault) -> ApiError {
    match fault {
        BodyFault::TooLarge => {
            ApiError::request_too_large(forebay_api::limits::MAX_RAW_BODY_BYTES, None)
        }
        BodyFault::Memory(refusal) => memory(refusal),
        BodyFault::TooSlow { .. } | BodyFault::Broken(_) => {
            ApiError::new(ErrorCode::InvalidParameter, fault.to_string())
        }
    }
}

/// The SDK lists no ResourceNotFound for most task actions, but the common
/// codes have it and `InvalidParameterValue` would say that the caller's text
/// is malformed; callers that delete twice can tell the two apart.
pub(super) fn registry(error: RegistryError) -> ApiError {
    match error {
        RegistryError::NotFound(task) => ApiError::task_not_found(&task),
        RegistryError::NameTaken(name) => ApiError::new(
            ErrorCode::InvalidParameterValueRepetitionValue,
            format!("a task of the name [{name}] exists"),
        ),
        RegistryError::NotStored(reason) => not_stored(reason),
        RegistryError::NotReady(_) => not_stored(error),
        RegistryError::Unknown(reason) => outcome_unknown(reason),
        RegistryError::TooManyCalls { .. } => ApiError::new(
            ErrorCode::RequestLimitExceeded,
            format!("not stored: {error}; send again a little later"),
        ),
        other => internal(other),
    }
}

/// Reading is not possible at present; nothing was to be stored.
pub(super) fn unreadable_now(reason: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        ErrorCode::ResourceUnavailableKafkaStorageError,
        format!("cannot read now: {reason}"),
    )
}

/// The SDK lists FailedOperation for queries: whatever the log itself answers.
/// What was asked wrongly, or of a Kafka that is away, has its usual code.
pub(crate) fn query(error: QueryError, instance: &str) -> ApiError {
    let code = match &error {
        QueryError::UnknownInstance(id) => {
            return ApiError::new(
                ErrorCode::InvalidParameterValueInstanceNotExist,
                format!("no instance [{id:.128}]"),
            );
        }
        QueryError::UnknownTopic(topic) => {
            return ApiError::new(
                ErrorCode::ResourceNotFound,
                format!("no topic [{topic}] in [{instance}]"),
            );
        }
        QueryError::UnknownPartition { .. } => {
            return ApiError::new(
                ErrorCode::InvalidParameterValue,
                format!("Partition: {error}"),
            );
        }
        QueryError::Unavailable(reason) => return unreadable_now(reason),
        QueryError::TooManyQueries | QueryError::Memory(_) => {
            return ApiError::new(
                ErrorCode::RequestLimitExceeded,
                format!("{error}; ask again a little later"),
            );
        }
        QueryError::TooLarge { .. }
        | QueryError::OutOfRange { .. }
        | QueryError::Gap { .. }
        | QueryError::Unreadable(_)
        | QueryError::Refused(_) => ErrorCode::FailedOperation,
        _ => return internal(error),
    };
    ApiError::new(code, error.to_string())
}

/// Topics that Kafka and Forebay keep for themselves (`__consumer_offsets`,
/// the task registry).
pub(crate) fn reserved_topic(topic: &str) -> ApiError {
    ApiError::new(
        ErrorCode::UnsupportedOperation,
        format!("the topic [{topic}] is internal: Kafka and Forebay keep it for themselves"),
    )
}

/// A change whose end nobody has seen.
pub(super) fn outcome_unknown(reason: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        ErrorCode::FailedOperation,
        format!("outcome unknown: {reason}; look before asking again"),
    )
}

/// Looking at topics.
pub(super) fn topic_read(error: TopicAdminError, instance: &str) -> ApiError {
    match error {
        TopicAdminError::Unavailable { .. } => unreadable_now(error),
        other => topic_change(other, instance),
    }
}

/// Changing topics: the SDK's codes where it lists one that fits.
pub(super) fn topic_change(error: TopicAdminError, instance: &str) -> ApiError {
    let code = match &error {
        TopicAdminError::UnknownInstance(id) => {
            return ApiError::new(
                ErrorCode::InvalidParameterValueInstanceNotExist,
                format!("no instance [{id:.128}]"),
            );
        }
        TopicAdminError::NotFound(topic) => {
            return ApiError::new(
                ErrorCode::ResourceNotFound,
                format!("no topic [{topic}] in [{instance}]"),
            );
        }
        TopicAdminError::Exists(topic) => {
            return ApiError::new(
                ErrorCode::InvalidParameterTopicExist,
                format!("a topic [{topic}] exists in [{instance}]"),
            );
        }
        TopicAdminError::FewerPartitions { .. } => {
            return ApiError::new(
                ErrorCode::InvalidParameterValue,
                format!("PartitionNum: {error}"),
            );
        }
        TopicAdminError::Internal(topic) => return reserved_topic(topic),
        TopicAdminError::Unknown(reason) => return outcome_unknown(reason),
        TopicAdminError::Unavailable { done, .. } if done.is_empty() => return not_stored(error),
        TopicAdminError::TooMany => {
            return ApiError::new(
                ErrorCode::RequestLimitExceeded,
                format!("{error}; ask again a little later"),
            );
        }
        TopicAdminError::InUse { .. } => ErrorCode::ResourceInUse,
        TopicAdminError::Refused { .. }
        | TopicAdminError::Unavailable { .. }
        | TopicAdminError::NotNoted(_) => ErrorCode::FailedOperation,
        _ => return internal(error),
    };
    ApiError::new(code, error.to_string())
}

/// Tasks write to a topic that was to be deleted: those that the caller may see,
/// of `all` there are. At most [`NAMED_TASKS`] of them are named.
pub(super) fn topic_in_use(topic: &str, seen: &[&str], all: usize) -> ApiError {
    let unnamed = seen.len().saturating_sub(NAMED_TASKS);
    let unseen = all.saturating_sub(seen.len());
    let counts = [(unnamed, "more"), (unseen, "outside of your scope")];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let named = seen.iter().take(NAMED_TASKS).map(ToString::to_string);
    let targets: Vec<_> = named
        .chain(counts.map(|(count, which)| format!("{count} {which}")))
        .collect();
    let targets = targets.join(", ");
    ApiError::new(
        ErrorCode::ResourceInUse,
        format!("topic {topic} is the target of tasks: {targets}"),
    )
}

/// A fault of ours. The caller learns that it is one; the log learns which.
pub(super) fn internal(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "internal error");
    ApiError::new(ErrorCode::InternalError, "internal error")
}

/// The worker's actor died while it had the request, or before its turn.
pub(super) fn worker_died() -> ApiError {
    unknown("the worker that had the request has failed")
}

/// A mailbox that did not answer: the message may have been handled.
pub(super) fn mailbox(error: &MailboxError) -> ApiError {
    match error {
        MailboxError::Closed => {
            outcome_unknown("the task registry of this replica is stopping or starting again")
        }
        MailboxError::Timeout => outcome_unknown("no answer within the deadline"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_fits_is_not_to_be_sent_again() {
        let refused = |asked| {
            let refusal = MemoryLimitReached {
                asked,
                in_flight: 90,
                limit: 100,
            };
            memory(&refusal).message.to_string()
        };
        assert!(refused(100).ends_with("; send again a little later"));
        assert!(refused(101).contains("; send less in one request"));
    }

    #[test]
    fn a_change_of_a_task_is_no_delivery() {
        let lost = registry(RegistryError::Unknown("no answer".to_owned()));
        assert_eq!(lost.code, ErrorCode::FailedOperation);
        let expected = "outcome unknown: no answer; look before asking again";
        assert_eq!(lost.message, expected);
        let closed = mailbox(&MailboxError::Closed);
        assert!(closed.message.starts_with("outcome unknown: "));
    }

    #[test]
    fn tasks_of_a_topic_in_use_are_named_or_counted() {
        let said = |seen: &[&str], all| {
            let error = topic_in_use("t", seen, all);
            assert_eq!(error.code, ErrorCode::ResourceInUse);
            error.message.clone()
        };
        let start = "topic t is the target of tasks: ";
        assert_eq!(said(&["a", "b"], 2), format!("{start}a, b"));
        assert_eq!(
            said(&["a"], 3),
            format!("{start}a, 2 outside of your scope")
        );
        assert_eq!(said(&[], 1), format!("{start}1 outside of your scope"));
        let many = said(&["a"; 500], 501);
        assert!(
            many.ends_with("a, a, 490 more, 1 outside of your scope"),
            "{many}"
        );
    }
}
