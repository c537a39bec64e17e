//! Forebay's ingestion engine: actors, and no HTTP.
//!
//! # A message's journey
//!
//! 1. The service reserves the request's bytes ([`admission`]) before it reads
//!    the body, stamps *received* when the last byte is there, checks the
//!    signature and parses. What follows happens on the HTTP worker's thread,
//!    in one synchronous call, [`Engine::submit`].
//! 2. The task is looked up in the shared table ([`registry`], written only by
//!    the `TaskRegistryActor`): running? which topic? The run state is nowhere
//!    else.
//! 3. `submit`: each message gets a partition ([`route`]); a partition's
//!    messages are cut into parts that fit a batch.
//! 4. `producer::queue`: under the partition's short lock the parts are encoded
//!    straight into its open record batch. Only an append that finds the
//!    partition's `ProducerActor` asleep wakes it.
//! 5. `producer::actor`: one actor per topic-partition, on one of a few threads
//!    of their own, hands one batch at a time to its writer. What arrives
//!    meanwhile forms the next batch: group commit, without a timer.
//! 6. `forebay_kafka::writer` takes the batch to its leader's lane. When the
//!    lane builds a frame the batch is sealed: *sent* is stamped, parts whose
//!    deadline has passed are taken out, producer id and sequence are put in.
//!    From here on its bytes never change.
//! 7. `forebay_kafka::produce`: batches of several partitions share a produce
//!    request. After a fault the same bytes go out again with the same
//!    sequence, so that the broker stores them once.
//! 8. The acknowledged base offset settles each part ([`delivery`]); the last
//!    one wakes the request, which answers. At the deadline the request settles
//!    what is left: withdrawn if it was never sealed, unknown otherwise. Memory
//!    is given back when request and batch have both let go.
//!
//! A caller that leaves withdraws nothing.

pub mod activity;
pub mod admission;
mod append_queue;
#[doc(hidden)]
pub mod bench_support;
pub mod clock;
pub mod delivery;
mod engine;
mod instance;
mod keep_running;
mod outage;
mod producer;
pub mod query;
mod rate_limit;
pub mod registry;
mod registry_log;
pub mod route;
mod submit;
mod target_topic;
pub mod task;
pub mod telemetry;
mod topic;
pub mod topic_admin;
mod upkeep;

pub use engine::{Engine, EngineConfig};
pub use forebay_kafka::record_batch::compress::Codec;
pub use forebay_kafka::security;
pub use instance::{BrokerState, InstanceConfig, InstanceState};
pub use keep_running::keep_running;
pub use submit::{OutgoingMessage, SubmitError};
pub use target_topic::{TopicError, TopicInfo};
pub use topic::Topic;
