//! DescribeConfigs of topics, versions 1–3 (KIP-133).

use std::{collections::BTreeMap, io::Cursor, time::Duration};

use rskafka::protocol::{
    api_key::ApiKey,
    api_version::{ApiVersion, ApiVersionRange},
    messages::{
        ReadVersionedError, ReadVersionedType, RequestBody, WriteVersionedError, WriteVersionedType,
    },
};

use super::wire::{NEVER_FLEXIBLE, Reader, put_len, put_string, read_answer, versions};
use crate::connection::Throttling;

/// Kafka's number for topics among the things that have settings.
pub(super) const TOPIC: i8 = 2;

/// Asks for settings of topics.
#[derive(Debug)]
pub(crate) struct DescribeTopicConfigs<'a> {
    pub(crate) topics: &'a [&'a str],
    /// Which of them; `None` is all.
    pub(crate) names: Option<&'a [&'a str]>,
}

impl RequestBody for DescribeTopicConfigs<'_> {
    type ResponseBody = DescribeConfigsAnswer;
    const API_KEY: ApiKey = ApiKey::DescribeConfigs;
    const API_VERSION_RANGE: ApiVersionRange = versions(1, 3);
    const FIRST_TAGGED_FIELD_IN_REQUEST_VERSION: ApiVersion = NEVER_FLEXIBLE;
}

impl WriteVersionedType<Vec<u8>> for DescribeTopicConfigs<'_> {
    fn write_versioned(
        &self,
        buf: &mut Vec<u8>,
        version: ApiVersion,
    ) -> Result<(), WriteVersionedError> {
        put_len(buf, self.topics.len())?;
        for topic in self.topics {
            buf.push(TOPIC as u8);
            put_string(buf, topic)?;
            match self.names {
                None => buf.extend_from_slice(&(-1i32).to_be_bytes()), // all settings
                Some(names) => {
                    put_len(buf, names.len())?;
                    for name in names {
                        put_string(buf, name)?;
                    }
                }
            }
        }
        buf.push(0); // no synonyms
        if version.0.0 >= 3 {
            buf.push(0); // no documentation
        }
        Ok(())
    }
}

/// The broker's answer.
#[derive(Debug)]
pub(crate) struct DescribeConfigsAnswer {
    pub(crate) throttle: Duration,
    pub(crate) results: Vec<DescribedConfigs>,
}

/// The settings of one topic.
#[derive(Debug)]
pub(crate) struct DescribedConfigs {
    pub(crate) topic: String,
    pub(crate) code: i16,
    pub(crate) message: Option<String>,
    /// Effective values, defaults included; null ones are left out.
    pub(crate) configs: BTreeMap<String, String>,
}

impl Throttling for DescribeConfigsAnswer {
    fn throttle(&self) -> Duration {
        self.throttle
    }
}

impl ReadVersionedType<Cursor<Vec<u8>>> for DescribeConfigsAnswer {
    fn read_versioned(
        cursor: &mut Cursor<Vec<u8>>,
        version: ApiVersion,
    ) -> Result<Self, ReadVersionedError> {
        read_answer(cursor, |reader| {
            let throttle = reader.throttle()?;
            let results = reader.list(|reader| {
                let code = reader.int16()?;
                let message = reader.nullable_string()?;
                reader.int8()?; // kind
                let topic = reader.string()?;
                let configs = reader.list(|reader| read_config(reader, version.0.0))?;
                let configs = configs
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect();
                Ok(DescribedConfigs {
                    topic,
                    code,
                    message,
                    configs,
                })
            })?;
            Ok(Self { throttle, results })
        })
    }
}

fn read_config(
    reader: &mut Reader,
    version: i16,
) -> Result<(String, Option<String>), ReadVersionedError> {
    let name = reader.string()?;
    let value = reader.nullable_string()?;
    reader.boolean()?; // read-only
    reader.int8()?; // source
    reader.boolean()?; // sensitive
    reader.list(|reader| Ok((reader.string()?, reader.nullable_string()?, reader.int8()?)))?;
    if version >= 3 {
        reader.int8()?; // type
        reader.nullable_string()?; // documentation
    }
    Ok((name, value))
}
