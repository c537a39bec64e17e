//! Test support for Forebay: what its tests need besides Forebay itself.
//!
//! * [`kafka_or_skip`] and [`KafkaCluster`]: real Apache Kafka, one node or
//!   three, on free ports of the loopback interface, with the faults that
//!   tests are about (kill, stop, restart).
//! * [`FaultProxy`]: a TCP proxy that understands Kafka's framing and can drop
//!   produce responses, delay, fall silent, reset and refuse.
//! * [`WireClient`] and [`KafkaCluster::read_all`]: a Kafka client that shares
//!   no code with Forebay's own, so that it can contradict it.
//! * [`kcat_or_skip`] and [`KafkaHome::run_client_scenario`]: kcat and Apache
//!   Kafka's Java client.
//! * [`python_sdk_or_skip`] and [`PythonSdk`]: the genuine Tencent Cloud SDK and
//!   librdkafka, in Python.
//! * [`sdk_or_skip`] and [`SdkHome`]: the genuine SDKs of all four languages.
//! * [`browser_or_skip`] and [`Browser`]: headless Chromium, driven over WebDriver.
//! * [`CountingRelay`]: counts connections and bytes on their way to a server.
//! * [`SmallDisk`]: a file system that is soon full.
//! * [`TcpBalancer`]: spreads connections over the replicas that are ready.
//!
//! Tests that need Java, Maven, Python, Node or Go skip themselves, saying so,
//! where these are missing; with `CI=true` or `TESTKIT_KAFKA_TESTS=1` they fail instead.
//!
//! Every process started here ends with the value that owns it, also when the
//! test panics, and also when the test process itself is killed.

mod await_condition;
mod axe;
mod browser;
mod browser_driver;
mod child_output;
mod cluster;
mod cluster_admin;
mod cluster_faults;
mod cluster_read;
mod counting_relay;
mod gate;
mod java_client;
mod kafka_home;
mod kcat;
mod node;
mod ports;
mod proxy;
mod proxy_relay;
mod python_sdk;
mod sdk_home;
mod sdk_session;
mod server_properties;
mod small_disk;
mod tcp_balancer;
mod wire_client;
mod wire_log;

pub use await_condition::await_condition;
pub use axe::{Axe, axe_or_skip};
pub use browser::Browser;
pub use browser_driver::{BrowserDriver, browser_or_skip};
pub use cluster::{KafkaCluster, Options};
pub use counting_relay::CountingRelay;
pub use gate::programs_or_skip;
pub use kafka_home::{KafkaHome, kafka_or_skip};
pub use kcat::{Kcat, kcat_or_skip};
pub use ports::free_port;
pub use proxy::{AfterDrop, FaultProxy, Mode, Towards};
pub use python_sdk::{PythonSdk, python_sdk_or_skip};
pub use sdk_home::{Sdk, SdkHome, sdk_or_skip};
pub use sdk_session::SdkSession;
pub use small_disk::SmallDisk;
pub use tcp_balancer::{Backend, TcpBalancer};
pub use wire_client::{TopicPartition, WireClient};
pub use wire_log::{NewRecord, StoredRecord};
