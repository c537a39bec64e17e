//! The admin listener: metrics and probes (later the console).

mod probes;

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::{Server, ServerBuilder};
use actix_service::map_config;
use actix_web::dev::AppConfig;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{App, HttpResponse, web};
use forebay_engine::Engine;

use crate::http::{ConnectionCount, Counted, DISCONNECT_TIMEOUT, HEAD_TIMEOUT};
use crate::lifecycle::Lifecycle;
use crate::recorder::Exposition;

/// Scrapers and probes are few; a runaway one must not take all files.
pub(crate) const MAX_CONNECTIONS: usize = 1000;

const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What the admin pages show.
#[derive(Clone)]
pub(crate) struct AdminState {
    pub(crate) engine: Engine,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) metrics: Exposition,
}

/// Serves `listener` on one worker until the server is stopped.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) fn start(
    listener: TcpListener,
    state: AdminState,
    connections: ConnectionCount,
) -> io::Result<Server> {
    let factory = move || {
        let app = App::new()
            .app_data(web::Data::new(state.clone()))
            .route("/metrics", web::get().to(metrics))
            .route("/livez", web::get().to(probes::livez))
            .route("/readyz", web::get().to(probes::readyz));
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .finish(map_config(app, |()| AppConfig::default()))
            .tcp();
        Counted::new(http, connections.clone())
    };
    let builder = ServerBuilder::new().disable_signals().workers(1);
    Ok(builder.listen("admin", listener, factory)?.run())
}

/// Prometheus text format 0.0.4.
async fn metrics(state: web::Data<AdminState>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(state.metrics.render())
}
