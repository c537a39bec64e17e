//! Forebay's Kafka client.
//!
//! Built on the protocol and messenger layers of `rskafka`, which no type of
//! this crate's interface shows. What is ours is what promises depend on: limits
//! on every wait, connections that can be closed, error codes as numbers, and a
//! writer that stores a batch at most once (KIP-98).
//!
//! | file | what is inside |
//! |---|---|
//! | [`cluster`] | [`Cluster`]: brokers, topics, leaders; where to begin |
//! | [`metadata`], `metadata_cache` | what a cluster says of itself, and when it is asked |
//! | [`connection`] | one connection: closing, limits, frames in memory |
//! | [`pool`] | shared connections; the gate that keeps attempts at a broker apart |
//! | [`security`] | TLS and SASL: whom to trust, who we are |
//! | `leader_request` | asking a leader or the controller until one answers |
//! | [`reader`] | offsets, batches, records |
//! | [`admin`] | topics and their settings, producer ids |
//! | [`record_batch`] | the format of a log: header, decoding, encoding |
//! | [`produce`] | sending the batches of many partitions in few requests |
//! | [`writer`] | the idempotent writer of one partition |
//! | `messages` | requests that rskafka lacks |
//! | [`error`], `error_code` | what can go wrong |
//!
//! Nothing here waits without a limit, and every future can be dropped; what
//! that leaves behind is said where it matters. Futures must be polled and
//! dropped inside a tokio runtime with time and I/O.

pub mod admin;
pub mod cluster;
#[cfg(test)]
mod cluster_tests;
pub mod connection;
pub mod error;
mod error_code;
#[cfg(test)]
mod fake_broker;
mod leader_request;
mod messages;
pub mod metadata;
mod metadata_cache;
pub mod pool;
pub mod produce;
pub mod reader;
pub mod record_batch;
pub mod security;
pub mod writer;

pub use admin::NewTopic;
pub use cluster::{Cluster, ClusterConfig};
pub use error::{Error, ErrorCode};
pub use metadata::{Broker, PartitionMetadata, TopicMetadata};
pub use reader::{FetchedChunk, OffsetAt, PartitionReader, RecordsChunk};
pub use record_batch::decode::{DecodedRecord, RecordHeaders};
