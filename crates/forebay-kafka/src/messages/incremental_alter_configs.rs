//! IncrementalAlterConfigs of one topic, version 0 (KIP-339).

use std::{io::Cursor, time::Duration};

use rskafka::protocol::{
    api_key::ApiKey,
    api_version::{ApiVersion, ApiVersionRange},
    messages::{
        ReadVersionedError, ReadVersionedType, RequestBody, WriteVersionedError, WriteVersionedType,
    },
};

use super::{
    describe_configs::TOPIC,
    wire::{NEVER_FLEXIBLE, put_len, put_string, read_answer, versions},
};
use crate::connection::Throttling;

/// Kafka's number for giving a setting a value.
const SET: u8 = 0;

/// Sets settings of a topic, and leaves its others.
#[derive(Debug)]
pub(crate) struct AlterTopicConfigs<'a> {
    pub(crate) topic: &'a str,
    pub(crate) configs: &'a [(&'a str, String)],
}

impl RequestBody for AlterTopicConfigs<'_> {
    type ResponseBody = AlterConfigsAnswer;
    const API_KEY: ApiKey = ApiKey::IncrementalAlterConfigs;
    const API_VERSION_RANGE: ApiVersionRange = versions(0, 0);
    const FIRST_TAGGED_FIELD_IN_REQUEST_VERSION: ApiVersion = NEVER_FLEXIBLE;
}

impl WriteVersionedType<Vec<u8>> for AlterTopicConfigs<'_> {
    fn write_versioned(&self, buf: &mut Vec<u8>, _: ApiVersion) -> Result<(), WriteVersionedError> {
        put_len(buf, 1)?;
        buf.push(TOPIC as u8);
        put_string(buf, self.topic)?;
        put_len(buf, self.configs.len())?;
        for (name, value) in self.configs {
            put_string(buf, name)?;
            buf.push(SET);
            put_string(buf, value)?;
        }
        buf.push(0); // not only to validate
        Ok(())
    }
}

/// The broker's answer.
#[derive(Debug)]
pub(crate) struct AlterConfigsAnswer {
    pub(crate) throttle: Duration,
    /// Code and the broker's words, for each topic.
    pub(crate) results: Vec<(i16, Option<String>)>,
}

impl Throttling for AlterConfigsAnswer {
    fn throttle(&self) -> Duration {
        self.throttle
    }
}

impl ReadVersionedType<Cursor<Vec<u8>>> for AlterConfigsAnswer {
    fn read_versioned(
        cursor: &mut Cursor<Vec<u8>>,
        _: ApiVersion,
    ) -> Result<Self, ReadVersionedError> {
        read_answer(cursor, |reader| {
            let throttle = reader.throttle()?;
            let results = reader.list(|reader| {
                let result = (reader.int16()?, reader.nullable_string()?);
                reader.int8()?; // kind
                reader.string()?; // name
                Ok(result)
            })?;
            Ok(Self { throttle, results })
        })
    }
}
