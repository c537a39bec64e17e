//! The `server.properties` of a node, as text.

use std::collections::BTreeMap;
use std::path::Path;

/// A listener for clients beside the plain one, which each node has at a port
/// of its own.
#[derive(Debug, Clone)]
pub(crate) struct ExtraListener {
    /// Kafka's name of it, upper case.
    pub(crate) name: String,
    /// `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub(crate) protocol: String,
    /// What clients are told: a name or address of the loopback interface.
    pub(crate) host: String,
}

/// The TCP ports of one node.
#[derive(Debug, Clone)]
pub(crate) struct NodePorts {
    /// For clients.
    pub(crate) client: u16,
    /// For the other brokers and this library, never behind a proxy.
    pub(crate) internal: u16,
    /// For the controllers' quorum.
    pub(crate) controller: u16,
    /// What clients are told: `client`, or a proxy's port.
    pub(crate) advertised: u16,
    /// One for each extra listener.
    pub(crate) extra: Vec<u16>,
}

/// Kafka's node id of the node with this index.
pub(crate) fn node_id(index: usize) -> i32 {
    i32::try_from(index).expect("a handful of nodes") + 1
}

/// Renders the properties of node `index`; `extra` wins over everything.
pub(crate) fn render(
    index: usize,
    nodes: &[NodePorts],
    log_dir: &Path,
    listeners: &[ExtraListener],
    extra: &[(String, String)],
) -> String {
    let ports = &nodes[index];
    let mut all = BTreeMap::new();
    let mut set = |key: &str, value: String| all.insert(key.to_owned(), value);
    let voters: Vec<String> = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| format!("{}@127.0.0.1:{}", node_id(index), node.controller))
        .collect();
    set("process.roles", "broker,controller".to_owned());
    set("node.id", node_id(index).to_string());
    set("controller.quorum.voters", voters.join(","));
    set("controller.listener.names", "CONTROLLER".to_owned());
    set_listeners(ports, listeners, &mut set);
    set("log.dirs", log_dir.display().to_string());

    let replicas = nodes.len();
    let in_sync = replicas.div_ceil(2);
    for key in [
        "default.replication.factor",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "share.coordinator.state.topic.replication.factor",
    ] {
        set(key, replicas.to_string());
    }
    for key in [
        "min.insync.replicas",
        "transaction.state.log.min.isr",
        "share.coordinator.state.topic.min.isr",
    ] {
        set(key, in_sync.to_string());
    }
    for (key, value) in FIXED {
        set(key, (*value).to_owned());
    }
    all.extend(extra.iter().cloned());
    all.iter().fold(String::new(), |mut text, (key, value)| {
        text.push_str(key);
        text.push('=');
        text.push_str(value);
        text.push('\n');
        text
    })
}

fn set_listeners(
    ports: &NodePorts,
    extra: &[ExtraListener],
    mut set: impl FnMut(&str, String) -> Option<String>,
) {
    let mut listeners = format!(
        "CLIENT://127.0.0.1:{},INTERNAL://127.0.0.1:{},CONTROLLER://127.0.0.1:{}",
        ports.client, ports.internal, ports.controller
    );
    let mut advertised = format!(
        "CLIENT://127.0.0.1:{},INTERNAL://127.0.0.1:{}",
        ports.advertised, ports.internal
    );
    let mut protocols = "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
    for (listener, port) in extra.iter().zip(&ports.extra) {
        let name = &listener.name;
        listeners += &format!(",{name}://127.0.0.1:{port}");
        advertised += &format!(",{name}://{}:{port}", listener.host);
        protocols += &format!(",{name}:{}", listener.protocol);
    }
    set("listeners", listeners);
    set("advertised.listeners", advertised);
    set("listener.security.protocol.map", protocols);
    set("inter.broker.listener.name", "INTERNAL".to_owned());
}

/// Settings that do not depend on the node.
const FIXED: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "false"),
    ("unclean.leader.election.enable", "false"),
    // Below the default of 9 s, so that tests see a new leader sooner.
    ("broker.session.timeout.ms", "6000"),
    ("broker.heartbeat.interval.ms", "1000"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("offsets.topic.num.partitions", "3"),
    ("transaction.state.log.num.partitions", "3"),
    ("share.coordinator.state.topic.num.partitions", "3"),
    // Its default takes a quarter of the small heap.
    ("log.cleaner.dedupe.buffer.size", "16777216"),
];
