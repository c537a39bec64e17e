//! `forebay topic …`

use std::time::Duration;

use forebay_api::limits::MAX_TOPIC_DETAILS_PAGE;
use forebay_api::{Action, format_utc};
use serde_json::{Value, json};

use super::answer_json::{number, text};
use super::api_client::ApiClient;
use super::arguments::OutputForm;
use super::confirm::{check_somebody_is_there, confirm};
use super::error::{CallError, ClientError};
use super::output::{table, write_json, write_out};
use super::session::Session;
use super::terminal_text::shown;
use super::topic_arguments::{
    TopicCommand, TopicCreateArguments, TopicDeleteArguments, TopicListArguments,
    TopicModifyArguments, TopicShowArguments,
};
use crate::config::duration_text;

/// Runs one command on topics.
///
/// # Errors
/// See [`ClientError`].
pub(super) fn run(command: TopicCommand, session: Session) -> Result<(), ClientError> {
    match command {
        TopicCommand::Create(arguments) => create(arguments, session),
        TopicCommand::List(arguments) => list(arguments, session),
        TopicCommand::Show(arguments) => show(arguments, session),
        TopicCommand::Modify(arguments) => modify(arguments, session),
        TopicCommand::Delete(arguments) => delete(arguments, session),
    }
}

fn create(arguments: TopicCreateArguments, session: Session) -> Result<(), ClientError> {
    let mut client = session.client(arguments.caller, 1)?;
    let mut request = json!({
        "Name": arguments.topic,
        "PartitionNum": arguments.partitions,
        "RetentionMs": arguments.retention,
    });
    if let Some(bytes) = arguments.max_message_bytes {
        request["MaxMessageBytes"] = bytes.into();
    }
    if let Some(note) = arguments.note {
        request["Note"] = note.into();
    }
    let created = result_of(&mut client, Action::CreateDatahubTopic, &request)?;
    if arguments.output.output == OutputForm::Json {
        return Ok(write_json(&created)?);
    }
    let name = text(&created, "/TopicName");
    let line = format!(
        "created topic {}, partitions 0 to {}\n",
        shown(name),
        arguments.partitions - 1
    );
    Ok(write_out(line.as_bytes())?)
}

fn list(arguments: TopicListArguments, session: Session) -> Result<(), ClientError> {
    let mut client = session.client(arguments.caller, 1)?;
    let search = arguments.search.as_deref().unwrap_or_default();
    let topics = all_topics(&mut client, &arguments.instance.instance, search)?;
    if arguments.output.output == OutputForm::Json {
        return Ok(write_json(&Value::Array(topics))?);
    }
    let head = ["TOPIC", "PARTITIONS", "REPLICAS", "RETENTION", "NOTE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(topics.iter().map(|topic| {
        vec![
            text(topic, "/TopicName").to_owned(),
            count(topic, "/PartitionNum"),
            count(topic, "/ReplicaNum"),
            retention(topic),
            text(topic, "/Note").to_owned(),
        ]
    }));
    Ok(write_out(table(&rows).as_bytes())?)
}

fn show(arguments: TopicShowArguments, session: Session) -> Result<(), ClientError> {
    let mut client = session.client(arguments.caller, 1)?;
    let (name, instance) = (arguments.topic, arguments.instance.instance);
    let topics = all_topics(&mut client, &instance, &name)?;
    let topic = topics.into_iter().find(|topic| topic["TopicName"] == *name);
    let topic = topic.ok_or_else(|| {
        ClientError::Failed(format!(
            "no topic [{}] in [{}]; see `forebay topic list`",
            shown(&name),
            shown(&instance)
        ))
    })?;
    match arguments.output.output {
        OutputForm::Json => write_json(&topic)?,
        OutputForm::Text => write_out(table(&details(&topic, &instance)).as_bytes())?,
    }
    Ok(())
}

fn details(topic: &Value, instance: &str) -> Vec<Vec<String>> {
    let created = number(topic, "/CreateTime").filter(|seconds| *seconds > 0);
    let created = created.map(|seconds| format!("{} UTC", format_utc(seconds)));
    let election = number(topic, "/Config/UncleanLeaderElectionEnable");
    let election = election.map(|on| if on == 0 { "no" } else { "yes" }.to_owned());
    let lines = [
        ("topic", text(topic, "/TopicName").to_owned()),
        ("id", text(topic, "/TopicId").to_owned()),
        ("instance", instance.to_owned()),
        ("partitions", count(topic, "/PartitionNum")),
        ("replicas", count(topic, "/ReplicaNum")),
        (
            "in sync at least",
            count(topic, "/Config/MinInsyncReplicas"),
        ),
        ("unclean election", election.unwrap_or_default()),
        ("retention", retention(topic)),
        ("retention bytes", retention_bytes(topic)),
        ("cleanup", text(topic, "/Config/CleanUpPolicy").to_owned()),
        (
            "batch bytes at most",
            count(topic, "/Config/MaxMessageBytes"),
        ),
        ("created", created.unwrap_or_default()),
        ("note", text(topic, "/Note").to_owned()),
    ];
    let given = lines.into_iter().filter(|(_, value)| !value.is_empty());
    given
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect()
}

fn modify(arguments: TopicModifyArguments, session: Session) -> Result<(), ClientError> {
    let mut client = session.client(arguments.caller, 1)?;
    let retention = match arguments.retention {
        Some(retention) => retention,
        // The API wants it each time.
        None => present_retention(&mut client, &arguments.topic)?,
    };
    let mut request = json!({ "Name": arguments.topic, "RetentionMs": retention });
    let given = [
        ("PartitionNum", arguments.partitions.map(Value::from)),
        (
            "MaxMessageBytes",
            arguments.max_message_bytes.map(Value::from),
        ),
        ("Note", arguments.note.map(Value::from)),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            request[name] = value;
        }
    }
    let changed = result_of(&mut client, Action::ModifyDatahubTopic, &request)?;
    if arguments.output.output == OutputForm::Json {
        return Ok(write_json(&changed)?);
    }
    let line = format!("changed topic {}\n", shown(&arguments.topic));
    Ok(write_out(line.as_bytes())?)
}

fn present_retention(client: &mut ApiClient, topic: &str) -> Result<i64, CallError> {
    let found = result_of(
        client,
        Action::DescribeDatahubTopic,
        &json!({ "Name": topic }),
    )?;
    let retention = number(&found, "/RetentionMs");
    retention.ok_or_else(|| client.not_the_api("a topic without RetentionMs".to_owned()))
}

fn delete(arguments: TopicDeleteArguments, session: Session) -> Result<(), ClientError> {
    if !arguments.yes {
        check_somebody_is_there()?;
    }
    let mut client = session.client(arguments.caller, 1)?;
    let request = json!({ "Name": arguments.topic });
    if !arguments.yes {
        let found = result_of(&mut client, Action::DescribeDatahubTopic, &request)?;
        confirm(&format!(
            "Delete topic {} with all messages of its {} partitions? [y/N] ",
            shown(text(&found, "/Name")),
            count(&found, "/PartitionNum"),
        ))?;
    }
    let deleted = result_of(&mut client, Action::DeleteDatahubTopic, &request)?;
    if arguments.output.output == OutputForm::Json {
        return Ok(write_json(&deleted)?);
    }
    let line = format!("deleted topic {}\n", shown(&arguments.topic));
    Ok(write_out(line.as_bytes())?)
}

/// `TopicDetail` of all topics whose name contains `search`, whatever its
/// case. Topics made or deleted between two pages may be missed.
fn all_topics(
    client: &mut ApiClient,
    instance: &str,
    search: &str,
) -> Result<Vec<Value>, CallError> {
    let mut topics = Vec::new();
    loop {
        let request = json!({
            "InstanceId": instance,
            "SearchWord": search,
            "SearchWordIgnoreCaseFlag": true,
            "Limit": MAX_TOPIC_DETAILS_PAGE,
            "Offset": topics.len(),
        });
        let mut result = result_of(client, Action::DescribeTopicDetail, &request)?;
        let total = result["TotalCount"].as_u64();
        let (Value::Array(page), Some(total)) = (result["TopicList"].take(), total) else {
            return Err(client.not_the_api("a list of topics without topics".to_owned()));
        };
        let is_last = page.is_empty();
        topics.extend(page);
        if is_last || topics.len() as u64 >= total {
            topics.sort_by(|a, b| text(a, "/TopicName").cmp(text(b, "/TopicName")));
            return Ok(topics);
        }
    }
}

/// `Result` of the answer, an object.
fn result_of(client: &mut ApiClient, action: Action, request: &Value) -> Result<Value, CallError> {
    let mut response = client.call(action, request.to_string().as_bytes())?;
    match response["Result"].take() {
        result @ Value::Object(_) => Ok(result),
        _ => Err(client.not_the_api(format!("{action} without a Result"))),
    }
}

fn count(value: &Value, pointer: &str) -> String {
    let found = number(value, pointer);
    found.map(|number| number.to_string()).unwrap_or_default()
}

fn retention(topic: &Value) -> String {
    match number(topic, "/Config/Retention") {
        Some(ms) if ms < 0 => "forever".to_owned(),
        Some(ms) => duration_text(Duration::from_millis(ms.unsigned_abs())),
        None => String::new(),
    }
}

/// Only where there is such a limit.
fn retention_bytes(topic: &Value) -> String {
    let limit = number(topic, "/Config/RetentionBytes").filter(|bytes| *bytes >= 0);
    limit.map(|bytes| bytes.to_string()).unwrap_or_default()
}
