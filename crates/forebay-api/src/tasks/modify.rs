//! ModifyDatahubTask.

use super::{check_description, check_task_name};
use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::RequestParameters;
use crate::parameters::{Parameters, parse_object};

/// A valid ModifyDatahubTask. `None` leaves a property as it is; source, target and QpsLimit cannot
/// be changed through the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModifyDatahubTask {
    /// Which task. May be malformed and of any length.
    pub task_id: String,
    /// The new name.
    pub name: Option<String>,
    /// The new description; "" clears it.
    pub description: Option<String>,
    /// TasksMax, at least 1. Shown in answers and without effect.
    pub tasks_max: Option<i64>,
    /// SyncThrottleLimit in MB/s, at least 0. Shown in answers and without effect.
    pub sync_throttle_limit: Option<i64>,
    /// AutoExpandFlag. Shown in answers and without effect.
    pub auto_expand: Option<bool>,
}

impl ModifyDatahubTask {
    /// Parses and checks the parameters.
    ///
    /// # Errors
    ///
    /// `InvalidParameter`, `MissingParameter` or `InvalidParameterValue`, naming the field.
    pub fn parse<'a>(body: impl Into<RequestParameters<'a>>) -> Result<Self, ApiError> {
        let map = parse_object(body)?;
        let request = Parameters::new(&map);
        let task_id = request.required_string("TaskId")?.to_owned();
        // Go and Java users send "" for a name they do not want to change.
        let name = request.string("TaskName")?.filter(|name| !name.is_empty());
        name.map_or(Ok(()), check_task_name)?;
        let description = request.string("Description")?;
        description.map_or(Ok(()), check_description)?;
        Ok(Self {
            task_id,
            name: name.map(str::to_owned),
            description: description.map(str::to_owned),
            tasks_max: at_least(&request, "TasksMax", 1)?,
            sync_throttle_limit: at_least(&request, "SyncThrottleLimit", 0)?,
            auto_expand: request.bool("AutoExpandFlag")?,
        })
    }
}

fn at_least(
    request: &Parameters<'_>,
    name: &'static str,
    least: i64,
) -> Result<Option<i64>, ApiError> {
    let value = request.i64(name)?;
    match value {
        Some(actual) if actual < least => Err(ApiError::new(
            ErrorCode::InvalidParameterValue,
            format!("{name}: expected at least {least}, got {actual}"),
        )),
        _ => Ok(value),
    }
}
