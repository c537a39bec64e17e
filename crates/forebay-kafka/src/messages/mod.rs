//! Requests and answers that rskafka lacks, or that we need in a form of our
//! own: raw batches, and error codes as numbers.
//!
//! - `wire`: the primitives;
//! - `produce`: Produce with batches as bytes;
//! - `fetch`: Fetch with batches as bytes;
//! - `init_producer_id`: InitProducerId;
//! - `describe_configs`: DescribeConfigs;
//! - `incremental_alter_configs`: IncrementalAlterConfigs;
//! - `create_partitions`: CreatePartitions.
//!
//! Formats: <https://kafka.apache.org/protocol#protocol_messages>.

pub(crate) mod create_partitions;
pub(crate) mod describe_configs;
pub(crate) mod fetch;
pub(crate) mod incremental_alter_configs;
pub(crate) mod init_producer_id;
pub(crate) mod produce;
#[cfg(test)]
mod tests;
pub(crate) mod wire;
