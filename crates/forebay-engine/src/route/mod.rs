//! Which partition a message goes to.

mod murmur2;

pub use murmur2::murmur2;

/// The partition of a keyed message, as Kafka's default partitioner chooses it:
/// the positive part of the key's murmur2 hash modulo the number of partitions.
///
/// Source: `BuiltInPartitioner.partitionForKey` of Apache Kafka.
pub fn partition_for_key(key: &[u8], partitions: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % partitions
}
