//! A request's way through a worker: head, size, memory, body, actor, answer.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::SendError;
use actix::{Actor as _, Addr};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::http::{ConnectionType, Method, StatusCode, Version};
use actix_web::{Error, HttpMessage as _, HttpResponse};
use forebay_api::limits::MAX_RAW_BODY_BYTES;
use forebay_api::{Action, ApiError, ErrorCode};
use forebay_engine::Topic;
use forebay_engine::admission::Permit;
use forebay_engine::clock::unix_millis;
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::authenticate::claimed_action;
use super::body::{self, BodyFault, FIRST_STEP};
use super::error;
use super::ingress::{Accepted, Ingest, IngressActor};
use super::message_actions;
use super::raw_request::{Head, RawRequest};
use super::reply::{Awaited, reply};
use super::request_id::{RequestId, RequestIds};
use super::send_message;
use super::shared::Shared;
use super::task_actions::TaskAction;
use super::topic_actions;
use crate::lifecycle::Phase;

/// Reserved for a request besides its head and body: bookkeeping, and an answer
/// about one thing. Lists and messages count their own bytes.
pub(super) const OVERHEAD_BYTES: usize = 2048;

/// Part of the deadline kept for making and sending the answer.
pub(super) const ANSWER_TIME: Duration = Duration::from_millis(50);

/// One HTTP worker.
pub(super) struct Worker {
    shared: Arc<Shared>,
    ids: RequestIds,
    ingress: RefCell<Addr<IngressActor>>,
}

impl Worker {
    /// Starts the worker's actor on this thread's arbiter.
    pub(super) fn start(shared: Arc<Shared>) -> Rc<Self> {
        let ingress = IngressActor::new(Arc::clone(&shared)).start();
        shared.engine.host_producers_here();
        Rc::new(Self {
            shared,
            ids: RequestIds::new(),
            ingress: RefCell::new(ingress),
        })
    }

    /// The worker's actor; a new one should it have died of a panic, so that
    /// one bad request costs one request and not the worker.
    fn ingress(&self) -> Addr<IngressActor> {
        let mut ingress = self.ingress.borrow_mut();
        if !ingress.connected() {
            tracing::error!("an HTTP worker's actor was gone and has been started anew");
            *ingress = IngressActor::new(Arc::clone(&self.shared)).start();
        }
        ingress.clone()
    }

    /// Answers any request; never fails.
    pub(super) async fn serve(
        self: Rc<Self>,
        mut request: ServiceRequest,
    ) -> Result<actix_web::dev::ServiceResponse, Error> {
        let started = Instant::now();
        let id = self.ids.next();
        let accepted = self.shared.lifecycle.accept();
        let answer = if accepted.is_some() {
            self.answer(&mut request, id).await
        } else {
            self.shared.metrics.shed_draining.increment(1);
            Box::pin(self.refuse(&mut request, error::draining(), id)).await
        };
        self.record(&answer, id, started.elapsed());
        // actix-http closes after a request that offered an upgrade; said aloud, or
        // clients would send their next one into the closing connection.
        let closes = self.shared.lifecycle.phase() > Phase::Serving || offers_upgrade(&request);
        let response: HttpResponse = answer.into_response(closes, accepted);
        Ok(request.into_response(response))
    }

    /// Counts an answer, and logs it if the trouble is ours.
    fn record(&self, answer: &Answer, id: RequestId, elapsed: Duration) {
        self.shared
            .record(answer.action, answer.error.as_ref(), id.as_str(), elapsed);
    }

    async fn answer(&self, request: &mut ServiceRequest, id: RequestId) -> Answer {
        if let Some(answer) = outside_the_api(request, id) {
            return answer;
        }
        let declared = declared_length(request);
        let mut permit = match self.admit(request, declared) {
            Ok(permit) => permit,
            Err(error) => return Box::pin(self.refuse(request, error, id)).await,
        };
        let mut payload = request.take_payload();
        let head = Head {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: std::mem::take(request.headers_mut()),
        };
        let pace = self.shared.settings.body_pace;
        let body = match body::read(&mut payload, declared, &mut permit, pace).await {
            Ok(body) => body,
            Err(fault) => {
                drop(permit);
                return Box::pin(self.cut(&fault, head, payload, id)).await;
            }
        };
        // The body's last byte is here: from now on the time counts.
        let request = RawRequest {
            head,
            body,
            received_ms: unix_millis(),
            deadline: Instant::now() + self.shared.settings.deadline - ANSWER_TIME,
            permit: Arc::new(permit),
        };
        let permit = Arc::clone(&request.permit);
        self.run(request, id).await.holding(permit)
    }

    /// What can be told from the head alone, and the memory for the body.
    fn admit(&self, request: &ServiceRequest, declared: Option<usize>) -> Result<Permit, ApiError> {
        if let Some(length) = declared.filter(|length| *length > MAX_RAW_BODY_BYTES) {
            let length = length as u64;
            return Err(ApiError::request_too_large(
                MAX_RAW_BODY_BYTES,
                Some(length),
            ));
        }
        let bytes = declared.unwrap_or(FIRST_STEP) + head_bytes(request) + OVERHEAD_BYTES;
        let permit = self.shared.engine.admission().try_reserve(bytes);
        permit.map_err(|refusal| {
            self.shared.metrics.shed_memory.increment(1);
            error::memory(&refusal)
        })
    }

    /// Hands the complete request to the worker's actor and waits for what
    /// comes of it.
    async fn run(&self, mut request: RawRequest, id: RequestId) -> Answer {
        loop {
            let deadline = request.deadline;
            // What is seldom is boxed: this future is moved for every request.
            match self.hand_over(request).await.said(deadline).await {
                Some(Ok(Accepted::Delivery { delivery, spec })) => {
                    let result = send_message::answer(&spec, &delivery.end(), id.as_str());
                    let result = result
                        .map_err(|error| send_message::explain(error, &self.shared.engine, &spec));
                    return Answer::of(Action::SendMessage, result, id);
                }
                Some(Ok(Accepted::TopicNotLoaded {
                    topic,
                    request: again,
                })) => {
                    if let Err(error) = Box::pin(loaded(&topic, deadline)).await {
                        return Answer::error(Some(Action::SendMessage), error, id);
                    }
                    request = again;
                }
                Some(Ok(Accepted::TaskAction(action))) => {
                    return Box::pin(act(action, &self.shared, id)).await;
                }
                Some(Err(refused)) => return Answer::error(refused.action, refused.error, id),
                None => return Answer::error(None, error::worker_died(), id),
            }
        }
    }

    /// Puts the request into the actor's mailbox.
    async fn hand_over(&self, request: RawRequest) -> Awaited {
        let (reply, awaited) = reply();
        let mut ingest = Ingest { request, reply };
        loop {
            match self.ingress().try_send(ingest) {
                Ok(()) => return awaited,
                // Its turn comes before ours.
                Err(SendError::Full(again)) => ingest = again,
                // `ingress` makes a new one.
                Err(SendError::Closed(again)) => ingest = again,
            }
            tokio::task::yield_now().await;
        }
    }

    /// Refuses a request whose body has not been read, holding nothing.
    async fn refuse(&self, request: &mut ServiceRequest, error: ApiError, id: RequestId) -> Answer {
        let action = claimed_action(&Head {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: std::mem::take(request.headers_mut()),
        });
        body::discard(&mut request.take_payload()).await;
        Answer::error(action, error, id)
    }

    /// Refuses a request in the middle of its body.
    async fn cut(
        &self,
        fault: &BodyFault,
        head: Head,
        mut payload: Payload,
        id: RequestId,
    ) -> Answer {
        let answer = Answer::error(claimed_action(&head), error::body(fault), id);
        drop(head);
        match fault {
            BodyFault::TooLarge => body::discard(&mut payload).await,
            BodyFault::Memory(_) => {
                self.shared.metrics.shed_memory.increment(1);
                body::discard(&mut payload).await;
            }
            // Waiting for more of it is what was given up.
            BodyFault::TooSlow { .. } | BodyFault::Broken(_) => return answer.closing(),
        }
        answer
    }
}

/// Any action but SendMessage.
pub(super) async fn act(action: TaskAction, shared: &Shared, id: RequestId) -> Answer {
    let name = action.action;
    if message_actions::reads_messages(name) {
        let result = message_actions::run(action, shared, id.as_str()).await;
        return Answer::of_query(name, result, id);
    }
    if topic_actions::is_about_topics(name) {
        let result = topic_actions::run(action, shared, id.as_str()).await;
        return Answer::of_held(name, result, id);
    }
    let result = action.run(shared, id.as_str()).await;
    Answer::of_held(name, result, id)
}

/// Waits for a topic that nothing was sent to before.
///
/// # Errors
/// When it is not there by the deadline; nothing was handed over.
pub(super) async fn loaded(topic: &Topic, deadline: Instant) -> Result<(), ApiError> {
    let ready = timeout_at(deadline, topic.ready()).await;
    let in_time = Instant::now() < deadline;
    match ready {
        Ok(Ok(())) if in_time => Ok(()),
        // Submitting again tells the caller so, and counts it.
        Ok(Err(error)) if in_time && error.is_unknown_topic() => Ok(()),
        Ok(Err(error)) => Err(error::not_stored(error)),
        Ok(Ok(())) | Err(_) => Err(error::not_stored(
            "Kafka did not tell of the topic within the deadline",
        )),
    }
}

/// `Connection: Upgrade`, as Java's HttpClient and `curl --http2` offer HTTP/2 without
/// TLS. Nobody has to accept it (RFC 9110, 7.8).
pub(crate) fn offers_upgrade(request: &ServiceRequest) -> bool {
    request.head().connection_type() == ConnectionType::Upgrade
}

/// Paths and methods where SDKs never go.
fn outside_the_api(request: &ServiceRequest, id: RequestId) -> Option<Answer> {
    if request.path() != "/" {
        let error = ApiError::new(
            ErrorCode::ResourceNotFound,
            "no such path; the API is at /, by POST or GET",
        );
        return Some(Answer::status(StatusCode::NOT_FOUND, error, id));
    }
    match *request.method() {
        Method::POST | Method::GET => None,
        _ => {
            let error = ApiError::new(
                ErrorCode::UnsupportedProtocol,
                "no such method; the API takes POST and GET",
            );
            Some(Answer::status(StatusCode::METHOD_NOT_ALLOWED, error, id))
        }
    }
}

/// The body's Content-Length. actix-http has checked it (digits, only one,
/// never beside chunked) and has answered 400 otherwise; no header and no
/// chunks is no body. HTTP/2 has frames: there no header tells nothing.
fn declared_length(request: &ServiceRequest) -> Option<usize> {
    match request.headers().get(CONTENT_LENGTH) {
        Some(value) => Some(
            value
                .to_str()
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(usize::MAX),
        ),
        None if request.version() == Version::HTTP_2 => None,
        None if request.chunked().unwrap_or(false) => None,
        None => Some(0),
    }
}

/// What the head takes in memory, roughly: its names and values.
fn head_bytes(request: &ServiceRequest) -> usize {
    let headers = request.headers().iter();
    let headers: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    headers
        + request
            .uri()
            .path_and_query()
            .map_or(0, |target| target.as_str().len())
}
