//! Starts a replica: every part is made and joined here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_server::ServerHandle;
use forebay_engine::{Engine, EngineConfig, InstanceConfig as EngineInstance};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinHandle;

use crate::admin::{self, AdminState};
use crate::config::Config;
use crate::credentials::{self, CredentialStore, CredentialsError};
use crate::http::{
    ApiListener, ClockSkew, ConnectionCount, ProblemLog, RequestMetrics, RequestSettings, Shared,
};
use crate::lifecycle::Lifecycle;
use crate::{open_files, recorder};

/// Connections the kernel may hold until they are accepted.
const BACKLOG: i32 = 2048;

/// Why a replica did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Neither flag, environment nor file name a Kafka.
    #[error(
        "no Kafka given: use --brokers host:port,… or [[instance]] in the configuration file \
         (the embedded broker comes with a later version)"
    )]
    NoBrokers,
    /// The credentials file.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (`{key}`): {source}")]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The metrics recorder.
    #[error("cannot install the metrics recorder: {0}")]
    Metrics(String),
}

/// A replica at work. Dropping it stops nothing; see [`Running::stop`].
pub struct Running {
    /// Where the API listens; the real port.
    pub api: SocketAddr,
    /// Where metrics and probes are.
    pub admin: SocketAddr,
    /// Who may call.
    pub credentials: Arc<CredentialStore>,
    pub(crate) engine: Engine,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) config: Config,
    pub(crate) api_server: RunningServer,
    pub(crate) admin_server: RunningServer,
    pub(crate) background: Vec<JoinHandle<()>>,
}

/// A server and the task that drives it.
pub(crate) struct RunningServer {
    pub(crate) handle: ServerHandle,
    pub(crate) task: JoinHandle<io::Result<()>>,
}

impl RunningServer {
    fn spawn(server: actix_server::Server) -> Self {
        Self {
            handle: server.handle(),
            task: actix_rt::spawn(server),
        }
    }
}

/// Starts a replica and returns when it listens. Kafka need not be reachable:
/// `/readyz` says so until it is.
///
/// Has to be called within an actix system.
///
/// # Errors
/// See [`StartError`]; nothing is left running then.
pub async fn start(config: Config) -> Result<Running, StartError> {
    open_files::raise_limit();
    let home = config.instances.first().ok_or(StartError::NoBrokers)?;
    let home_instance = home.id.clone();
    let (path, make_if_missing) = config.credentials_path();
    let credentials = Arc::new(CredentialStore::open(&path, make_if_missing)?);
    let (api_socket, api) = listen("http.listen", config.http.listen)?;
    let (admin_socket, admin) = listen("admin.listen", config.admin.listen)?;
    // Before any handle is made: a handle made earlier would count nothing.
    let prometheus = recorder::install().map_err(|error| StartError::Metrics(error.to_string()))?;

    let engine = Engine::start(&engine_config(&config));
    let lifecycle = Lifecycle::default();
    let shared = Arc::new(Shared {
        engine: engine.clone(),
        credentials: Arc::clone(&credentials),
        lifecycle: lifecycle.clone(),
        metrics: RequestMetrics::new(),
        clock_skew: ClockSkew::default(),
        problems: ProblemLog::default(),
        settings: RequestSettings::new(&config, home_instance),
    });
    let admin_server = admin::start(
        admin_socket,
        AdminState {
            engine: engine.clone(),
            lifecycle: lifecycle.clone(),
            prometheus: prometheus.clone(),
        },
        count("admin", admin::MAX_CONNECTIONS),
    )
    .map_err(|source| StartError::Listen {
        key: "admin.listen",
        address: admin,
        source,
    })?;
    let admin_server = RunningServer::spawn(admin_server);
    let api_listener = ApiListener {
        keep_alive: config.http.keep_alive,
        connections: count("api", config.http.max_connections),
        max_connections: config.http.max_connections,
        stop_timeout: config.shutdown.grace,
    };
    let api_server = match api_listener.start(api_socket, Arc::clone(&shared)) {
        Ok(server) => RunningServer::spawn(server),
        Err(source) => {
            admin_server.handle.stop(false).await;
            return Err(StartError::Listen {
                key: "http.listen",
                address: api,
                source,
            });
        }
    };
    let background = vec![
        actix_rt::spawn(credentials::keep_current(Arc::clone(&credentials))),
        actix_rt::spawn(recorder::upkeep(prometheus, shared)),
    ];
    Ok(Running {
        api,
        admin,
        credentials,
        engine,
        lifecycle,
        config,
        api_server,
        admin_server,
        background,
    })
}

fn engine_config(config: &Config) -> EngineConfig {
    EngineConfig {
        instances: config
            .instances
            .iter()
            .map(|instance| EngineInstance {
                id: instance.id.clone(),
                brokers: instance.brokers.clone(),
            })
            .collect(),
        registry_topic: config.registry.topic.clone(),
        memory_limit: usize::try_from(config.delivery.memory_limit.0).unwrap_or(usize::MAX),
    }
}

fn count(listener: &'static str, limit: usize) -> ConnectionCount {
    ConnectionCount::new(limit, forebay_engine::telemetry::connections(listener))
}

/// Listens at once, so that a taken port is an error of the start and a
/// client that comes early waits instead of being refused.
fn listen(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bind = || {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        // A restart must not wait for connections of the run before.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from(socket);
        let real = listener.local_addr()?;
        Ok((listener, real))
    };
    bind().map_err(|source| StartError::Listen {
        key,
        address,
        source,
    })
}
