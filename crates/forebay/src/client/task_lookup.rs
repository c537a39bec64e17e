//! Finds tasks: all of them, and the one that is meant.

use forebay_api::limits::MAX_TASKS_PAGE;
use forebay_api::{Action, is_datahub_id, is_task_id};
use serde_json::{Value, json};

use super::api_client::ApiClient;
use super::error::{CallError, ClientError};
use super::terminal_text::shown;

/// `DatahubTaskInfo` of all tasks whose name contains `search`, whatever its
/// case. Tasks made or deleted between two pages may be missed.
///
/// # Errors
/// As the call's.
pub(super) fn all_tasks(
    client: &mut ApiClient,
    search: Option<&str>,
) -> Result<Vec<Value>, CallError> {
    let mut tasks = Vec::new();
    loop {
        let mut request = json!({ "Limit": MAX_TASKS_PAGE, "Offset": tasks.len() });
        if let Some(word) = search {
            request["SearchWord"] = word.into();
        }
        let body = request.to_string();
        let mut response = client.call(Action::DescribeDatahubTasks, body.as_bytes())?;
        let result = &mut response["Result"];
        let total = result["TotalCount"].as_u64();
        let (Value::Array(page), Some(total)) = (result["TaskList"].take(), total) else {
            return Err(client.not_the_api("a list of tasks without tasks".to_owned()));
        };
        let is_last = page.is_empty();
        tasks.extend(page);
        if is_last || tasks.len() as u64 >= total {
            return Ok(tasks);
        }
    }
}

/// The TaskId of the task that `text` means: its id, its access point's id, or
/// its name. A task whose name looks like an id is found by its id only.
///
/// # Errors
/// As the call's; no task of that name.
pub(super) fn task_id(client: &mut ApiClient, text: &str) -> Result<String, ClientError> {
    if is_task_id(text) {
        return Ok(text.to_owned());
    }
    if is_datahub_id(text) {
        return Ok(task_of_datahub(text));
    }
    let tasks = all_tasks(client, Some(text))?;
    let found = tasks.iter().find(|task| task["TaskName"] == text);
    match found.and_then(|task| task["TaskId"].as_str()) {
        Some(id) => Ok(id.to_owned()),
        None => Err(ClientError::Failed(format!(
            "no task has the id or the name [{}]; see `forebay task list`",
            shown(text)
        ))),
    }
}

/// `task-xxxxxxxx` for `datahub-xxxxxxxx`: a task and its access point have
/// the same 8 characters.
pub(super) fn task_of_datahub(datahub_id: &str) -> String {
    datahub_id.replacen("datahub-", "task-", 1)
}
