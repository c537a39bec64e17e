//! What a case runs against.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use forebay_broker::{Broker, BrokerConfig};
use forebay_testkit::{KafkaCluster, KafkaHome, Options, kafka_or_skip};
use tempfile::TempDir;

use crate::batches::now_ms;
use crate::embedded_process::EmbeddedProcess;
use crate::wire::{Client, PATIENCE};

/// Writes a test on the embedded broker and one on the shared Apache Kafka for
/// each case, a `fn(&Target)`.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod embedded {
            $(on_both! { @test $case embedded })+
        }
        mod apache {
            $(on_both! { @test $case apache })+
        }
    };
    (@test $case:ident $target:ident) => {
        #[tokio::test]
        async fn $case() {
            let Some(target) = crate::target::Target::$target().await else {
                return;
            };
            super::$case(&target);
            target.stop().await;
        }
    };
}

/// The embedded broker's defaults, with files in `data_dir`.
pub(crate) fn config(data_dir: &Path) -> BrokerConfig {
    BrokerConfig::new(data_dir, Arc::new(now_ms))
}

/// An embedded broker in this process, and a client of it.
pub(crate) async fn start(data_dir: &Path) -> (Broker, Client) {
    let broker = Broker::start(config(data_dir)).await.unwrap();
    let client = Client::connect(broker.local_addr());
    (broker, client)
}

/// A broker that cases need not know the make of.
pub(crate) struct Target {
    kind: Kind,
    home: Option<KafkaHome>,
}

enum Kind {
    Embedded {
        broker: Option<Broker>,
        dir: TempDir,
    },
    Process {
        process: EmbeddedProcess,
        dir: TempDir,
    },
    Shared(&'static KafkaCluster),
    Own(Box<KafkaCluster>),
}

impl Target {
    fn new(kind: Kind, home: Option<KafkaHome>) -> Option<Self> {
        Some(Self { kind, home })
    }

    /// An embedded broker in this process.
    pub(crate) async fn embedded() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let broker = Some(Broker::start(config(dir.path())).await.unwrap());
        Self::new(Kind::Embedded { broker, dir }, None)
    }

    /// An embedded broker in a process that can be killed.
    pub(crate) async fn embedded_process() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let process = EmbeddedProcess::start(dir.path());
        Self::new(Kind::Process { process, dir }, None)
    }

    /// The Apache Kafka that all cases share; not to be stopped.
    pub(crate) async fn apache() -> Option<Self> {
        let home = kafka_or_skip()?;
        let cluster = KafkaCluster::shared(&home).await;
        Self::new(Kind::Shared(cluster), Some(home))
    }

    /// An Apache Kafka of the case's own.
    pub(crate) async fn own_apache() -> Option<Self> {
        let home = kafka_or_skip()?;
        let cluster = KafkaCluster::start(&home, Options::one_node()).await;
        Self::new(Kind::Own(Box::new(cluster.unwrap())), Some(home))
    }

    /// Whether differences kept on purpose are to be expected.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.kind, Kind::Embedded { .. } | Kind::Process { .. })
    }

    /// Apache Kafka's Java classes; `None` where they are missing and may be.
    pub(crate) fn java_home(&self) -> Option<KafkaHome> {
        self.home.clone().or_else(kafka_or_skip)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match &self.kind {
            Kind::Embedded { broker, .. } => broker.as_ref().unwrap().local_addr(),
            Kind::Process { process, .. } => process.address(),
            Kind::Shared(cluster) => cluster.bootstrap()[0].parse().unwrap(),
            Kind::Own(cluster) => cluster.bootstrap()[0].parse().unwrap(),
        }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// Ends it, and waits until it has ended where others might be in its way.
    pub(crate) async fn stop(self) {
        match self.kind {
            Kind::Embedded { broker, dir } => {
                broker.unwrap().stop().await;
                drop(dir);
            }
            Kind::Own(cluster) => cluster.shutdown().await.unwrap(),
            Kind::Process { .. } | Kind::Shared(_) => {}
        }
    }

    /// A clean stop and a new start on the same files.
    pub(crate) async fn restart(&mut self) {
        match &mut self.kind {
            Kind::Embedded { broker, dir } => {
                broker.take().unwrap().stop().await;
                *broker = Some(Broker::start(config(dir.path())).await.unwrap());
            }
            Kind::Own(cluster) => {
                cluster.term(0).await.unwrap();
                cluster.restart(0).unwrap();
                cluster.await_ready().await.unwrap();
            }
            Kind::Process { .. } | Kind::Shared(_) => panic!("not a target to restart"),
        }
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(&mut self) {
        match &mut self.kind {
            Kind::Process { process, .. } => process.kill(),
            Kind::Own(cluster) => cluster.kill9(0).unwrap(),
            Kind::Embedded { .. } | Kind::Shared(_) => panic!("not a target to kill"),
        }
    }

    /// The files of an embedded broker, for what a case does to them.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Embedded { dir, .. } | Kind::Process { dir, .. } => Some(dir.path()),
            Kind::Shared(_) | Kind::Own(_) => None,
        }
    }

    /// Starts anew after [`Self::kill`].
    pub(crate) async fn start_again(&mut self) {
        match &mut self.kind {
            Kind::Process { process, dir } => *process = EmbeddedProcess::start(dir.path()),
            Kind::Own(cluster) => {
                cluster.restart(0).unwrap();
                cluster.await_ready().await.unwrap();
            }
            Kind::Embedded { .. } | Kind::Shared(_) => panic!("not a target to start again"),
        }
    }

    /// A topic of the case's own, ready to be written to; answers its name.
    pub(crate) fn create_topic(&self, partitions: i32, configs: &[(&str, &str)]) -> String {
        let name = unique_name();
        let mut client = self.connect();
        assert_eq!(client.create_topic(&name, partitions, configs), 0);
        self.await_topic(&name, partitions);
        name
    }

    /// Waits until every partition answers.
    pub(crate) fn await_topic(&self, name: &str, partitions: i32) {
        let mut client = self.connect();
        for partition in 0..partitions {
            await_that("the partition answers", || {
                client.try_list_offset(name, partition, -1).is_ok()
            });
        }
        await_that("metadata shows the topic", || {
            client.describe_topic(name) == (0, partitions as usize)
        });
    }

    /// Deletes a topic and waits until nobody knows it.
    pub(crate) fn delete_topic(&self, name: &str) {
        let mut client = self.connect();
        assert_eq!(client.delete_topic(name), 0);
        await_that("the topic is gone", || client.describe_topic(name).0 == 3);
    }
}

/// A topic name that no other case has.
pub(crate) fn unique_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("topic-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until `condition` holds.
pub(crate) fn await_that(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
