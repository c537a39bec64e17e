//! SendMessage: hands over, and tells what became of it.

use std::sync::Arc;

use forebay_api::answer::{MessageIds, PartlyStored};
use forebay_api::{Action, ApiError, ErrorCode, SendMessageRequest};
use forebay_broker::DiskSpace;
use forebay_engine::activity::Refusal;
use forebay_engine::clock::unix_millis;
use forebay_engine::delivery::{Delivery, MessageOutcome, Report};
use forebay_engine::task::TaskSpec;
use forebay_engine::{Engine, OutgoingMessage, SubmitError, Topic};

use super::authenticate::Caller;
use super::error::{not_stored, unknown};
use super::raw_request::RawRequest;
use super::shared::Shared;

/// What became of a request that may be sent.
pub(super) enum Submitted {
    /// It is handed over.
    Delivery {
        delivery: Delivery,
        spec: Arc<TaskSpec>,
    },
    /// Nothing is handed over until this topic is loaded.
    TopicNotLoaded(Arc<Topic>),
}

/// Scope, task, pause, hand-over. Never waits.
///
/// # Errors
/// As the contract's table says; nothing is stored then.
pub(super) fn submit(
    shared: &Shared,
    caller: &Caller,
    request: &SendMessageRequest<'_>,
    raw: &RawRequest,
) -> Result<Submitted, ApiError> {
    let datahub_id: &str = &request.datahub_id;
    caller.may(Action::SendMessage)?;
    caller.may_use(datahub_id)?;
    let Some(task) = shared.engine.tasks().lookup(datahub_id) else {
        return Err(no_such_task(shared, datahub_id));
    };
    let count_refused = |refusal| {
        let metrics = shared.engine.task_metrics(&task);
        metrics.refused(request.messages.len() as u64);
        metrics.activity.refused(raw.received_ms, refusal);
    };
    if task.is_deleted() {
        return Err(ApiError::datahub_not_found(datahub_id));
    }
    if !task.is_running() {
        count_refused(Refusal::Suspended);
        return Err(ApiError::task_suspended(datahub_id));
    }
    // The broker would refuse each attempt until the deadline, and nobody could
    // say then what became of the messages.
    if shared.disk.as_ref().is_some_and(DiskSpace::is_full) {
        count_refused(Refusal::NotStored);
        return Err(not_stored(
            "the disk of the embedded broker is full; free space, or delete topics",
        ));
    }
    let messages: Vec<OutgoingMessage<'_>> = request
        .messages
        .iter()
        .map(|message| OutgoingMessage {
            key: message.key.as_deref().map(str::as_bytes),
            value: message.body.as_bytes(),
        })
        .collect();
    let permit = Arc::clone(&raw.permit);
    let engine = &shared.engine;
    match engine.submit(&task, &messages, raw.received_ms, raw.deadline, permit) {
        Ok(delivery) => Ok(Submitted::Delivery {
            delivery,
            spec: Arc::clone(task.spec()),
        }),
        Err(SubmitError::TopicNotLoaded(topic)) => Ok(Submitted::TopicNotLoaded(topic)),
        Err(error) => {
            match &error {
                SubmitError::OverQpsLimit(_) => shared.metrics.shed_qps.increment(1),
                SubmitError::InstanceMemory { .. } => shared.metrics.shed_memory.increment(1),
                _ => {}
            }
            count_refused(kind(&error));
            Err(refused(error, datahub_id))
        }
    }
}

/// While the registry has not been read nobody knows which tasks there are:
/// "no such access point" would be a lie that callers act upon.
fn no_such_task(shared: &Shared, datahub_id: &str) -> ApiError {
    if forebay_api::is_datahub_id(datahub_id) && !shared.engine.registry_status().loaded {
        return not_stored("the tasks have not been read from Kafka yet");
    }
    ApiError::datahub_not_found(datahub_id)
}

fn kind(error: &SubmitError) -> Refusal {
    match error {
        SubmitError::OverQpsLimit(_) | SubmitError::InstanceMemory { .. } => Refusal::OverLimit,
        SubmitError::TopicGone(_) => Refusal::TopicGone,
        SubmitError::MessageTooLarge { .. } => Refusal::Invalid,
        SubmitError::UnknownInstance(_) | SubmitError::TopicNotLoaded(_) => Refusal::NotStored,
    }
}

fn refused(error: SubmitError, datahub_id: &str) -> ApiError {
    match error {
        SubmitError::OverQpsLimit(_) => ApiError::new(
            ErrorCode::RequestLimitExceeded,
            format!("not stored: {error} [{datahub_id}]; send again a little later"),
        ),
        SubmitError::InstanceMemory { .. } => ApiError::new(
            ErrorCode::RequestLimitExceeded,
            format!("not stored: {error}; send again a little later"),
        ),
        SubmitError::TopicGone(topic) => ApiError::new(
            ErrorCode::ResourceNotFound,
            format!("the topic [{topic}] of access point [{datahub_id}] is gone"),
        ),
        SubmitError::MessageTooLarge {
            index,
            actual,
            limit,
        } => ApiError::new(
            ErrorCode::InvalidParameterValue,
            format!(
                "Message[{index}] makes a record of {actual} bytes, \
                 the limit of its topic (max.message.bytes) is {limit}"
            ),
        ),
        // Only a task that another replica made, with more instances, has one.
        SubmitError::UnknownInstance(_) | SubmitError::TopicNotLoaded(_) => not_stored(error),
    }
}

/// The MessageIds' JSON, or the error that says what became of each message.
///
/// # Errors
/// Unless all messages are stored.
pub(super) fn answer(
    spec: &TaskSpec,
    report: &Report,
    request_id: &str,
) -> Result<Vec<u8>, ApiError> {
    let datahub_id = spec.datahub_id();
    let (datahub_id, topic) = (datahub_id.as_str(), spec.target.topic.as_str());
    let received_ms = report.received_ms();
    if report.all_stored() {
        report.show(unix_millis(), None);
        let mut ids = MessageIds::new(datahub_id, topic, received_ms, report.len());
        for outcome in report.outcomes() {
            if let MessageOutcome::Stored {
                partition,
                offset,
                sent_ms,
            } = outcome
            {
                ids.push(partition, offset, sent_ms);
            }
        }
        return Ok(ids.finish(request_id));
    }
    let error = failure(datahub_id, topic, received_ms, report.outcomes());
    let refusal = match error.code {
        ErrorCode::ResourceUnavailableKafkaStorageError => Refusal::NotStored,
        _ => Refusal::Unknown,
    };
    report.show(unix_millis(), Some(refusal));
    Err(error)
}

/// Adds what is known to be wrong with the task's instance: that a deadline has
/// passed does not tell anybody what to do.
pub(super) fn explain(mut error: ApiError, engine: &Engine, spec: &TaskSpec) -> ApiError {
    let instance = &spec.target.instance;
    // What was partly stored is told as JSON, with nothing behind it.
    let is_prose = ["not stored: ", "delivery unknown: "]
        .iter()
        .any(|start| error.message.starts_with(start));
    if is_prose && let Some(problem) = engine.instance_problem(instance) {
        let message = error.message.to_mut();
        message.push_str(&format!("; instance {instance}: {problem}"));
    }
    error
}

fn failure<'r>(
    datahub_id: &str,
    topic: &str,
    received_ms: i64,
    outcomes: impl Iterator<Item = MessageOutcome<'r>>,
) -> ApiError {
    let mut partly = PartlyStored::new(datahub_id, topic, received_ms);
    let mut any_stored = false;
    let mut why_not_stored = None;
    let mut why_unknown = None;
    for (index, outcome) in outcomes.enumerate() {
        match outcome {
            MessageOutcome::Stored {
                partition,
                offset,
                sent_ms,
            } => {
                any_stored = true;
                partly.stored(index, partition, offset, sent_ms);
            }
            MessageOutcome::NotStored(reason) => {
                why_not_stored.get_or_insert(reason);
                partly.not_stored(index);
            }
            MessageOutcome::Unknown(reason) => {
                why_unknown.get_or_insert(reason);
                partly.unknown(index);
            }
        }
    }
    match (any_stored, why_unknown) {
        (true, _) => partly.into_error(),
        (false, Some(reason)) => unknown(reason),
        (false, None) => not_stored(why_not_stored.unwrap_or("no reason known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: MessageOutcome<'_> = MessageOutcome::Stored {
        partition: 1,
        offset: 41,
        sent_ms: 9,
    };

    fn told(outcomes: &[MessageOutcome<'static>]) -> (ErrorCode, String) {
        let error = failure("datahub-aaaaaaaa", "t", 8, outcomes.iter().copied());
        (error.code, error.message.into_owned())
    }

    #[test]
    fn what_became_of_each_message_decides_the_error() {
        use MessageOutcome::{NotStored, Unknown};
        let (code, text) = told(&[NotStored("r1"), NotStored("r2")]);
        assert_eq!(code.as_str(), "ResourceUnavailable.KafkaStorageError");
        assert_eq!(text, "not stored: r1");
        let (code, text) = told(&[NotStored("r1"), Unknown("r2")]);
        assert_eq!(code, ErrorCode::FailedOperation);
        assert_eq!(text, "delivery unknown: r2");
        let (code, text) = told(&[Unknown("r"), STORED, NotStored("r")]);
        assert_eq!(code, ErrorCode::FailedOperation);
        assert_eq!(
            text,
            "partly stored: {\"stored\":{\"1\":\"datahub-aaaaaaaa:t:1:41:8:9\"},\
             \"not_stored\":[2],\"unknown\":[0]}"
        );
    }
}
