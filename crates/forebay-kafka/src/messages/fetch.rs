//! Fetch of one partition, versions 4–11: batches as they are.

use std::{io::Cursor, time::Duration};

use bytes::Bytes;
use rskafka::protocol::{
    api_key::ApiKey,
    api_version::{ApiVersion, ApiVersionRange},
    messages::{
        ReadVersionedError, ReadVersionedType, RequestBody, WriteVersionedError, WriteVersionedType,
    },
};

use super::wire::{NEVER_FLEXIBLE, Reader, put_len, put_string, read_answer, versions};
use crate::connection::Throttling;

/// A fetch of one partition, outside of any fetch session.
#[derive(Debug)]
pub(crate) struct RawFetch<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// How long the broker waits for the first byte.
    pub(crate) max_wait_ms: i32,
    /// A first batch that is longer comes all the same (KIP-74).
    pub(crate) max_bytes: i32,
}

impl RequestBody for RawFetch<'_> {
    type ResponseBody = FetchAnswer;
    const API_KEY: ApiKey = ApiKey::Fetch;
    /// 4 brought v2 batches, 10 zstd (KIP-110), 12 tagged fields.
    const API_VERSION_RANGE: ApiVersionRange = versions(4, 11);
    const FIRST_TAGGED_FIELD_IN_REQUEST_VERSION: ApiVersion = NEVER_FLEXIBLE;
}

impl WriteVersionedType<Vec<u8>> for RawFetch<'_> {
    fn write_versioned(
        &self,
        buf: &mut Vec<u8>,
        version: ApiVersion,
    ) -> Result<(), WriteVersionedError> {
        let version = version.0.0;
        buf.extend_from_slice(&(-1i32).to_be_bytes()); // replica: a consumer
        buf.extend_from_slice(&self.max_wait_ms.to_be_bytes());
        buf.extend_from_slice(&1i32.to_be_bytes()); // answer with the first byte
        buf.extend_from_slice(&self.max_bytes.to_be_bytes());
        buf.push(0); // isolation: uncommitted too
        if version >= 7 {
            buf.extend_from_slice(&0i32.to_be_bytes()); // no session
            buf.extend_from_slice(&(-1i32).to_be_bytes());
        }
        put_len(buf, 1)?;
        put_string(buf, self.topic)?;
        put_len(buf, 1)?;
        buf.extend_from_slice(&self.partition.to_be_bytes());
        if version >= 9 {
            buf.extend_from_slice(&(-1i32).to_be_bytes()); // leader epoch: unknown
        }
        buf.extend_from_slice(&self.offset.to_be_bytes());
        if version >= 5 {
            buf.extend_from_slice(&(-1i64).to_be_bytes()); // log start: a follower's
        }
        buf.extend_from_slice(&self.max_bytes.to_be_bytes());
        if version >= 7 {
            put_len(buf, 0)?; // topics to forget
        }
        if version >= 11 {
            put_string(buf, "")?; // rack
        }
        Ok(())
    }
}

/// The broker's answer.
#[derive(Debug)]
pub(crate) struct FetchAnswer {
    pub(crate) throttle: Duration,
    /// Of the request as a whole; always 0 before version 7.
    pub(crate) code: i16,
    /// Names and partitions.
    pub(crate) topics: Vec<(String, Vec<FetchedPartition>)>,
}

/// A partition's part of the answer.
#[derive(Debug)]
pub(crate) struct FetchedPartition {
    pub(crate) partition: i32,
    pub(crate) code: i16,
    pub(crate) high_watermark: i64,
    /// `None` before version 5.
    pub(crate) log_start_offset: Option<i64>,
    /// v2 batches, the last of which may be cut off.
    pub(crate) batches: Bytes,
}

impl Throttling for FetchAnswer {
    fn throttle(&self) -> Duration {
        self.throttle
    }
}

impl ReadVersionedType<Cursor<Vec<u8>>> for FetchAnswer {
    fn read_versioned(
        cursor: &mut Cursor<Vec<u8>>,
        version: ApiVersion,
    ) -> Result<Self, ReadVersionedError> {
        let version = version.0.0;
        read_answer(cursor, |reader| {
            let throttle = reader.throttle()?;
            let mut code = 0;
            if version >= 7 {
                code = reader.int16()?;
                reader.int32()?; // session
            }
            let topics = reader.list(|reader| {
                let name = reader.string()?;
                Ok((name, reader.list(|reader| read_partition(reader, version))?))
            })?;
            Ok(Self {
                throttle,
                code,
                topics,
            })
        })
    }
}

fn read_partition(
    reader: &mut Reader,
    version: i16,
) -> Result<FetchedPartition, ReadVersionedError> {
    let partition = reader.int32()?;
    let code = reader.int16()?;
    let high_watermark = reader.int64()?;
    reader.int64()?; // last stable offset
    let log_start_offset = if version >= 5 {
        Some(reader.int64()?)
    } else {
        None
    };
    // Aborted transactions: uncommitted records are read too.
    reader.list(|reader| Ok((reader.int64()?, reader.int64()?)))?;
    if version >= 11 {
        reader.int32()?; // preferred replica
    }
    let batches = reader.nullable_bytes()?.unwrap_or_default();
    Ok(FetchedPartition {
        partition,
        code,
        high_watermark,
        log_start_offset,
        batches,
    })
}
