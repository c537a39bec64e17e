//! Actions for a caller who is known by other means than a signature: a person
//! who has signed in at the console.
//!
//! What an action does, and who may, is where it is for signed requests.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, Uri};
use bytes::Bytes;
use forebay_api::{Action, ApiError, ErrorCode, send_message::parse};
use forebay_engine::clock::unix_millis;
use tokio::time::Instant;

use super::answer::Answer;
use super::authenticate::Caller;
use super::body;
use super::dispatch::{ANSWER_TIME, OVERHEAD_BYTES, act, loaded};
use super::error;
use super::flattened_request::Encoding;
use super::raw_request::{Head, RawRequest};
use super::request_id::{RequestId, RequestIds};
use super::send_message::{self, Submitted};
use super::shared::Shared;
use super::task_actions::TaskAction;
use crate::lifecycle::Phase;

/// Largest body: nobody types a longer message.
const MAX_BODY_BYTES: usize = 2 << 20;

/// What an action came to.
pub(crate) struct Acted {
    /// The API's answer; whoever has it holds the memory that it takes.
    pub(crate) response: HttpResponse,
    /// What was asked for; empty if the body was not read.
    pub(crate) body: Bytes,
    /// `None` if all went well.
    pub(crate) error: Option<ErrorCode>,
}

/// Reads the body and does what it asks for, within the limits of any request.
///
/// # Cancellation
/// As with a signed request whose caller has left: what was begun is done.
pub(crate) async fn act_for(
    caller: Caller,
    action: Action,
    shared: &Arc<Shared>,
    declared: Option<usize>,
    payload: Payload,
) -> Acted {
    let started = Instant::now();
    let id = RequestIds::new().next();
    let accepted = shared.lifecycle.accept();
    let mut body = Bytes::new();
    let answer = if accepted.is_some() {
        let read = read_body(shared, declared, payload).await;
        match read {
            Ok(request) => {
                body = request.body.clone();
                answer(caller, action, shared, request, id).await
            }
            Err(error) => Answer::error(Some(action), error, id).closing(),
        }
    } else {
        shared.metrics.shed_draining.increment(1);
        Answer::error(Some(action), error::draining(), id).closing()
    };
    let elapsed: Duration = started.elapsed();
    shared.record(answer.action, answer.error.as_ref(), id.as_str(), elapsed);
    let draining = shared.lifecycle.phase() > Phase::Serving;
    Acted {
        error: answer.error.as_ref().map(|error| error.code),
        response: answer.into_response(draining, accepted),
        body,
    }
}

async fn read_body(
    shared: &Shared,
    declared: Option<usize>,
    mut payload: Payload,
) -> Result<RawRequest, ApiError> {
    let Some(length) = declared else {
        return Err(ApiError::new(
            ErrorCode::InvalidParameter,
            "expected a body with a Content-Length",
        ));
    };
    if length > MAX_BODY_BYTES {
        let length = Some(length as u64);
        return Err(ApiError::request_too_large(MAX_BODY_BYTES, length));
    }
    let admission = shared.engine.admission();
    let mut permit = admission
        .try_reserve(length + OVERHEAD_BYTES)
        .map_err(|refusal| {
            shared.metrics.shed_memory.increment(1);
            error::memory(&refusal)
        })?;
    let pace = shared.settings.body_pace;
    let body = body::read(&mut payload, declared, &mut permit, pace)
        .await
        .map_err(|fault| error::body(&fault))?;
    Ok(RawRequest {
        head: Head {
            method: Method::POST,
            uri: Uri::from_static("/"),
            headers: HeaderMap::new(),
        },
        body,
        received_ms: unix_millis(),
        deadline: Instant::now() + shared.settings.deadline - ANSWER_TIME,
        permit: Arc::new(permit),
    })
}

async fn answer(
    caller: Caller,
    action: Action,
    shared: &Arc<Shared>,
    request: RawRequest,
    id: RequestId,
) -> Answer {
    let permit = Arc::clone(&request.permit);
    let answer = if action == Action::SendMessage {
        let result = send(&caller, shared, &request, id).await;
        Answer::of(action, result, id)
    } else {
        let action = TaskAction {
            action,
            request,
            caller,
            encoding: Encoding::Json,
            _decoded: None,
        };
        act(action, shared, id).await
    };
    answer.holding(permit)
}

async fn send(
    caller: &Caller,
    shared: &Shared,
    request: &RawRequest,
    id: RequestId,
) -> Result<Vec<u8>, ApiError> {
    let parsed = parse(&request.body)?;
    loop {
        match send_message::submit(shared, caller, &parsed, request)? {
            Submitted::Delivery { delivery, spec } => {
                let report = delivery.outcome().await;
                let answer = send_message::answer(&spec, &report, id.as_str());
                return answer.map_err(|error| send_message::explain(error, &shared.engine, &spec));
            }
            Submitted::TopicNotLoaded(topic) => loaded(&topic, request.deadline).await?,
        }
    }
}
