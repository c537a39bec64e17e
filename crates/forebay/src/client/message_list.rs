//! `forebay message list`

use forebay_api::limits::{MAX_LATEST_MESSAGES, MAX_LISTED_MESSAGES};
use forebay_api::{Action, check_topic_name};
use forebay_engine::clock::unix_millis;
use serde_json::{Value, json};

use super::answer_json::number;
use super::api_client::ApiClient;
use super::arguments::{MessageListArguments, OutputForm};
use super::error::{CallError, ClientError};
use super::output::{table, write_json, write_out};
use super::record::Record;
use super::session::Session;
use super::terminal_text::shown;
use crate::config::DEFAULT_INSTANCE;

/// Reads and prints messages, of one partition or of all.
///
/// # Errors
/// See [`ClientError`]; a malformed topic is a usage error.
pub(super) fn list(arguments: MessageListArguments, session: Session) -> Result<(), ClientError> {
    let topic = &arguments.topic;
    check_topic_name(topic).map_err(|problem| ClientError::Usage(format!("--topic: {problem}")))?;
    let mut client = session.client(arguments.caller.clone(), 1)?;
    let messages = match (arguments.offset, arguments.latest) {
        (Some(offset), _) => from_offset(&mut client, &arguments, offset)?,
        (None, true) => latest(&mut client, &arguments)?,
        (None, false) => since(&mut client, &arguments)?,
    };
    if arguments.output.output == OutputForm::Json {
        return Ok(write_json(&Value::Array(messages))?);
    }
    let head = ["PARTITION", "OFFSET", "TIME (UTC)", "KEY", "VALUE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for message in &messages {
        let record = Record::read(message).map_err(|reason| client.not_the_api(reason))?;
        rows.push(record.row());
    }
    Ok(write_out(table(&rows).as_bytes())?)
}

/// Pages on until there are as many as wanted, or the log's end comes.
fn from_offset(
    client: &mut ApiClient,
    arguments: &MessageListArguments,
    mut offset: i64,
) -> Result<Vec<Value>, CallError> {
    let mut messages: Vec<Value> = Vec::new();
    while messages.len() < arguments.count {
        let left = arguments.count - messages.len();
        let mut request = on_instance(arguments);
        request["Offset"] = offset.into();
        request["SinglePartitionRecordNumber"] = left.min(MAX_LISTED_MESSAGES).into();
        let page = list_of(client, Action::FetchMessageListByOffset, &request)?;
        let Some(last) = page.last().and_then(|last| number(last, "/Offset")) else {
            break;
        };
        // A service that does not move on would be asked for ever.
        if last < offset {
            return Err(client.not_the_api(format!("offset {last} in a list from {offset} on")));
        }
        offset = last.saturating_add(1);
        messages.extend(page);
    }
    messages.truncate(arguments.count);
    Ok(messages)
}

/// One question for the first messages of every partition; more of one are
/// read by offset.
fn since(
    client: &mut ApiClient,
    arguments: &MessageListArguments,
) -> Result<Vec<Value>, ClientError> {
    if arguments.partition.is_none() && arguments.count > MAX_LISTED_MESSAGES {
        return Err(ClientError::Usage(format!(
            "--count: at most {MAX_LISTED_MESSAGES} of every partition; for more name a --partition"
        )));
    }
    let mut request = on_instance(arguments);
    let first = arguments.count.min(MAX_LISTED_MESSAGES);
    request["SinglePartitionRecordNumber"] = first.into();
    if let Some(since) = arguments.since {
        request["StartTime"] = since.unix_ms(unix_millis()).into();
    }
    let mut messages = list_of(client, Action::FetchMessageListByTimestamp, &request)?;
    let last = messages.last().and_then(|last| number(last, "/Offset"));
    if let (Some(last), Some(_)) = (last, arguments.partition)
        && messages.len() < arguments.count
    {
        let rest = MessageListArguments {
            count: arguments.count - messages.len(),
            ..arguments.clone()
        };
        messages.extend(from_offset(client, &rest, last.saturating_add(1))?);
    }
    Ok(messages)
}

/// The API has this for topics of the first instance only.
fn latest(
    client: &mut ApiClient,
    arguments: &MessageListArguments,
) -> Result<Vec<Value>, ClientError> {
    if arguments.count > MAX_LATEST_MESSAGES {
        return Err(ClientError::Usage(format!(
            "--count: at most {MAX_LATEST_MESSAGES} of a partition with --latest"
        )));
    }
    let partitions = match arguments.partition {
        Some(partition) => partition..partition + 1,
        None => 0..partition_count(client, &arguments.topic)?,
    };
    let mut messages = Vec::new();
    for partition in partitions {
        let request = json!({
            "Name": arguments.topic,
            "Partition": partition,
            "MessageCount": arguments.count,
        });
        messages.extend(list_of(
            client,
            Action::FetchLatestDatahubMessageList,
            &request,
        )?);
    }
    Ok(messages)
}

fn partition_count(client: &mut ApiClient, topic: &str) -> Result<i32, CallError> {
    let request = json!({ "Name": topic }).to_string();
    let response = client.call(Action::DescribeDatahubTopic, request.as_bytes())?;
    let count = number(&response, "/Result/PartitionNum");
    let count = count.and_then(|count| i32::try_from(count).ok());
    count.ok_or_else(|| {
        client.not_the_api(format!("the topic {} without PartitionNum", shown(topic)))
    })
}

fn on_instance(arguments: &MessageListArguments) -> Value {
    let instance = arguments.instance.as_deref().unwrap_or(DEFAULT_INSTANCE);
    let mut request = json!({ "InstanceId": instance, "Topic": arguments.topic });
    if let Some(partition) = arguments.partition {
        request["Partition"] = partition.into();
    }
    request
}

/// The list that an answer is.
fn list_of(
    client: &mut ApiClient,
    action: Action,
    request: &Value,
) -> Result<Vec<Value>, CallError> {
    let mut response = client.call(action, request.to_string().as_bytes())?;
    match response["Result"].take() {
        Value::Array(list) => Ok(list),
        _ => Err(client.not_the_api(format!("{action} without a list"))),
    }
}
