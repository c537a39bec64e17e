//! A model of many replicas, partitions and brokers: what one machine cannot show.
//!
//! [`setup`] is the question, [`costs`] what was measured, [`simulation`] one
//! broker with every produce lane that leads to it, event by event, and
//! [`limits`] what can be counted without simulating: connections, memory,
//! registry, metadata, metrics. [`tables`] prints both as Markdown.
//!
//! The same arguments give the same figures, bit for bit: time is simulated and
//! randomness comes from a fixed seed. The model follows the code where batches
//! are formed (group commit, frames, two requests in flight); what it knows of
//! the broker are three costs and a delay. `docs/scaling.md` says what follows.

pub mod costs;
pub mod limits;
mod measured;
mod partitions;
mod random;
pub mod setup;
pub mod simulation;
pub mod tables;

#[cfg(test)]
mod tests;
