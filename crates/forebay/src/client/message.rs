//! `forebay message get`

use forebay_api::{Action, MessageId, check_topic_name};
use serde_json::{Value, json};

use super::api_client::ApiClient;
use super::arguments::{MessageGetArguments, OutputForm};
use super::error::{CallError, ClientError};
use super::output::{write_json, write_out};
use super::record::Record;
use super::session::Session;
use super::task_lookup::task_of_datahub;
use super::terminal_text::shown;
use crate::config::DEFAULT_INSTANCE;

/// Where a record is.
struct Place {
    /// `None` where neither a flag nor a task tells.
    instance: Option<String>,
    topic: String,
    partition: i32,
    offset: i64,
}

/// Reads and prints one message.
///
/// # Errors
/// See [`ClientError`]; a malformed MessageId or topic is a usage error.
pub(super) fn get(arguments: MessageGetArguments, session: Session) -> Result<(), ClientError> {
    let (place, datahub_id) = wanted(&arguments)?;
    let mut client = session.client(arguments.caller, 1)?;
    let instance = match (&place.instance, datahub_id) {
        (Some(instance), _) => instance.clone(),
        (None, Some(datahub_id)) => instance_of(&mut client, &datahub_id)?,
        (None, None) => DEFAULT_INSTANCE.to_owned(),
    };
    let request = json!({
        "InstanceId": instance,
        "Topic": place.topic,
        "Partition": place.partition,
        "Offset": place.offset,
    });
    let mut response = client.call(Action::FetchMessageByOffset, request.to_string().as_bytes())?;
    let json = response["Result"].take();
    if arguments.output.output == OutputForm::Json {
        return Ok(write_json(&json)?);
    }
    let record = Record::read(&json).map_err(|reason| client.not_the_api(reason))?;
    if arguments.raw {
        return Ok(write_out(record.value.as_deref().unwrap_or_default())?);
    }
    Ok(write_out(record.to_string().as_bytes())?)
}

/// The place, and the access point that a MessageId names.
fn wanted(arguments: &MessageGetArguments) -> Result<(Place, Option<String>), ClientError> {
    let usage = |reason: String| ClientError::Usage(reason);
    if let Some(text) = &arguments.message_id {
        let id: MessageId = text
            .parse()
            .map_err(|error| usage(format!("not a MessageId [{}]: {error}", shown(text))))?;
        let place = Place {
            instance: arguments.instance.clone(),
            topic: id.topic,
            partition: id.partition,
            offset: id.offset,
        };
        return Ok((place, Some(id.datahub_id)));
    }
    let (Some(topic), Some(partition), Some(offset)) =
        (&arguments.topic, arguments.partition, arguments.offset)
    else {
        return Err(usage(
            "expected a MessageId, or --topic, --partition and --offset".to_owned(),
        ));
    };
    check_topic_name(topic).map_err(|problem| usage(format!("--topic: {problem}")))?;
    let place = Place {
        instance: arguments.instance.clone(),
        topic: topic.clone(),
        partition,
        offset,
    };
    Ok((place, None))
}

/// The instance that the access point's task writes to. The message may
/// outlive its task, and a caller who may read need not see tasks: then the
/// default instance is tried.
fn instance_of(client: &mut ApiClient, datahub_id: &str) -> Result<String, CallError> {
    let request = json!({ "TaskId": task_of_datahub(datahub_id) });
    match client.call(Action::DescribeDatahubTask, request.to_string().as_bytes()) {
        Ok(response) => Ok(instance_in(&response)
            .unwrap_or(DEFAULT_INSTANCE)
            .to_owned()),
        Err(CallError::Refused { code, .. })
            if code == "ResourceNotFound" || code == "AuthFailure.UnauthorizedOperation" =>
        {
            Ok(DEFAULT_INSTANCE.to_owned())
        }
        Err(error) => Err(error),
    }
}

fn instance_in(response: &Value) -> Option<&str> {
    let found = response.pointer("/Result/TargetResource/KafkaParam/Resource")?;
    found.as_str().filter(|id| !id.is_empty())
}
