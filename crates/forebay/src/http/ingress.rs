//! The actor of an HTTP worker: it turns a complete request into a delivery
//! under way, a task action allowed to run, or a refusal.
//!
//! There is one on each worker's own thread, so a message to it never crosses
//! threads, and what it keeps (signing keys) needs no lock. Its handler never
//! waits.

use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Context, Handler, Message};
use actix_web::http::header::CONTENT_ENCODING;
use forebay_api::send_message::{from_flattened, parse};
use forebay_api::tc3::{SigningKeyCache, Verifier};
use forebay_api::{Action, ApiError, ErrorCode};
use forebay_engine::Topic;
use forebay_engine::admission::Permit;
use forebay_engine::delivery::Delivery;
use forebay_engine::task::TaskSpec;

use super::authenticate;
use super::error;
use super::flattened_request::{self, Encoding, Flat, is_form_without_authorization};
use super::raw_request::RawRequest;
use super::reply::Reply;
use super::send_message::{self, Submitted};
use super::shared::Shared;
use super::task_actions::TaskAction;

/// Requests that may wait in a worker's mailbox. Each one is a connection's
/// current request, so connections bound them too.
const MAILBOX: usize = 4096;

/// Signing keys kept a worker: one per credential, day and service name.
const SIGNING_KEYS: usize = 1024;

/// What became of a request that was not refused.
pub(super) enum Accepted {
    /// SendMessage: handed over.
    Delivery {
        delivery: Delivery,
        /// Names of the access point and the topic, for the answer.
        spec: Arc<TaskSpec>,
    },
    /// SendMessage to a topic that nothing was sent to before: nothing is
    /// handed over. Send the request again once the topic is loaded.
    TopicNotLoaded {
        topic: Arc<Topic>,
        request: RawRequest,
    },
    /// Another action: its caller is known, nothing is begun.
    TaskAction(TaskAction),
}

/// A refusal, and the action if it is known by then (for metrics).
pub(super) struct Refused {
    pub(super) action: Option<Action>,
    pub(super) error: ApiError,
}

/// A request, and where to say what comes of it.
pub(super) struct Ingest {
    pub(super) request: RawRequest,
    pub(super) reply: Reply,
}

impl Message for Ingest {
    type Result = ();
}

/// See the module.
pub(super) struct IngressActor {
    shared: Arc<Shared>,
    verifier: Verifier,
    keys: SigningKeyCache,
    /// Of the credentials that `keys` were derived from.
    generation: u64,
}

impl IngressActor {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            verifier: shared.settings.verifier(),
            generation: shared.credentials.generation(),
            keys: SigningKeyCache::new(SIGNING_KEYS),
            shared,
        }
    }

    /// Keys of credentials that have changed are forgotten.
    fn renew_keys(&mut self) {
        let generation = self.shared.credentials.generation();
        if generation != self.generation {
            self.keys.clear();
            self.generation = generation;
        }
    }

    fn record_auth(&self, started: Instant) {
        let elapsed = started.elapsed().as_secs_f64();
        self.shared.metrics.auth_seconds.record(elapsed);
    }

    /// Signature, action and version, JSON and types, counts and sizes, the
    /// credential's scope, task, pause: in this order, see the contract.
    fn accept(&mut self, request: RawRequest) -> Result<Accepted, Refused> {
        self.renew_keys();
        if flattened_request::is_get(&request.head) {
            return self.accept_flattened(request, Encoding::Query);
        }
        let started = Instant::now();
        let caller = authenticate::caller(&self.verifier, &request, &self.shared, &mut self.keys);
        // Asked only of what is refused: the usual request pays nothing.
        if caller.is_err() && is_form_without_authorization(&request.head) {
            return self.accept_flattened(request, Encoding::Form);
        }
        self.record_auth(started);
        let unknown_action = |error| Refused {
            action: None,
            error,
        };
        let caller = caller.map_err(|error| Refused {
            action: authenticate::claimed_action(&request.head),
            error,
        })?;
        let action = authenticate::action(&request.head).map_err(unknown_action)?;
        let refuse = |error| Refused {
            action: Some(action),
            error,
        };
        authenticate::version(&request.head).map_err(refuse)?;
        check_encoding(&request).map_err(refuse)?;
        if action == Action::SendMessage {
            let parsed = parse(&request.body).map_err(refuse)?;
            let submitted = send_message::submit(&self.shared, &caller, &parsed, &request);
            return match submitted.map_err(refuse)? {
                Submitted::Delivery { delivery, spec } => Ok(Accepted::Delivery { delivery, spec }),
                Submitted::TopicNotLoaded(topic) => Ok(Accepted::TopicNotLoaded { topic, request }),
            };
        }
        Ok(Accepted::TaskAction(TaskAction {
            action,
            request,
            caller,
            encoding: Encoding::Json,
            _decoded: None,
        }))
    }

    /// The same for parameters in a query or a form, which are seldom.
    #[cold]
    fn accept_flattened(
        &mut self,
        request: RawRequest,
        encoding: Encoding,
    ) -> Result<Accepted, Refused> {
        let decoded = self.reserve(encoding.decoded_bytes(&request))?;
        let started = Instant::now();
        let (verifier, shared) = (&self.verifier, &self.shared);
        let flat = flattened_request::read(verifier, &request, encoding, shared, &mut self.keys);
        self.record_auth(started);
        let Flat {
            caller,
            action,
            parameters,
        } = flat?;
        let refuse = |error| Refused {
            action: Some(action),
            error,
        };
        check_encoding(&request).map_err(refuse)?;
        if action == Action::SendMessage {
            let parsed = from_flattened(&parameters).map_err(refuse)?;
            let submitted = send_message::submit(&self.shared, &caller, &parsed, &request);
            return match submitted.map_err(refuse)? {
                Submitted::Delivery { delivery, spec } => Ok(Accepted::Delivery { delivery, spec }),
                Submitted::TopicNotLoaded(topic) => {
                    drop(parsed);
                    drop(parameters);
                    Ok(Accepted::TopicNotLoaded { topic, request })
                }
            };
        }
        drop(parameters);
        Ok(Accepted::TaskAction(TaskAction {
            action,
            request,
            caller,
            encoding,
            _decoded: Some(decoded),
        }))
    }

    /// Memory beside the request's own.
    fn reserve(&self, bytes: usize) -> Result<Permit, Refused> {
        let permit = self.shared.engine.admission().try_reserve(bytes);
        permit.map_err(|refusal| {
            self.shared.metrics.shed_memory.increment(1);
            Refused {
                action: None,
                error: error::memory(&refusal),
            }
        })
    }
}

impl Actor for IngressActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Ingest> for IngressActor {
    type Result = ();

    fn handle(&mut self, ingest: Ingest, _: &mut Self::Context) {
        let Ingest { request, reply } = ingest;
        reply.say(self.accept(request));
    }
}

/// Bodies are never decompressed: a few hundred bytes can unpack to half a
/// gigabyte before any limit on the parsed side sees them.
fn check_encoding(request: &RawRequest) -> Result<(), ApiError> {
    let mut encodings = request.head.headers.get_all(CONTENT_ENCODING);
    if encodings.all(|value| {
        value
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"identity")
    }) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::InvalidParameter,
        "Content-Encoding: request bodies must not be compressed",
    ))
}
