//! The admin listener: the console, metrics and probes.

mod probes;

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_server::{Server, ServerBuilder};
use actix_service::{Service as _, map_config};
use actix_web::dev::AppConfig;
use actix_web::http::ConnectionType;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{App, FromRequest, Handler, HttpResponse, Resource, web};

use crate::console::{self, Console, security_headers};
use crate::http::{Listener, offers_upgrade};
use crate::readiness::Readiness;
use crate::recorder::Exposition;

/// Scrapers and probes are few; a runaway one must not take all files.
pub(crate) const MAX_CONNECTIONS: usize = 1000;

pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What the admin pages show.
#[derive(Clone)]
pub(crate) struct AdminState {
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Exposition,
    pub(crate) console: web::Data<Console>,
}

/// Serves `socket` on one worker until the server is stopped.
///
/// # Errors
/// When the socket cannot be used.
pub(crate) fn serve(
    listener: Listener,
    socket: TcpListener,
    state: AdminState,
) -> io::Result<Server> {
    let builder = ServerBuilder::new().workers(1);
    listener.serve(builder, socket, move || {
        let app = App::new()
            .app_data(web::Data::new(state.clone()))
            .wrap(security_headers())
            .wrap_fn(|request, pages| {
                let closes = offers_upgrade(&request);
                let answered = pages.call(request);
                async move {
                    let mut answered = answered.await?;
                    if closes {
                        let head = answered.response_mut().head_mut();
                        head.set_connection_type(ConnectionType::Close);
                    }
                    Ok(answered)
                }
            })
            .configure(console::routes(state.console.clone()))
            .service(readable("/metrics", metrics))
            .service(readable("/livez", probes::livez))
            .service(readable("/readyz", probes::readyz));
        map_config(app, |()| AppConfig::default())
    })
}

/// What is there to GET is there to HEAD (RFC 9110, 9.1), which some load
/// balancers probe by; other methods are 405.
fn readable<F, Args>(path: &'static str, page: F) -> Resource
where
    F: Handler<Args, Output = HttpResponse> + Clone,
    Args: FromRequest + 'static,
{
    let head = web::head().to(page.clone());
    web::resource(path)
        .route(web::get().to(page))
        .route(head)
        .default_service(web::to(async || {
            HttpResponse::MethodNotAllowed()
                .insert_header((ALLOW, "GET, HEAD"))
                .finish()
        }))
}

/// Prometheus text format 0.0.4.
async fn metrics(state: web::Data<AdminState>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(state.metrics.render())
}
