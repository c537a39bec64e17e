//! `forebay task …`

use forebay_api::Action;
use serde_json::{Value, json};

use super::answer_json::text;
use super::api_client::ApiClient;
use super::arguments::{
    OutputFlag, OutputForm, TaskArguments, TaskCommand, TaskCreateArguments, TaskDeleteArguments,
    TaskListArguments,
};
use super::confirm::{check_somebody_is_there, confirm};
use super::error::{CallError, ClientError};
use super::output::{table, write_json, write_out};
use super::session::Session;
use super::task_lookup::{all_tasks, task_id};
use super::task_status::status_text;
use super::terminal_text::shown;

/// Runs one command on tasks.
///
/// # Errors
/// See [`ClientError`].
pub(super) fn run(command: TaskCommand, session: Session) -> Result<(), ClientError> {
    match command {
        TaskCommand::Create(arguments) => create(arguments, session),
        TaskCommand::List(arguments) => list(arguments, session),
        TaskCommand::Show(arguments) => show(arguments, session),
        TaskCommand::Pause(arguments) => change(arguments, session, Action::PauseDatahubTask),
        TaskCommand::Resume(arguments) => change(arguments, session, Action::ResumeDatahubTask),
        TaskCommand::Delete(arguments) => delete(arguments, session),
    }
}

fn create(arguments: TaskCreateArguments, session: Session) -> Result<(), ClientError> {
    let mut client = session.client(arguments.caller, 1)?;
    let mut kafka = json!({
        "SelfBuilt": false,
        "Resource": arguments.instance,
        "Topic": arguments.topic,
        "UseAutoCreateTopic": arguments.auto_create_topic,
    });
    if let Some(partitions) = arguments.partitions {
        kafka["PartitionNum"] = partitions.into();
    }
    if let Some(limit) = arguments.qps_limit {
        kafka["QpsLimit"] = limit.into();
    }
    let mut request = json!({
        "TaskName": arguments.name,
        "TaskType": "SOURCE",
        "SourceResource": { "Type": "HTTP" },
        "TargetResource": { "Type": "KAFKA", "KafkaParam": kafka },
    });
    if let Some(description) = arguments.description {
        request["Description"] = description.into();
    }
    let created = result_of(&mut client, Action::CreateDatahubTask, &request)?;
    say_done("created", &created, arguments.output)
}

fn list(arguments: TaskListArguments, session: Session) -> Result<(), ClientError> {
    let mut client = session.client(arguments.caller, 1)?;
    let mut tasks = all_tasks(&mut client, arguments.search.as_deref())?;
    if let Some(status) = arguments.status {
        tasks.retain(|task| task["Status"].as_i64() == Some(status.code()));
    }
    if arguments.output.output == OutputForm::Json {
        return Ok(write_json(&Value::Array(tasks))?);
    }
    let head = [
        "TASK",
        "ACCESS POINT",
        "STATUS",
        "TOPIC",
        "CREATED (UTC)",
        "NAME",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(tasks.iter().map(|task| {
        vec![
            text(task, "/TaskId").to_owned(),
            text(task, "/DatahubId").to_owned(),
            status(task),
            target_topic(task).to_owned(),
            text(task, "/CreateTime").to_owned(),
            text(task, "/TaskName").to_owned(),
        ]
    }));
    Ok(write_out(table(&rows).as_bytes())?)
}

fn show(arguments: TaskArguments, session: Session) -> Result<(), ClientError> {
    let mut client = session.client(arguments.caller, 1)?;
    let id = task_id(&mut client, &arguments.task)?;
    let task = result_of(&mut client, Action::DescribeDatahubTask, &by_id(&id))?;
    match arguments.output.output {
        OutputForm::Json => write_json(&task)?,
        OutputForm::Text => write_out(table(&details(&task)).as_bytes())?,
    }
    Ok(())
}

fn details(task: &Value) -> Vec<Vec<String>> {
    let kafka = "/TargetResource/KafkaParam";
    let number = |name: &str| {
        let value = task.pointer(&format!("{kafka}/{name}"));
        value.and_then(Value::as_i64).filter(|number| *number > 0)
    };
    let per_second = number("QpsLimit").map(|limit| format!("{limit} requests a second"));
    let partitions = number("PartitionNum").map(|count| count.to_string());
    let lines = [
        ("name", text(task, "/TaskName").to_owned()),
        ("task", text(task, "/TaskId").to_owned()),
        ("access point", text(task, "/DatahubId").to_owned()),
        ("status", status(task)),
        (
            "instance",
            text(task, &format!("{kafka}/Resource")).to_owned(),
        ),
        ("topic", target_topic(task).to_owned()),
        ("partitions", partitions.unwrap_or_default()),
        ("limit", per_second.unwrap_or_else(|| "none".to_owned())),
        ("created", format!("{} UTC", text(task, "/CreateTime"))),
        ("description", text(task, "/Description").to_owned()),
        ("error", text(task, "/ErrorMessage").to_owned()),
        ("warning", text(task, "/WarnMessage").to_owned()),
    ];
    let given = lines.into_iter().filter(|(_, value)| !value.is_empty());
    given
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect()
}

fn change(arguments: TaskArguments, session: Session, action: Action) -> Result<(), ClientError> {
    let mut client = session.client(arguments.caller, 1)?;
    let id = task_id(&mut client, &arguments.task)?;
    let changed = result_of(&mut client, action, &by_id(&id))?;
    let done = match action {
        Action::PauseDatahubTask => "paused",
        Action::ResumeDatahubTask => "resumed",
        _ => "deleted",
    };
    say_done(done, &changed, arguments.output)
}

fn delete(arguments: TaskDeleteArguments, session: Session) -> Result<(), ClientError> {
    let task = arguments.task;
    if arguments.yes {
        return change(task, session, Action::DeleteDatahubTask);
    }
    check_somebody_is_there()?;
    let mut client = session.client(task.caller, 1)?;
    let id = task_id(&mut client, &task.task)?;
    let found = result_of(&mut client, Action::DescribeDatahubTask, &by_id(&id))?;
    let question = format!(
        "Delete task {} ({id})? {} will refuse messages; topic {} and its messages stay. [y/N] ",
        shown(text(&found, "/TaskName")),
        shown(text(&found, "/DatahubId")),
        shown(target_topic(&found)),
    );
    confirm(&question)?;
    let deleted = result_of(&mut client, Action::DeleteDatahubTask, &by_id(&id))?;
    say_done("deleted", &deleted, task.output)
}

fn by_id(id: &str) -> Value {
    json!({ "TaskId": id })
}

/// `Result` of the answer; for all actions on one task it has its TaskId.
fn result_of(client: &mut ApiClient, action: Action, request: &Value) -> Result<Value, CallError> {
    let mut response = client.call(action, request.to_string().as_bytes())?;
    let result = response["Result"].take();
    if result["TaskId"].is_string() {
        Ok(result)
    } else {
        Err(client.not_the_api(format!("{action} without a TaskId")))
    }
}

fn say_done(done: &str, result: &Value, output: OutputFlag) -> Result<(), ClientError> {
    if output.output == OutputForm::Json {
        return Ok(write_json(result)?);
    }
    let line = format!(
        "{done} {}, access point {}\n",
        shown(text(result, "/TaskId")),
        shown(text(result, "/DatahubId"))
    );
    Ok(write_out(line.as_bytes())?)
}

fn status(task: &Value) -> String {
    task["Status"].as_i64().map(status_text).unwrap_or_default()
}

/// The topic of either kind of target.
fn target_topic(task: &Value) -> &str {
    match text(task, "/TargetResource/KafkaParam/Topic") {
        "" => text(task, "/TargetResource/TopicParam/Resource"),
        topic => topic,
    }
}
