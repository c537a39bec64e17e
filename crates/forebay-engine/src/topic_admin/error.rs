//! Why a topic action has no result.

use forebay_kafka::Error;

use crate::{registry::RegistryError, task::TaskId};

/// Why a topic action has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopicAdminError {
    /// No such instance is configured.
    #[error("instance {0} is not configured")]
    UnknownInstance(String),
    /// Kafka and Forebay keep the topic for themselves.
    #[error("topic {0} is internal")]
    Internal(String),
    /// The cluster says that there is no such topic.
    #[error("topic {0} does not exist")]
    NotFound(String),
    /// There is one already.
    #[error("topic {0} exists")]
    Exists(String),
    /// Tasks write to it. Which ones is not for everybody, so the text counts them.
    #[error("topic {topic} is the target of tasks: {}", tasks.len())]
    InUse {
        /// The topic.
        topic: String,
        /// Which tasks, by id.
        tasks: Vec<TaskId>,
    },
    /// Kafka's partitions only grow.
    #[error(
        "the topic has {present} partitions, which cannot become {asked}: partitions are only added"
    )]
    FewerPartitions {
        /// How many there are.
        present: usize,
        /// How many were asked for.
        asked: i32,
    },
    /// The cluster refuses; nothing was changed, or what `done` says.
    #[error("{reason}{}", done_text(.done))]
    Refused {
        /// The cluster's words.
        reason: String,
        /// What had been changed before.
        done: Vec<&'static str>,
    },
    /// The cluster cannot be asked; nothing was changed, or what `done` says.
    #[error("{reason}{}", done_text(.done))]
    Unavailable {
        /// What happened instead.
        reason: String,
        /// What had been changed before.
        done: Vec<&'static str>,
    },
    /// No turn came; nothing was done.
    #[error("too many actions on topics at once")]
    TooMany,
    /// It may have been done.
    #[error("{0}")]
    Unknown(String),
    /// The topic is as was asked, but note and tags are not stored.
    #[error("the topic is as asked for, but its note and tags are not stored: {0}")]
    NotNoted(RegistryError),
}

fn done_text(done: &[&str]) -> String {
    match done {
        [] => String::new(),
        done => format!("; changed before that: {}", done.join(", ")),
    }
}

/// A fault while nothing is changed.
pub(super) fn asked(error: Error) -> TopicAdminError {
    match error {
        Error::UnknownTopic(topic) => TopicAdminError::NotFound(topic),
        error if error.is_retriable() => TopicAdminError::Unavailable {
            reason: error.to_string(),
            done: Vec::new(),
        },
        error => TopicAdminError::Refused {
            reason: error.to_string(),
            done: Vec::new(),
        },
    }
}

/// A fault of a change.
pub(super) fn changing(error: Error, done: Vec<&'static str>) -> TopicAdminError {
    if error.may_have_been_done() {
        return TopicAdminError::Unknown(format!("{error}{}", done_text(&done)));
    }
    match asked(error) {
        TopicAdminError::Refused { reason, .. } => TopicAdminError::Refused { reason, done },
        TopicAdminError::Unavailable { reason, .. } => {
            TopicAdminError::Unavailable { reason, done }
        }
        other => other,
    }
}
