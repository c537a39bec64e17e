//! The embedded broker of a replica that was given no Kafka, and what a
//! newcomer finds in it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use forebay_broker::{Broker, BrokerConfig, DiskSpace};
use forebay_engine::clock::unix_millis;
use forebay_engine::registry::{CreateTask, RegistryError};
use forebay_engine::task::{NewTask, Target, TargetKind, TaskId};
use forebay_engine::{Codec, Engine, telemetry};
use metrics::Gauge;

use crate::config::{Config, DEFAULT_INSTANCE, InstanceConfig};
use crate::welcome::reachable;

/// Name of the task and of the topic that come with a new data directory.
const QUICKSTART: &str = "quickstart";
const QUICKSTART_TASK: &str = "task-forebay0";
/// The access point of that task.
pub(crate) const QUICKSTART_DATAHUB: &str = "datahub-forebay0";
const QUICKSTART_PARTITIONS: i32 = 4;

/// Why there is no embedded broker, or nothing in it to start with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// It did not start.
    #[error("the embedded broker does not start: {0}")]
    Broker(#[from] forebay_broker::StartError),
    /// A file of the data directory.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The tasks in it.
    #[error("cannot load the tasks from the embedded broker: {0}")]
    Registry(String),
    /// Its first topic or task could not be made.
    #[error("cannot make the topic and task `{QUICKSTART}`: {0}")]
    Quickstart(String),
}

/// A running embedded broker.
pub(crate) struct EmbeddedBroker {
    broker: Broker,
    /// There until the first topic and task have been made: a start that was
    /// cut off in between is made up for by the next one, and a task deleted
    /// later stays deleted.
    quickstart_pending: PathBuf,
}

impl EmbeddedBroker {
    /// Opens `<data_dir>/broker`, or makes it, and listens.
    pub(crate) async fn start(config: &Config) -> Result<Self, EmbeddedError> {
        let dir = config.broker_dir();
        let quickstart_pending = config.data_dir.join("quickstart.pending");
        if !dir.exists() {
            let failed = |path: &PathBuf| {
                let path = path.clone();
                move |source| EmbeddedError::Io { path, source }
            };
            // Messages are nobody else's business.
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&config.data_dir)
                .map_err(failed(&config.data_dir))?;
            File::create(&quickstart_pending).map_err(failed(&quickstart_pending))?;
        }
        let mut broker = BrokerConfig::new(dir, Arc::new(unix_millis));
        broker.listen = config.broker.listen;
        broker.fsync = config.broker.fsync;
        let broker = Broker::start(broker).await?;
        Ok(Self {
            broker,
            quickstart_pending,
        })
    }

    /// How the engine reaches it: as any other Kafka.
    pub(crate) fn instance(&self, compression: Option<Codec>) -> InstanceConfig {
        let address = reachable(self.broker.local_addr()).to_string();
        InstanceConfig {
            compression,
            ..InstanceConfig::plain(DEFAULT_INSTANCE, vec![address])
        }
    }

    pub(crate) fn disk_space(&self) -> DiskSpace {
        self.broker.disk_space()
    }

    pub(crate) fn disk_gauge(&self) -> DiskGauge {
        DiskGauge {
            space: self.broker.disk_space(),
            gauge: telemetry::embedded_broker_disk_free_bytes(),
        }
    }

    /// Waits until the tasks in it are known; in a new data directory, makes
    /// the first topic and task.
    pub(crate) async fn make_ready(&self, engine: &Engine) -> Result<(), EmbeddedError> {
        engine
            .registry_loaded()
            .await
            .map_err(EmbeddedError::Registry)?;
        if self.quickstart_pending.exists() {
            self.make_quickstart(engine).await?;
        }
        Ok(())
    }

    async fn make_quickstart(&self, engine: &Engine) -> Result<(), EmbeddedError> {
        let failed = EmbeddedError::Quickstart;
        engine
            .ensure_topic(
                DEFAULT_INSTANCE,
                QUICKSTART,
                Some(Some(QUICKSTART_PARTITIONS)),
            )
            .await
            .map_err(|error| failed(error.to_string()))?;
        let spec = NewTask {
            task_id: TaskId::parse(QUICKSTART_TASK),
            description: "made at the first start".to_owned(),
            ..NewTask::new(
                QUICKSTART,
                Target {
                    kind: TargetKind::Kafka,
                    instance: DEFAULT_INSTANCE.to_owned(),
                    topic: QUICKSTART.to_owned(),
                    auto_create: true,
                    partition_num: Some(QUICKSTART_PARTITIONS),
                },
            )
        };
        let created = engine.registry().send(CreateTask { spec }).await;
        match created.map_err(|error| failed(error.to_string()))? {
            // The start before this one got as far as that.
            Ok(_) | Err(RegistryError::IdTaken(_) | RegistryError::NameTaken(_)) => {}
            Err(error) => return Err(failed(error.to_string())),
        }
        fs::remove_file(&self.quickstart_pending).map_err(|source| EmbeddedError::Io {
            path: self.quickstart_pending.clone(),
            source,
        })
    }

    /// Waits until it has ended without being asked to.
    pub(crate) async fn ended(&self) {
        self.broker.ended().await;
    }

    /// Answers what it has received, saves everything, lets go of the files.
    pub(crate) async fn stop(self) {
        self.broker.stop().await;
    }
}

/// `forebay_embedded_broker_disk_free_bytes` and where it is read.
pub(crate) struct DiskGauge {
    space: DiskSpace,
    gauge: Gauge,
}

impl DiskGauge {
    #[allow(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; above 2^53 bytes nobody counts"
    )]
    pub(crate) fn read(&self) {
        match self.space.free_bytes() {
            Ok(bytes) => self.gauge.set(bytes as f64),
            Err(error) => tracing::warn!(%error, "cannot read the disk's free space"),
        }
    }
}
