//! The console: pages for people, on the admin listener.
//!
//! | file | what is inside |
//! |---|---|
//! | `assets` | the page's files |
//! | `guard` | session, Origin and CSRF token, before anything is done |
//! | `session`, `one_time_link`, `login_attempts`, `login` | signing in |
//! | `action` | any action of the API, with the session in place of a signature |
//! | `tasks`, `partitions`, `system` | what the pages show besides |
//! | `audit` | who did what |
//!
//! It has no right of its own: each request is checked against the scopes of the
//! credential that somebody signed in with, by the code that checks signed ones.

mod action;
mod answer;
mod assets;
mod audit;
mod guard;
mod login;
mod login_attempts;
mod one_time_link;
mod partitions;
mod random_token;
mod security_headers;
mod session;
mod system;
mod tasks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use actix_web::web::{self, ServiceConfig};
use forebay_api::ApiError;
use forebay_engine::clock::unix_millis;
use forebay_engine::task::{Task, TaskId};

use crate::config::AdminConfig;
use crate::http::Shared;
use crate::readiness::Readiness;
use crate::tls::{Certificates, WatchedCertificates};
use assets::Assets;
use guard::SignedIn;
use login_attempts::LoginAttempts;
use one_time_link::OneTimeLink;
use session::{SessionRules, Sessions};

pub(crate) use security_headers::security_headers;

/// Where this replica listens.
pub(crate) struct Places {
    pub(crate) api: Place,
    pub(crate) admin: Place,
}

/// A listener, as the pages show it.
pub(crate) struct Place {
    address: SocketAddr,
    /// `None` is in the clear.
    certificates: Option<Arc<Certificates>>,
}

impl Place {
    pub(crate) fn new(address: SocketAddr, tls: Option<&WatchedCertificates>) -> Self {
        Self {
            address,
            certificates: tls.map(WatchedCertificates::certificates),
        }
    }

    fn is_tls(&self) -> bool {
        self.certificates.is_some()
    }

    fn scheme(&self) -> &'static str {
        if self.is_tls() { "https" } else { "http" }
    }
}

/// What all requests of the console share.
pub(crate) struct Console {
    shared: Arc<Shared>,
    readiness: Readiness,
    sessions: Sessions,
    attempts: LoginAttempts,
    link: OneTimeLink,
    assets: Assets,
    places: Places,
    /// This replica among those that [`forebay_engine::Engine::replicas`] tells of.
    replica: String,
    started_ms: i64,
    /// Cookies belong to a host with all its ports: two replicas on one host
    /// must not sign each other's people out.
    cookie_name: String,
}

impl Console {
    pub(crate) fn new(
        shared: Arc<Shared>,
        readiness: Readiness,
        places: Places,
        replica: &str,
        config: &AdminConfig,
    ) -> Self {
        let rules = SessionRules {
            idle: config.session_idle,
            max: config.session_max,
        };
        // Browsers take such a name over TLS only, and from this host only.
        let prefix = if places.admin.is_tls() { "__Host-" } else { "" };
        let cookie_name = format!("{prefix}forebay-session-{}", places.admin.address.port());
        Self {
            shared,
            readiness,
            sessions: Sessions::new(rules),
            attempts: LoginAttempts::new(Instant::now()),
            link: OneTimeLink::default(),
            assets: Assets::new(),
            places,
            replica: replica.to_owned(),
            started_ms: unix_millis(),
            cookie_name,
        }
    }

    /// Makes the address that signs in with this credential, once, within a
    /// quarter of an hour. The token is behind the `#`, which browsers keep to
    /// themselves.
    pub(crate) fn one_time_path(&self, secret_id: &str) -> String {
        let token = self.link.make(secret_id, Instant::now());
        format!("/login#once={token}")
    }
}

/// Mounts the console.
pub(crate) fn routes(console: web::Data<Console>) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        let query = web::QueryConfig::default();
        app.app_data(console).app_data(
            query.error_handler(|error, _| answer::Refused::Query(error.to_string()).into()),
        );
        for page in [
            "/",
            "/login",
            "/tasks",
            "/tasks/{id}",
            "/new-task",
            "/messages",
            "/system",
        ] {
            app.route(page, web::get().to(assets::page));
            app.route(page, web::head().to(assets::page));
        }
        app.default_service(web::to(assets::nowhere));
        app.route(
            "/console/assets/{version}/{file:.*}",
            web::get().to(assets::file),
        )
        .service(
            web::scope("/console/api")
                .route("/login", web::post().to(login::with_secret))
                .route("/login/once", web::post().to(login::with_link))
                .route("/logout", web::post().to(login::out))
                .route("/session", web::get().to(login::session))
                .route("/action/{action}", web::post().to(action::run))
                .route("/tasks", web::get().to(tasks::list))
                .route("/tasks/{id}", web::get().to(tasks::one))
                .route("/partitions", web::get().to(partitions::list))
                .route("/system", web::get().to(system::show)),
        );
    }
}

/// The task, if it is there and the credential sees it.
fn visible_task(shared: &Shared, signed_in: &SignedIn, task_id: &str) -> Result<Task, ApiError> {
    let id = TaskId::parse(task_id).ok_or_else(|| ApiError::task_not_found(task_id))?;
    signed_in.caller.may_use(id.datahub_id().as_str())?;
    let task = shared.engine.tasks().by_task_id(task_id);
    task.ok_or_else(|| ApiError::task_not_found(task_id))
}
