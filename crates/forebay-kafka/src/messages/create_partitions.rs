//! CreatePartitions of one topic, versions 0–1 (KIP-195).

use std::{io::Cursor, time::Duration};

use rskafka::protocol::{
    api_key::ApiKey,
    api_version::{ApiVersion, ApiVersionRange},
    messages::{
        ReadVersionedError, ReadVersionedType, RequestBody, WriteVersionedError, WriteVersionedType,
    },
};

use super::wire::{NEVER_FLEXIBLE, put_len, put_string, read_answer, versions};
use crate::connection::Throttling;

/// Adds partitions to a topic, where the cluster likes.
#[derive(Debug)]
pub(crate) struct CreatePartitions<'a> {
    pub(crate) topic: &'a str,
    /// How many it has afterwards.
    pub(crate) total: i32,
    /// How long the controller may take.
    pub(crate) wait_ms: i32,
}

impl RequestBody for CreatePartitions<'_> {
    type ResponseBody = CreatePartitionsAnswer;
    const API_KEY: ApiKey = ApiKey::CreatePartitions;
    const API_VERSION_RANGE: ApiVersionRange = versions(0, 1);
    const FIRST_TAGGED_FIELD_IN_REQUEST_VERSION: ApiVersion = NEVER_FLEXIBLE;
}

impl WriteVersionedType<Vec<u8>> for CreatePartitions<'_> {
    fn write_versioned(&self, buf: &mut Vec<u8>, _: ApiVersion) -> Result<(), WriteVersionedError> {
        put_len(buf, 1)?;
        put_string(buf, self.topic)?;
        buf.extend_from_slice(&self.total.to_be_bytes());
        buf.extend_from_slice(&(-1i32).to_be_bytes()); // no assignments
        buf.extend_from_slice(&self.wait_ms.to_be_bytes());
        buf.push(0); // not only to validate
        Ok(())
    }
}

/// The controller's answer.
#[derive(Debug)]
pub(crate) struct CreatePartitionsAnswer {
    pub(crate) throttle: Duration,
    /// Code and the controller's words, for each topic.
    pub(crate) results: Vec<(i16, Option<String>)>,
}

impl Throttling for CreatePartitionsAnswer {
    fn throttle(&self) -> Duration {
        self.throttle
    }
}

impl ReadVersionedType<Cursor<Vec<u8>>> for CreatePartitionsAnswer {
    fn read_versioned(
        cursor: &mut Cursor<Vec<u8>>,
        _: ApiVersion,
    ) -> Result<Self, ReadVersionedError> {
        read_answer(cursor, |reader| {
            let throttle = reader.throttle()?;
            let results = reader.list(|reader| {
                reader.string()?; // name
                Ok((reader.int16()?, reader.nullable_string()?))
            })?;
            Ok(Self { throttle, results })
        })
    }
}
