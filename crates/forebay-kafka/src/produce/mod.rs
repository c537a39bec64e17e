//! Sending closed batches: what several partitions have ready goes to their
//! broker in one produce request.
//!
//! - `batch`: what a partition hands over, and when its bytes freeze;
//! - `freeze`: a frame's batches are compressed, here or on another thread;
//! - `request`: what is sent at once, and what each batch is answered;
//! - `lane`: one connection to one broker, with a few requests in flight;
//! - `lanes`: which lane a partition's batch takes.

pub(crate) mod batch;
mod freeze;
pub(crate) mod lane;
pub(crate) mod lanes;
mod request;

pub use batch::{PendingBatch, SealedBatch};
pub use lanes::ProduceLanes;

use std::time::Duration;

/// What happened on the way to the brokers, for metrics.
///
/// Called on the lane's own thread; implementations must not block.
pub trait ProduceObserver: Send + Sync {
    /// A frozen batch is sent once more, with the same bytes and sequence.
    fn resent(&self);
    /// A partition's producer epoch was bumped, or it took a new producer id.
    fn bumped(&self);
    /// The broker asks us to pause for that long (KIP-219).
    fn throttled(&self, pause: Duration);
    /// A produce connection to this broker was made or lost.
    fn connected(&self, broker: i32, up: bool);
}

/// Ignores everything.
impl ProduceObserver for () {
    fn resent(&self) {}
    fn bumped(&self) {}
    fn throttled(&self, _: Duration) {}
    fn connected(&self, _: i32, _: bool) {}
}
