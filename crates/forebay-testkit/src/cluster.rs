//! A real Kafka cluster for a test: starting it and knowing when it is ready.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::kafka_home::KafkaHome;
use crate::node::Node;
use crate::ports::{free_port, random};
use crate::proxy::FaultProxy;
use crate::server_properties::{ExtraListener, NodePorts, node_id, render};
use crate::wire_client::WireClient;

/// How long a start or recovery may take; ten times what a busy machine needs.
pub(crate) const READY_LIMIT: Duration = Duration::from_secs(180);
/// How often a condition is looked at while waiting for it.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// Starts that fail for anything but a port clash fail each time.
const START_ATTEMPTS: u32 = 4;

/// What a cluster is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// 1 or 3 nodes, each controller and broker.
    pub nodes: usize,
    /// Server properties, winning over this library's. With three nodes topics
    /// have replication factor 3 and `min.insync.replicas` 2 unless said otherwise.
    pub properties: Vec<(String, String)>,
    /// Whether clients get to each node through a [`FaultProxy`] of its own.
    pub proxied: bool,
    /// Listeners beside the plain one; see [`Options::listener`].
    pub(crate) listeners: Vec<ExtraListener>,
    /// Users with a SCRAM password, as [`Options::scram_user`] says.
    pub(crate) scram: Vec<String>,
    /// Arguments of the JVM. The default compiles lightly, which starts faster;
    /// take `-XX:TieredStopAtLevel=1` out to measure speed.
    pub jvm_args: Vec<String>,
}

impl Options {
    fn with_nodes(nodes: usize) -> Self {
        Self {
            nodes,
            properties: Vec::new(),
            proxied: false,
            listeners: Vec::new(),
            scram: Vec::new(),
            jvm_args: ["-Xmx512m", "-XX:TieredStopAtLevel=1"]
                .map(str::to_owned)
                .to_vec(),
        }
    }

    /// One node: replication factor 1.
    #[must_use]
    pub fn one_node() -> Self {
        Self::with_nodes(1)
    }

    /// Three nodes: replication factor 3, `min.insync.replicas` 2.
    #[must_use]
    pub fn three_nodes() -> Self {
        Self::with_nodes(3)
    }

    /// Adds a server property.
    #[must_use]
    pub fn property(mut self, key: &str, value: impl ToString) -> Self {
        self.properties.push((key.to_owned(), value.to_string()));
        self
    }

    /// Adds a listener for clients, at a free port of each node: `protocol` is
    /// `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`, and `host` is what clients are
    /// told to connect to (`127.0.0.1` or `localhost`). What it needs goes
    /// into properties that begin with `listener.name.<name in lower case>.`;
    /// [`KafkaCluster::listener`] has its addresses.
    #[must_use]
    pub fn listener(mut self, name: &str, protocol: &str, host: &str) -> Self {
        self.listeners.push(ExtraListener {
            name: name.to_owned(),
            protocol: protocol.to_owned(),
            host: host.to_owned(),
        });
        self
    }

    /// Adds a user who logs in with SCRAM-SHA-256 and SCRAM-SHA-512, and this
    /// password, on listeners that have these mechanisms.
    #[must_use]
    pub fn scram_user(mut self, name: &str, password: &str) -> Self {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            self.scram.push(format!(
                "{mechanism}=[name={name},password={password},iterations=4096]"
            ));
        }
        self
    }

    /// Puts a [`FaultProxy`] before each node's listener for clients.
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }
}

/// A running cluster. Its nodes are counted from 0; Kafka's node id is one more.
///
/// It holds nothing of a tokio runtime, so that it may outlive the test that
/// started it. Dropping it kills every node and removes its files.
pub struct KafkaCluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) proxies: Vec<FaultProxy>,
    listeners: Vec<ExtraListener>,
    /// Last, so that it goes after the processes that write there.
    _dir: TempDir,
}

impl std::fmt::Debug for KafkaCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaCluster")
            .field("bootstrap", &self.bootstrap())
            .finish_non_exhaustive()
    }
}

impl KafkaCluster {
    /// Starts a cluster and waits until it is ready, up to 180 s.
    ///
    /// Starts on this machine take turns: at once they would slow each other
    /// down past every deadline.
    ///
    /// # Errors
    /// When it does not become ready; the message has the end of a node's log.
    pub async fn start(home: &KafkaHome, options: Options) -> Result<Self> {
        ensure!(
            matches!(options.nodes, 1 | 3),
            "expected 1 or 3 nodes, got {}",
            options.nodes
        );
        let _turn = take_turn(home).await?;
        let mut attempt = 1;
        loop {
            match Self::start_once(home, &options).await {
                Err(error) if attempt < START_ATTEMPTS && is_port_clash(&error) => attempt += 1,
                other => return other.context("cannot start Kafka"),
            }
        }
    }

    /// A cluster of one node that all tests of a process share; use topics of
    /// your own. It ends with the process. Do not put faults into it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn shared(home: &KafkaHome) -> &'static Self {
        static SHARED: OnceCell<KafkaCluster> = OnceCell::const_new();
        SHARED
            .get_or_init(|| async {
                match Self::start(home, Options::one_node()).await {
                    Ok(cluster) => cluster,
                    Err(error) => panic!("{error:?}"),
                }
            })
            .await
    }

    async fn start_once(home: &KafkaHome, options: &Options) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("forebay-kafka-")
            .tempdir()?;
        let mut proxies = Vec::new();
        let mut ports = Vec::new();
        for _ in 0..options.nodes {
            let client = free_port();
            let mut advertised = client;
            if options.proxied {
                let proxy = FaultProxy::start(([127, 0, 0, 1], client).into())?;
                advertised = proxy.address().port();
                proxies.push(proxy);
            }
            ports.push(NodePorts {
                client,
                internal: free_port(),
                controller: free_port(),
                advertised,
                extra: options.listeners.iter().map(|_| free_port()).collect(),
            });
        }
        let mut nodes = Vec::new();
        for index in 0..options.nodes {
            let node_dir = dir.path().join(format!("node-{index}"));
            let text = render(
                index,
                &ports,
                &node_dir.join("data"),
                &options.listeners,
                &options.properties,
            );
            nodes.push(Node::new(
                home,
                node_dir,
                ports[index].clone(),
                &options.jvm_args,
                &text,
            )?);
        }
        let nodes = format_and_spawn(nodes, &options.scram).await?;
        let cluster = Self {
            nodes,
            proxies,
            listeners: options.listeners.clone(),
            _dir: dir,
        };
        cluster.await_ready().await?;
        Ok(cluster)
    }

    /// Clients' bootstrap addresses, `host:port` by node: the proxies' where
    /// the cluster has some.
    #[must_use]
    pub fn bootstrap(&self) -> Vec<String> {
        self.nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.ports.advertised))
            .collect()
    }

    /// The addresses of a listener of [`Options::listener`], `host:port` by node.
    ///
    /// # Panics
    /// When the cluster has no listener of that name.
    #[must_use]
    pub fn listener(&self, name: &str) -> Vec<String> {
        let at = self.listeners.iter().position(|one| one.name == name);
        let at = at.unwrap_or_else(|| panic!("no listener {name}"));
        let host = &self.listeners[at].host;
        let ports = self.nodes.iter().map(|node| node.ports.extra[at]);
        ports.map(|port| format!("{host}:{port}")).collect()
    }

    /// Bootstrap addresses that never go through a proxy, for checking.
    #[must_use]
    pub fn direct_bootstrap(&self) -> Vec<String> {
        self.nodes
            .iter()
            .map(|node| node.internal().to_string())
            .collect()
    }

    /// The proxy before node `index`.
    ///
    /// # Panics
    /// When the cluster was started without proxies.
    #[must_use]
    pub fn proxy(&self, index: usize) -> &FaultProxy {
        &self.proxies[index]
    }

    /// The number of nodes, running or not.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Waits until every node that runs is ready: it accepts clients, and each
    /// such node sees a controller and all of them unfenced. Up to 180 s.
    ///
    /// # Errors
    /// When they do not get there; the message has the end of a node's log.
    pub async fn await_ready(&self) -> Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        for node in self.nodes.iter().filter(|node| node.is_live()) {
            loop {
                node.check_alive()?;
                let Err(error) = self.sees_all(node).await else {
                    break;
                };
                if Instant::now() > deadline {
                    let log = node.log_tail(40);
                    return Err(error.context(format!("not ready after {READY_LIMIT:?}:\n{log}")));
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    async fn sees_all(&self, node: &Node) -> Result<()> {
        drop(TcpStream::connect(node.client()).await?);
        let view = WireClient::connect(node.internal())
            .await?
            .cluster_view()
            .await?;
        ensure!(view.controller.is_some(), "no controller");
        for (index, other) in self.nodes.iter().enumerate() {
            if other.is_live() && !view.brokers.contains(&node_id(index)) {
                bail!("node {index} is not in {:?}", view.brokers);
            }
        }
        Ok(())
    }

    /// Addresses for this library of the nodes that run.
    pub(crate) fn live(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let live = self.nodes.iter().filter(|node| node.is_live());
        live.map(Node::internal)
    }
}

impl Drop for KafkaCluster {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("TESTKIT_KAFKA_LOGS").is_some() {
            self.print_logs();
        }
        for node in &self.nodes {
            // It fails only where there is no process any more.
            drop(node.kill());
        }
    }
}

impl KafkaCluster {
    #[expect(clippy::print_stderr, reason = "for whoever reads a failed test")]
    fn print_logs(&self) {
        for (index, node) in self.nodes.iter().enumerate() {
            eprintln!(
                "--- Kafka node {index}, end of its log\n{}",
                node.log_tail(200)
            );
        }
    }
}

/// Formats all nodes at once, each a JVM's start, then spawns them.
async fn format_and_spawn(nodes: Vec<Node>, scram: &[String]) -> Result<Vec<Node>> {
    let bytes: [u64; 2] = [random(), random()];
    let cluster_id = cluster_id(bytes);
    let nodes: Vec<Arc<Node>> = nodes.into_iter().map(Arc::new).collect();
    let mut formats = Vec::new();
    for node in &nodes {
        let (node, id, scram) = (Arc::clone(node), cluster_id.clone(), scram.to_vec());
        formats.push(tokio::task::spawn_blocking(move || {
            node.format(&id, &scram)
        }));
    }
    for format in formats {
        format.await??;
    }
    let nodes: Option<Vec<Node>> = nodes.into_iter().map(Arc::into_inner).collect();
    let nodes = nodes.context("a finished task still holds its node")?;
    for node in &nodes {
        node.spawn()?;
    }
    Ok(nodes)
}

/// 22 characters of Kafka's URL-safe base64, as its own tool makes them.
fn cluster_id(random: [u64; 2]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = (u128::from(random[0]) << 64) | u128::from(random[1]);
    // The last character stands for two bits only.
    let mut id = vec![ALPHABET[usize::try_from(bits & 3).expect("two bits") << 4]];
    bits >>= 2;
    for _ in 0..21 {
        id.push(ALPHABET[usize::try_from(bits & 63).expect("six bits")]);
        bits >>= 6;
    }
    id.reverse();
    // A leading dash would look like a flag to the tool.
    id.into_iter()
        .map(char::from)
        .collect::<String>()
        .replacen('-', "A", 1)
}

fn is_port_clash(error: &anyhow::Error) -> bool {
    let text = format!("{error:?}");
    text.contains("Address already in use") || text.contains("Failed to bind")
}

/// A lock on starting clusters that other processes respect too.
async fn take_turn(home: &KafkaHome) -> Result<File> {
    let path = home.dir().join(".starting");
    tokio::task::spawn_blocking(move || {
        fs::create_dir_all(path.parent().expect("a file in a folder"))?;
        let file = File::create(&path)?;
        file.lock()?;
        Ok(file)
    })
    .await?
}
