//! The API listener.
//!
//! Not actix-web's `HttpServer`: that one limits connections per worker and
//! by not accepting. Here actix-server runs actix-http's `HttpService` around
//! an actix-web `App`, and a layer between them counts connections.

mod answer;
mod authenticate;
mod body;
mod clock_skew;
mod connection;
mod dispatch;
mod error;
mod flattened_request;
mod ingress;
mod message_actions;
mod problem_log;
mod raw_request;
mod reply;
mod request_id;
mod request_metrics;
mod send_message;
mod shared;
mod target_topic;
mod task_actions;
mod task_shapes;
mod topic_actions;
mod topic_scope;

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::{Server, ServerBuilder};
use actix_service::map_config;
use actix_web::App;
use actix_web::dev::{AppConfig, ServiceRequest, fn_service};

pub(crate) use clock_skew::ClockSkew;
pub(crate) use connection::{ConnectionCount, Counted};
pub(crate) use problem_log::ProblemLog;
pub(crate) use request_metrics::RequestMetrics;
pub(crate) use shared::{RequestSettings, Shared};

use dispatch::Worker;

/// Longest time for a request's head; actix-http's own timer.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest time to close a connection in good order.
pub(crate) const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How connections of the API are kept.
#[derive(Clone)]
pub(crate) struct ApiListener {
    pub(crate) keep_alive: Duration,
    pub(crate) connections: ConnectionCount,
    /// See `ServerBuilder::max_concurrent_connections`.
    pub(crate) max_connections: usize,
    /// How long stopping waits for connections, in whole seconds.
    pub(crate) stop_timeout: Duration,
}

impl ApiListener {
    /// Serves `listener` until the server is stopped. Has to be called within
    /// an actix system, so that each worker is an arbiter with its actor.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub(crate) fn start(self, listener: TcpListener, shared: Arc<Shared>) -> io::Result<Server> {
        let builder = ServerBuilder::new()
            .disable_signals()
            .shutdown_timeout(self.stop_timeout.as_secs().max(1))
            // Ours counts over all workers and closes what is too many; this
            // one would leave it waiting, so it must never be reached.
            .max_concurrent_connections(self.max_connections.saturating_add(1024));
        let stopping = builder.graceful_shutdown_signal();
        let factory = move || {
            let worker = Worker::start(Arc::clone(&shared));
            let stopping = stopping.clone();
            // No router: there is one path, and every request gets an answer
            // of the API's shape.
            let app = App::new().default_service(fn_service(move |request: ServiceRequest| {
                Rc::clone(&worker).serve(request)
            }));
            let http = HttpService::build()
                .keep_alive(self.keep_alive)
                .client_request_timeout(HEAD_TIMEOUT)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .finish(map_config(app, |()| AppConfig::default()))
                .tcp();
            Counted::new(http, self.connections.clone())
        };
        Ok(builder.listen("api", listener, factory)?.run())
    }
}
