//! The status of a task, as people name it.

use clap::ValueEnum;
use forebay_api::tasks::TaskStatus;

/// A status, for `--status` and for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names of `TaskStatus`, documented there")]
pub enum StatusName {
    Running,
    Paused,
    Pausing,
    PausingFailed,
    Resuming,
    ResumingFailed,
    Creating,
    CreationFailed,
    Deleting,
    Deleted,
    DeletionFailed,
}

impl StatusName {
    /// The API's number.
    pub(super) fn code(self) -> i64 {
        let status = match self {
            Self::Running => TaskStatus::Running,
            Self::Paused => TaskStatus::Paused,
            Self::Pausing => TaskStatus::Pausing,
            Self::PausingFailed => TaskStatus::PausingFailed,
            Self::Resuming => TaskStatus::Resuming,
            Self::ResumingFailed => TaskStatus::ResumingFailed,
            Self::Creating => TaskStatus::Creating,
            Self::CreationFailed => TaskStatus::CreationFailed,
            Self::Deleting => TaskStatus::Deleting,
            Self::Deleted => TaskStatus::Deleted,
            Self::DeletionFailed => TaskStatus::DeletionFailed,
        };
        status.code()
    }
}

/// `running` for 1; the number itself where the API has no name for it.
pub(super) fn status_text(code: i64) -> String {
    let known = StatusName::value_variants()
        .iter()
        .find(|name| name.code() == code);
    match known.and_then(ValueEnum::to_possible_value) {
        Some(value) => value.get_name().to_owned(),
        None => format!("status {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_api_has_a_name() {
        for code in -1..=9 {
            assert!(!status_text(code).contains(' '), "{code}");
        }
        assert_eq!(status_text(1), "running");
        assert_eq!(status_text(6), "paused");
        assert_eq!(status_text(10), "status 10");
    }
}
