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
//! `reserve` holds 64 KiB that are given up on a full disk, so that deleting
//! topics and retention, which write a little first, can make room.
//!
//! # Where it differs from Apache Kafka, on purpose
//! One suite of tests runs on both (`tests/suite`); these are its exceptions and
//! what it leaves out:
//!
//! * Left out: consumer groups, transactions, replicas, access control, TLS,
//!   quotas, fetch sessions (KIP-227: clients are told to send whole requests),
//!   topic ids (the newest versions of Produce, Fetch and Metadata). Groups and
//!   transactions are refused at once, so that no client waits for them.
//! * Compressed batches are stored and served as they came, unopened, for there
//!   are no codecs: their records are not checked one by one, in compacted topics
//!   they are kept whole and may hold records without a key, and a look-up by
//!   time answers such a batch's first offset.
//! * Topics know the settings in use here; others are refused, and so are values
//!   that promise what one node cannot keep (`min.insync.replicas` 2). Segments
//!   may be as small as 1 KiB (Apache Kafka: 1 MiB, KIP-1030).
//! * A producer's last five batches are known also after a clean restart (Apache
//!   Kafka writes only the newest down).
//! * Deletion of a topic ends the long polls on it.
//! * Records are acknowledged after an fdatasync, where Apache Kafka relies on
//!   its other replicas.

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

pub use broker::{Broker, DiskSpace};
pub use config::{BrokerConfig, Clock};
pub use error::StartError;
