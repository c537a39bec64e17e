//! The task actions: what is asked, and what is answered.
//!
//! A task joins an access point to a topic; the API's model of it has room for dozens of sources
//! and targets, of which Forebay has one source (HTTP) and two targets (KAFKA, TOPIC). Whatever a
//! caller asks for beyond that is refused by name rather than left undone in silence.

mod answers;
mod create;
mod describe;
mod modify;
mod target;
mod view;

pub use answers::{CreateTaskAnswer, DescribeTaskAnswer, DescribeTasksAnswer, TaskIdAnswer};
pub use create::CreateDatahubTask;
pub(crate) use create::read_tags;
pub use describe::DescribeDatahubTasks;
pub use modify::ModifyDatahubTask;
pub use target::{TargetKind, TaskTarget};
pub use view::{Tag, TaskStatus, TaskView};

use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::RequestParameters;
use crate::limits::{MAX_DESCRIPTION_BYTES, MAX_TASK_NAME_CHARS};
use crate::parameters::{Parameters, parse_object};

/// Parses a request whose only parameter is TaskId: DescribeDatahubTask, DeleteDatahubTask,
/// PauseDatahubTask, ResumeDatahubTask and RestartDatahubTask.
///
/// The id may be malformed and of any length: look it up and answer
/// [`ApiError::task_not_found`].
///
/// # Errors
///
/// `InvalidParameter` for malformed JSON or another type, `MissingParameter` for an absent or
/// empty TaskId.
pub fn parse_task_id<'a>(body: impl Into<RequestParameters<'a>>) -> Result<String, ApiError> {
    let map = parse_object(body)?;
    Parameters::new(&map)
        .required_string("TaskId")
        .map(str::to_owned)
}

/// The API's rule for TaskName: a letter first, then letters, digits, `-`, `.` and `_`, at most 64.
fn check_task_name(name: &str) -> Result<(), ApiError> {
    let legal = name.len() <= MAX_TASK_NAME_CHARS
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if legal {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::InvalidParameterValue,
        format!(
            "TaskName: expected a letter and up to 63 letters, digits, '-', '.' or '_', got [{}]",
            crate::echo::clipped(name)
        ),
    ))
}

fn check_description(text: &str) -> Result<(), ApiError> {
    if text.len() <= MAX_DESCRIPTION_BYTES {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::InvalidParameterValue,
        format!(
            "Description has {} bytes, the limit is {MAX_DESCRIPTION_BYTES}",
            text.len()
        ),
    ))
}

#[cfg(test)]
mod tests;
