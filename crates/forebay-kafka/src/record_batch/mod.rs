//! Kafka's v2 record batches: what a log consists of.
//!
//! - [`header`]: the header's fields and its checksum;
//! - [`decode`]: from bytes to records;
//! - [`inflate`]: decompressing, in bounded memory;
//! - [`encode`]: from messages to bytes;
//! - [`compress`]: in fewer of them, where that is wanted.

pub mod compress;
pub mod decode;
pub mod encode;
pub mod header;
pub mod inflate;
