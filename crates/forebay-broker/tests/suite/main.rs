//! What a client may rely on, asked over TCP.
//!
//! Most cases run twice, against the embedded broker and against Apache Kafka
//! ([`on_both`]): what holds for one has to hold for the other. Where they
//! differ on purpose the case says so, and the crate's documentation lists it.
//! `embedded` holds what only this broker has: its limits, its files, its disk;
//! `clients` has kcat, the Java client and rskafka in place of our own.
//!
//! Apache Kafka, Java and kcat come from the testkit: a case that lacks them
//! says "skipped", and fails where `CI=true`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
mod target;

mod batches;
mod clients;
mod deletion;
mod embedded;
mod embedded_process;
mod fetching;
mod kills;
mod offsets;
mod refusals;
mod restarts;
mod sequences;
mod topic_settings;
mod wire;
mod writers;
