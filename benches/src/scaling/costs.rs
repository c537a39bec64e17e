//! What was measured, and what is assumed: the model's constants.

/// Costs of gateway and broker. The defaults are those in the table of inputs
/// of `docs/scaling.md`, which says how each was measured.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Broker CPU of a produce request, whatever is in it.
    pub broker_request_us: f64,
    /// Broker CPU of each batch in a request.
    pub broker_batch_us: f64,
    /// Broker CPU of each KiB of batches.
    pub broker_kib_us: f64,
    /// Gateway CPU of a request: HTTP, signature, head.
    pub gateway_request_us: f64,
    /// Gateway CPU of each message: parsing, routing, encoding, answer.
    pub gateway_message_us: f64,
    /// Gateway CPU of each batch: its actor, sealing, its share of a frame,
    /// settling. Frames of their own could not be told apart.
    pub gateway_batch_us: f64,
    /// Gateway CPU of comparing two batches of a frame. Each is compared with
    /// those before it, so that a frame costs the square of what is in it.
    pub gateway_pair_us: f64,
    /// Bytes that a batch has besides its records (Kafka's format, version 2).
    pub batch_overhead_bytes: usize,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            broker_request_us: 105.0,
            broker_batch_us: 27.0,
            broker_kib_us: 2.5,
            gateway_request_us: 16.5,
            gateway_message_us: 0.74,
            gateway_batch_us: 11.9,
            gateway_pair_us: 0.002,
            batch_overhead_bytes: 61,
        }
    }
}

/// A frame takes no further batch once it has that many bytes
/// (`forebay-kafka/src/produce/lane.rs`).
pub const FRAME_BYTES: usize = 1 << 20;

/// An open batch takes no further records once it would have more bytes than
/// that (`forebay-engine/src/topic.rs`).
pub const BATCH_BYTES: usize = 1 << 20;

/// Produce requests under way on one lane (`forebay-kafka/src/produce/lane.rs`).
pub const MAX_IN_FLIGHT: usize = 2;
