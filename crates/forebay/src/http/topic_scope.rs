//! Which topics a caller may see, and change.
//!
//! Topics are open to whom a task gives them, and to whom every access point
//! is open.

use std::collections::HashSet;

use forebay_api::ApiError;

use super::authenticate::Caller;
use super::error;
use super::shared::Shared;

/// Topics of one instance.
pub(super) enum OpenTopics {
    /// Every one.
    All,
    /// Those of the caller's tasks.
    These(HashSet<String>),
}

impl OpenTopics {
    pub(super) fn hold(&self, topic: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(topics) => topics.contains(topic),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::These(topics) if topics.is_empty())
    }
}

/// The topics of an instance that are open to a caller.
///
/// # Errors
/// While the tasks are not known, which only matters to callers who do not
/// see all of them.
pub(super) fn open_topics(
    shared: &Shared,
    caller: &Caller,
    instance: &str,
) -> Result<OpenTopics, ApiError> {
    if caller.sees_every_datahub() {
        return Ok(OpenTopics::All);
    }
    let engine = &shared.engine;
    let tasks = engine.tasks().all();
    let seen = tasks.iter().filter(|task| {
        task.spec.target.instance == instance && caller.sees(task.spec.datahub_id().as_str())
    });
    let topics: HashSet<_> = seen.map(|task| task.spec.target.topic.clone()).collect();
    if topics.is_empty() && !engine.registry_status().loaded {
        return Err(error::unreadable_now(
            "the tasks have not been read from Kafka yet",
        ));
    }
    Ok(OpenTopics::These(topics))
}

/// Whether one topic is open to a caller.
///
/// # Errors
/// UnauthorizedOperation where it is not, whether or not there is such a
/// topic; and as [`open_topics`].
pub(crate) fn check_open(
    shared: &Shared,
    caller: &Caller,
    instance: &str,
    topic: &str,
) -> Result<(), ApiError> {
    match open_topics(shared, caller, instance)?.hold(topic) {
        true => Ok(()),
        false => Err(ApiError::out_of_scope(topic)),
    }
}
