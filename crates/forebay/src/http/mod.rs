//! The API listener, and what it shares with the admin one.

mod answer;
mod authenticate;
mod body;
mod clock_skew;
mod connection;
mod dispatch;
mod error;
mod flattened_request;
mod held_json;
mod http2;
mod ingress;
mod listener;
mod message_actions;
mod on_behalf;
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

use actix_server::{Server, ServerBuilder};
use actix_service::map_config;
use actix_web::App;
use actix_web::dev::{AppConfig, ServiceRequest, fn_service};

pub(crate) use authenticate::Caller;
pub(crate) use clock_skew::ClockSkew;
pub(crate) use connection::ConnectionCount;
pub(crate) use dispatch::offers_upgrade;
pub(crate) use error::{query as query_error, reserved_topic};
pub(crate) use listener::Listener;
pub(crate) use on_behalf::act_for;
pub(crate) use problem_log::ProblemLog;
pub(crate) use request_metrics::RequestMetrics;
pub(crate) use shared::{RequestSettings, Shared};
pub(crate) use topic_scope::check_open;

use dispatch::Worker;

/// Serves the API on `socket` until the server is stopped. Has to be called
/// within an actix system, so that each worker is an arbiter with its actor.
/// Stopping waits for connections, at most `stop_timeout` in whole seconds.
///
/// # Errors
/// When the socket cannot be used.
pub(crate) fn serve_api(
    listener: Listener,
    socket: TcpListener,
    shared: Arc<Shared>,
    max_connections: usize,
    stop_timeout: Duration,
) -> io::Result<Server> {
    let builder = ServerBuilder::new()
        .shutdown_timeout(stop_timeout.as_secs().max(1))
        // Ours counts over all workers and closes what is too many; this
        // one would leave it waiting, so it must never be reached.
        .max_concurrent_connections(max_connections.saturating_add(1024));
    listener.serve(builder, socket, move || {
        let worker = Worker::start(Arc::clone(&shared));
        // No router: there is one path, and every request gets an answer
        // of the API's shape.
        let app = App::new().default_service(fn_service(move |request: ServiceRequest| {
            Rc::clone(&worker).serve(request)
        }));
        map_config(app, |()| AppConfig::default())
    })
}
