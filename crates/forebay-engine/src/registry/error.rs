//! What a caller of the registry can be told.

/// Why a call did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No such task, or it is being deleted.
    #[error("no such task: {0}")]
    NotFound(String),
    /// Another task has the name.
    #[error("task name already taken: {0}")]
    NameTaken(String),
    /// The fixed id asked for is in use.
    #[error("task id already taken: {0}")]
    IdTaken(String),
    /// Certainly not written: nothing has changed.
    #[error("not stored: {0}")]
    NotStored(String),
    /// Written or not: the deadline came before the record was read back.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// The log has not been read to its end yet; nothing has changed.
    #[error("task registry not ready: {0}")]
    NotReady(String),
    /// As many calls wait already as may; nothing has changed.
    #[error("too many task changes are pending: limit {limit}")]
    TooManyCalls {
        /// The most calls that may wait.
        limit: usize,
    },
}
