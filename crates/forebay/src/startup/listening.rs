//! The two listeners: their sockets first, what serves them last.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use forebay_engine::telemetry;
use socket2::{Domain, Protocol, Socket, Type};

use super::StartError;
use super::running::RunningServer;
use crate::admin::{self, AdminState};
use crate::config::Config;
use crate::http::{self, ConnectionCount, Listener, Shared};
use crate::named_files::Protection;
use crate::tls::WatchedCertificates;

/// Connections the kernel may hold until they are accepted.
const BACKLOG: i32 = 2048;

/// A socket that listens already, so that a taken port is an error of the
/// start, and a client that comes early waits instead of being refused.
struct Listening {
    key: &'static str,
    socket: TcpListener,
    /// With the real port.
    address: SocketAddr,
}

impl Listening {
    fn bind(key: &'static str, address: SocketAddr) -> Result<Self, StartError> {
        let bind = || {
            let domain = Domain::for_address(address);
            let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
            // A restart must not wait for connections of the run before.
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            let socket = TcpListener::from(socket);
            let address = socket.local_addr()?;
            Ok(Self {
                key,
                socket,
                address,
            })
        };
        bind().map_err(|source| StartError::listen(key, address, source))
    }
}

/// The sockets of both listeners. Whoever connects waits until they are served.
pub(super) struct Sockets {
    api: Listening,
    admin: Listening,
}

/// The servers of both listeners, at work.
pub(super) struct Servers {
    pub(super) api: RunningServer,
    pub(super) admin: RunningServer,
    /// Another handle of the API's socket.
    pub(super) api_socket: TcpListener,
}

impl Sockets {
    /// # Errors
    /// [`StartError::Listen`].
    pub(super) fn bind(config: &Config) -> Result<Self, StartError> {
        Ok(Self {
            api: Listening::bind("http.listen", config.http.listen)?,
            admin: Listening::bind("admin.listen", config.admin.listen)?,
        })
    }

    /// Where the API listens; the real port.
    pub(super) fn api(&self) -> SocketAddr {
        self.api.address
    }

    /// Where metrics and probes are.
    pub(super) fn admin(&self) -> SocketAddr {
        self.admin.address
    }

    /// Serves both.
    ///
    /// # Errors
    /// [`StartError::Listen`]; neither is served then.
    pub(super) async fn serve(
        self,
        config: &Config,
        protection: &Protection,
        shared: Arc<Shared>,
        admin_state: AdminState,
    ) -> Result<Servers, StartError> {
        let Self { api, admin } = self;
        let api_socket = api
            .socket
            .try_clone()
            .map_err(|error| StartError::listen(api.key, api.address, error))?;
        let lifecycle = shared.lifecycle.clone();
        let listener = |name, keep_alive, limit, tls: Option<&WatchedCertificates>| Listener {
            name,
            keep_alive,
            connections: ConnectionCount::new(limit, telemetry::connections(name)),
            tls: tls.map(WatchedCertificates::server_config),
            lifecycle: lifecycle.clone(),
        };
        let (idle, limit) = (admin::KEEP_ALIVE, admin::MAX_CONNECTIONS);
        let of_admin = listener("admin", idle, limit, protection.admin.as_ref());
        let (idle, limit) = (config.http.keep_alive, config.http.max_connections);
        let of_api = listener("api", idle, limit, protection.api.as_ref());
        let admin_server = start_admin(of_admin, admin, admin_state)?;
        match start_api(of_api, api, config, shared) {
            Ok(api) => Ok(Servers {
                api,
                admin: admin_server,
                api_socket,
            }),
            Err(error) => {
                admin_server.handle.stop(false).await;
                Err(error)
            }
        }
    }
}

fn start_admin(
    listener: Listener,
    listening: Listening,
    state: AdminState,
) -> Result<RunningServer, StartError> {
    let Listening { key, address, .. } = listening;
    match admin::serve(listener, listening.socket, state) {
        Ok(server) => Ok(RunningServer::spawn(server)),
        Err(source) => Err(StartError::listen(key, address, source)),
    }
}

fn start_api(
    listener: Listener,
    listening: Listening,
    config: &Config,
    shared: Arc<Shared>,
) -> Result<RunningServer, StartError> {
    let Listening { key, address, .. } = listening;
    let (limit, grace) = (config.http.max_connections, config.shutdown.grace);
    match http::serve_api(listener, listening.socket, shared, limit, grace) {
        Ok(server) => Ok(RunningServer::spawn(server)),
        Err(source) => Err(StartError::listen(key, address, source)),
    }
}
