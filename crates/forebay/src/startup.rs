//! Starts a replica: every part is made and joined here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_server::ServerHandle;
use actix_web::web;
use forebay_engine::security::{Security, SecurityFileError};
use forebay_engine::{Engine, EngineConfig, InstanceConfig as EngineInstance, telemetry};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinHandle;

use crate::admin::{self, AdminState};
use crate::config::{Config, InstanceConfig};
use crate::console::{Console, Place, Places};
use crate::credentials::{self, CredentialStore, CredentialsError};
use crate::embedded::{EmbeddedBroker, EmbeddedError, QUICKSTART_DATAHUB};
use crate::http::{
    self, ClockSkew, ConnectionCount, Listener, ProblemLog, RequestMetrics, RequestSettings, Shared,
};
use crate::lifecycle::Lifecycle;
use crate::named_files::Protection;
use crate::presence::Presence;
use crate::readiness::Readiness;
use crate::tls::{TlsError, WatchedCertificates};
use crate::{open_files, recorder};

/// Connections the kernel may hold until they are accepted.
const BACKLOG: i32 = 2048;

/// Why a replica did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The embedded broker.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
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
    /// A file of `instance.tls` or `instance.sasl`.
    #[error("instance `{instance}`: {source}")]
    Security {
        /// The instance's id.
        instance: String,
        /// The file and what is wrong with it.
        source: SecurityFileError,
    },
    /// A listener's certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The metrics recorder.
    #[error("cannot install the metrics recorder: {0}")]
    Metrics(String),
}

impl StartError {
    fn listen(key: &'static str, address: SocketAddr, source: io::Error) -> Self {
        Self::Listen {
            key,
            address,
            source,
        }
    }
}

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
    fn spawn(server: actix_server::Server) -> Self {
        Self {
            handle: server.handle(),
            task: actix_rt::spawn(server),
        }
    }
}

/// Starts a replica and returns when it listens. A Kafka that was named need
/// not be reachable: `/readyz` says so until it is. The embedded broker, which
/// is started where none was named, has its tasks loaded by then.
///
/// Has to be called within an actix system.
///
/// # Errors
/// See [`StartError`]; nothing is left running then.
pub async fn start(mut config: Config) -> Result<Running, StartError> {
    open_files::raise_limit();
    let (path, make_if_missing) = config.credentials_path();
    let credentials = Arc::new(CredentialStore::open(&path, make_if_missing)?);
    let api = Listening::bind("http.listen", config.http.listen)?;
    let admin = Listening::bind("admin.listen", config.admin.listen)?;
    // Before any handle is made: a handle made earlier would count nothing.
    let metrics = recorder::install().map_err(|error| StartError::Metrics(error.to_string()))?;
    let mut protection = Protection::open(&config).await?;
    let (api_tls, admin_tls) = (protection.api.take(), protection.admin.take());

    let embedded = if config.instances.is_empty() {
        let embedded = EmbeddedBroker::start(&config).await?;
        let instance = embedded.instance(config.embedded_compression);
        config.instances.push(instance);
        Some(embedded)
    } else {
        None
    };
    let engine = Engine::start(&engine_config(&config, protection.instances));
    if let Some(embedded) = &embedded {
        embedded.make_ready(&engine).await?;
    }
    let lifecycle = Lifecycle::default();
    let shared = Arc::new(Shared {
        engine: engine.clone(),
        credentials: Arc::clone(&credentials),
        lifecycle: lifecycle.clone(),
        metrics: RequestMetrics::new(),
        clock_skew: ClockSkew::default(),
        problems: ProblemLog::default(),
        settings: RequestSettings::new(&config),
    });
    let places = Places {
        api: Place::new(api.address, api_tls.as_ref()),
        admin: Place::new(admin.address, admin_tls.as_ref()),
    };
    let presence = Presence::new(engine.clone(), api.address);
    let readiness = Readiness {
        engine: engine.clone(),
        lifecycle: lifecycle.clone(),
        disk: embedded.as_ref().map(EmbeddedBroker::disk_space),
    };
    let console = Console::new(
        Arc::clone(&shared),
        readiness.clone(),
        places,
        presence.name(),
        &config.admin,
    );
    let console = web::Data::new(console);
    let admin_state = AdminState {
        readiness,
        metrics: metrics.clone(),
        console: console.clone(),
    };
    let (api_address, admin_address) = (api.address, admin.address);
    let api_socket = api
        .socket
        .try_clone()
        .map_err(|error| StartError::listen(api.key, api.address, error))?;
    let listener = |name, keep_alive, limit, tls: Option<&WatchedCertificates>| Listener {
        name,
        keep_alive,
        connections: ConnectionCount::new(limit, telemetry::connections(name)),
        tls: tls.map(WatchedCertificates::server_config),
        lifecycle: lifecycle.clone(),
    };
    let (idle, limit) = (admin::KEEP_ALIVE, admin::MAX_CONNECTIONS);
    let of_admin = listener("admin", idle, limit, admin_tls.as_ref());
    let (idle, limit) = (config.http.keep_alive, config.http.max_connections);
    let of_api = listener("api", idle, limit, api_tls.as_ref());
    let admin_server = start_admin(of_admin, admin, admin_state)?;
    let api_server = match start_api(of_api, api, &config, Arc::clone(&shared)) {
        Ok(server) => server,
        Err(error) => {
            admin_server.handle.stop(false).await;
            return Err(error);
        }
    };
    let disk = embedded.as_ref().map(EmbeddedBroker::disk_gauge);
    let mut background = vec![
        actix_rt::spawn(credentials::keep_current(Arc::clone(&credentials))),
        actix_rt::spawn(recorder::upkeep(metrics, shared, disk)),
        actix_rt::spawn(presence.clone().keep_announced(lifecycle.clone())),
    ];
    for watched in [api_tls, admin_tls].into_iter().flatten() {
        background.push(actix_rt::spawn(watched.keep_current()));
    }
    Ok(Running {
        api: api_address,
        admin: admin_address,
        credentials,
        console,
        presence,
        engine,
        embedded,
        lifecycle,
        config,
        api_server,
        api_socket,
        admin_server,
        background,
    })
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

/// `towards_kafka` is of the instances that the configuration names; the
/// embedded broker, which is there where it names none, needs none.
fn engine_config(config: &Config, towards_kafka: Vec<Security>) -> EngineConfig {
    let embedded = towards_kafka.is_empty();
    let mut towards_kafka = towards_kafka.into_iter();
    let instance = |instance: &InstanceConfig| EngineInstance {
        id: instance.id.clone(),
        brokers: instance.brokers.clone(),
        embedded,
        compression: instance.compression,
        security: towards_kafka.next().unwrap_or_default(),
    };
    EngineConfig {
        instances: config.instances.iter().map(instance).collect(),
        registry_topic: config.registry.topic.clone(),
        memory_limit: usize::try_from(config.delivery.memory_limit.0).unwrap_or(usize::MAX),
    }
}

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
