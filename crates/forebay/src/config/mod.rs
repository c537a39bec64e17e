//! Settings: what they are, their defaults, and where they come from.
//!
//! Precedence, per setting: flag, then environment (`FOREBAY_` + the key in
//! capitals, sections joined with `__`), then the TOML file of `--config`,
//! then the default. A key nobody knows and a value out of range are errors
//! that name the key, where it came from and what is allowed: a setting that
//! is silently ignored is worse than a process that does not start.

mod instances;
mod layers;
mod settings;
mod show;
mod validate;
mod values;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use forebay_engine::{Codec, security};

pub(crate) use layers::CLIENT_CACERT;
pub use layers::{ConfigError, Layers, Origin};
pub use show::show;
pub(crate) use values::duration_text;
pub use values::{ByteRate, ByteSize, LogFormat, parse_duration};

/// The instance id that `--brokers` stands for.
pub const DEFAULT_INSTANCE: &str = "ckafka-forebay0";

/// Everything a replica is told. See the table in the project's README.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Generated credentials and the embedded broker's files.
    pub data_dir: PathBuf,
    /// API listener.
    pub http: HttpConfig,
    /// Admin listener: console, metrics and probes.
    pub admin: AdminConfig,
    /// Who may call, and how strictly it is checked.
    pub auth: AuthConfig,
    /// Kafka clusters; the first one is home of the task registry. Empty: the
    /// embedded broker is started and is the only one.
    pub instances: Vec<InstanceConfig>,
    /// The same as [`InstanceConfig::compression`] for the embedded broker,
    /// where it is the only instance.
    pub embedded_compression: Option<Codec>,
    /// Deadlines and memory of accepted requests.
    pub delivery: DeliveryConfig,
    /// Where tasks are kept.
    pub registry: RegistryConfig,
    /// How a replica goes away.
    pub shutdown: ShutdownConfig,
    /// The embedded broker, where no instance is given.
    pub broker: BrokerConfig,
    /// Log lines on stderr.
    pub log: LogConfig,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq)]
pub struct HttpConfig {
    /// Address of the API; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Idle time after which a connection is closed. The default is above
    /// the 300 s after which okhttp (Java SDK) drops idle connections: the
    /// side that closes first must not be the server, or a request may be
    /// lost in flight and silently resent.
    pub keep_alive: Duration,
    /// Open connections in all, over all workers; more are closed at accept.
    pub max_connections: usize,
    /// Longest time from a request's head to its last body byte.
    pub body_timeout: Duration,
    /// A body slower than this, after a first grace of two seconds, is cut.
    pub min_body_rate: ByteRate,
    /// `None` serves in the clear.
    pub tls: Option<TlsFiles>,
}

/// `[http.tls]`, `[admin.tls]`: PEM files, re-read when they change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, then those that lead to its CA.
    pub cert: PathBuf,
    /// The private key of the first one, not encrypted.
    pub key: PathBuf,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq)]
pub struct AdminConfig {
    /// Address of console, metrics and probes; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `None` serves in the clear.
    pub tls: Option<TlsFiles>,
    /// Whoever has signed in at the console and does nothing for so long has to
    /// sign in again.
    pub session_idle: Duration,
    /// And after so long in any case.
    pub session_max: Duration,
}

/// `[auth]`
#[derive(Clone, Debug, PartialEq)]
pub struct AuthConfig {
    /// Credentials file; `None` is `<data_dir>/credentials.toml`, made once.
    pub credentials: Option<PathBuf>,
    /// How far a request's timestamp may be off, both ways.
    pub clock_skew: Duration,
    /// Accept `X-TC-Content-SHA256: UNSIGNED-PAYLOAD`.
    pub allow_unsigned_payload: bool,
}

/// `[[instance]]`
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceConfig {
    /// What tasks call it: `ckafka-` and 8 of `[a-z0-9]`.
    pub id: String,
    /// Bootstrap addresses, `host:port`.
    pub brokers: Vec<String>,
    /// What batches sent to it are compressed with; `None` is not at all.
    pub compression: Option<Codec>,
    /// `[instance.tls]`; `None` connects in the clear.
    pub tls: Option<security::TlsFiles>,
    /// `[instance.sasl]`; `None` logs in nowhere.
    pub sasl: Option<security::SaslLogin>,
}

impl InstanceConfig {
    /// One that is reached in the clear and without a login.
    pub fn plain(id: &str, brokers: Vec<String>) -> Self {
        Self {
            id: id.to_owned(),
            brokers,
            compression: None,
            tls: None,
            sasl: None,
        }
    }
}

/// `[delivery]`
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryConfig {
    /// Longest time from *received* to the answer.
    pub deadline: Duration,
    /// Bytes of requests between their head and their answer, in all.
    pub memory_limit: ByteSize,
}

/// `[registry]`
#[derive(Clone, Debug, PartialEq)]
pub struct RegistryConfig {
    /// Compacted topic on the first instance that holds the tasks.
    pub topic: String,
}

/// `[shutdown]`
#[derive(Clone, Debug, PartialEq)]
pub struct ShutdownConfig {
    /// How long new requests are still served after the signal, so that a
    /// load balancer notices `/readyz` first.
    pub drain_delay: Duration,
    /// At the latest this long after the signal the process is gone.
    pub grace: Duration,
}

/// `[broker]`
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerConfig {
    /// Kafka address of the embedded broker; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Acknowledge after an fdatasync; without it, what was acknowledged
    /// survives the process but not the machine.
    pub fsync: bool,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// Text for people, JSON lines for machines.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or `tracing` directives
    /// such as `info,forebay_kafka=debug`.
    pub level: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./forebay-data"),
            http: HttpConfig::default(),
            admin: AdminConfig::default(),
            auth: AuthConfig::default(),
            instances: Vec::new(),
            embedded_compression: None,
            delivery: DeliveryConfig::default(),
            registry: RegistryConfig::default(),
            shutdown: ShutdownConfig::default(),
            broker: BrokerConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            keep_alive: Duration::from_secs(370),
            max_connections: 25_000,
            body_timeout: Duration::from_secs(30),
            min_body_rate: ByteRate(16 * 1024),
            tls: None,
        }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            tls: None,
            session_idle: Duration::from_secs(3600),
            session_max: Duration::from_secs(12 * 3600),
        }
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            credentials: None,
            clock_skew: Duration::from_secs(300),
            allow_unsigned_payload: false,
        }
    }
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(25),
            memory_limit: ByteSize(256 * 1024 * 1024),
        }
    }
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self {
            topic: "__forebay_tasks".to_owned(),
        }
    }
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self {
            drain_delay: Duration::from_secs(5),
            grace: Duration::from_secs(30),
        }
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            fsync: true,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".to_owned(),
        }
    }
}

impl Config {
    /// The embedded broker's files.
    pub fn broker_dir(&self) -> PathBuf {
        self.data_dir.join("broker")
    }

    /// The credentials file in use, and whether it is the default one (which
    /// is made when it is missing; a path somebody named has to exist).
    pub fn credentials_path(&self) -> (PathBuf, bool) {
        match &self.auth.credentials {
            Some(path) => (path.clone(), false),
            None => (self.data_dir.join("credentials.toml"), true),
        }
    }
}
