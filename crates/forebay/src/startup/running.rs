//! A replica at work: what its parts are, for whoever watches or stops it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_server::ServerHandle;
use actix_web::web;
use forebay_engine::Engine;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::console::Console;
use crate::credentials::{self, CredentialStore, CredentialsError};
use crate::embedded::{EmbeddedBroker, QUICKSTART_DATAHUB};
use crate::lifecycle::Lifecycle;
use crate::presence::Presence;

/// A replica at work. Dropping it stops nothing; see [`Running::stop`].
pub struct Running {
    /// Where the API listens; the real port.
    pub api: SocketAddr,
    /// Where metrics and probes are.
    pub admin: SocketAddr,
    /// Who may call.
    pub credentials: Arc<CredentialStore>,
    pub(crate) console: web::Data<Console>,
    pub(crate) presence: Presence,
    pub(crate) engine: Engine,
    pub(crate) embedded: Option<EmbeddedBroker>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) config: Config,
    pub(crate) api_server: RunningServer,
    /// The API server's socket; without it nothing listens once that stops.
    pub(crate) api_socket: TcpListener,
    pub(crate) admin_server: RunningServer,
    pub(crate) background: Vec<JoinHandle<()>>,
}

impl Running {
    /// An address that signs one person in at the console, once, within a
    /// quarter of an hour, as the first credential of the file.
    ///
    /// # Errors
    /// When the credentials cannot be read.
    pub fn one_time_link(&self) -> Result<String, CredentialsError> {
        let (secret_id, _) = credentials::first_credential(self.credentials.path())?;
        let path = self.console.one_time_path(&secret_id);
        Ok(format!("{}{path}", self.admin_place().0))
    }

    /// Whether the access point that comes with a new data directory is there.
    pub(crate) fn has_quickstart(&self) -> bool {
        let tasks = self.engine.tasks();
        self.embedded.is_some() && tasks.lookup(QUICKSTART_DATAHUB).is_some()
    }
}

/// A server and the task that drives it.
pub(crate) struct RunningServer {
    pub(crate) handle: ServerHandle,
    pub(crate) task: JoinHandle<io::Result<()>>,
}

impl RunningServer {
    pub(super) fn spawn(server: actix_server::Server) -> Self {
        Self {
            handle: server.handle(),
            task: actix_rt::spawn(server),
        }
    }
}
