//! Forebay's embedded broker: a small Kafka-compatible store for development.
//!
//! One node, in process, loopback by default. It keeps what it has acknowledged
//! over crashes (an fdatasync shared by all that wait), keeps idempotent
//! producers' last five batches per partition, also over a restart, and says so
//! clearly when the disk is full. What it deliberately is not: it has no
//! replicas, no consumer groups, no transactions, no access control, and it
//! knows no compression codec.
//!
//! # A batch's journey
//! 1. `connection` reads a frame; `protocol::frame_shape` checks that it is
//!    whole, `protocol::produce` decodes it.
//! 2. `log::append` verifies the batch (format, checksum, limits, the producer's
//!    sequence) and writes it to the active segment just as it came, with its
//!    offset set.
//! 3. With `fsync`, `log::sync` makes it durable, together with all others of the
//!    partition that wait; only then it is visible to readers and acknowledged.
//! 4. `protocol::fetch` reads whole batches back; `upkeep` lets old segments go.
//!
//! # Files
//! `topics.catalog` says which topics exist, `producer-ids` which ids are taken;
//! `logs/<number>/<partition>/` holds segments (`.log`: record batches of format
//! v2), their `.index` files, `producers` (a snapshot) and `log-start`. Everything
//! but the segments, the catalog, the ids and `log-start` can be rebuilt.
//!
//! # Compression
//! Compressed batches are stored and served as they came. The price of having no
//! codecs: in compacted topics they are kept whole and may hold records without
//! a key, and a query by time answers such a batch's first offset.

mod broker;
mod config;
mod connection;
mod disk;
mod durable_file;
mod error;
mod listener;
mod log;
mod producer_ids;
mod protocol;
mod services;
mod topic_catalog;
mod topic_config;
mod topics;
mod upkeep;

pub use broker::Broker;
pub use config::{BrokerConfig, Clock};
pub use error::StartError;
