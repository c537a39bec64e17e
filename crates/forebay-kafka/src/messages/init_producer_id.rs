//! InitProducerId without a transaction, versions 0–4 (KIP-98, KIP-360).

use std::{io::Cursor, time::Duration};

use rskafka::protocol::{
    api_key::ApiKey,
    api_version::{ApiVersion, ApiVersionRange},
    messages::{
        ReadVersionedError, ReadVersionedType, RequestBody, WriteVersionedError, WriteVersionedType,
    },
};

use super::wire::{read_answer, version, versions};
use crate::{Error, connection::Throttling, error::ErrorCode};

/// Asks for a producer id that nobody has used. Any broker can answer.
#[derive(Debug, Default)]
pub(crate) struct InitProducerId;

impl RequestBody for InitProducerId {
    type ResponseBody = InitProducerIdAnswer;
    const API_KEY: ApiKey = ApiKey::InitProducerId;
    const API_VERSION_RANGE: ApiVersionRange = versions(0, 4);
    const FIRST_TAGGED_FIELD_IN_REQUEST_VERSION: ApiVersion = version(2);
}

impl WriteVersionedType<Vec<u8>> for InitProducerId {
    fn write_versioned(
        &self,
        buf: &mut Vec<u8>,
        version: ApiVersion,
    ) -> Result<(), WriteVersionedError> {
        let version = version.0.0;
        if version >= 2 {
            buf.push(0); // no transactional id, compact
        } else {
            buf.extend_from_slice(&(-1i16).to_be_bytes());
        }
        // The transaction's timeout; without one, brokers ignore it.
        buf.extend_from_slice(&i32::MAX.to_be_bytes());
        if version >= 3 {
            // With an id and epoch of ours we would get a new id as well.
            buf.extend_from_slice(&(-1i64).to_be_bytes());
            buf.extend_from_slice(&(-1i16).to_be_bytes());
        }
        if version >= 2 {
            buf.push(0); // no tagged fields
        }
        Ok(())
    }
}

/// The broker's answer.
#[derive(Debug)]
pub(crate) struct InitProducerIdAnswer {
    throttle: Duration,
    code: i16,
    producer_id: i64,
    epoch: i16,
}

impl InitProducerIdAnswer {
    /// Producer id and epoch.
    ///
    /// A fresh broker answers CoordinatorLoadInProgress with id −1; going on
    /// with that id would silently do without deduplication.
    pub(crate) fn into_result(self) -> Result<(i64, i16), Error> {
        match ErrorCode(self.code) {
            ErrorCode::NONE if self.producer_id >= 0 && self.epoch >= 0 => {
                Ok((self.producer_id, self.epoch))
            }
            ErrorCode::NONE => Err(Error::protocol(format!(
                "InitProducerId gave id {} with epoch {}",
                self.producer_id, self.epoch
            ))),
            code => Err(Error::api(code, "asking for a producer id", None)),
        }
    }
}

impl Throttling for InitProducerIdAnswer {
    fn throttle(&self) -> Duration {
        self.throttle
    }
}

impl ReadVersionedType<Cursor<Vec<u8>>> for InitProducerIdAnswer {
    fn read_versioned(
        cursor: &mut Cursor<Vec<u8>>,
        version: ApiVersion,
    ) -> Result<Self, ReadVersionedError> {
        read_answer(cursor, |reader| {
            let answer = Self {
                throttle: reader.throttle()?,
                code: reader.int16()?,
                producer_id: reader.int64()?,
                epoch: reader.int16()?,
            };
            if version.0.0 >= 2 {
                reader.skip_tagged_fields()?;
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_comes_with_an_error_is_not_used() {
        let answer = |code, producer_id| InitProducerIdAnswer {
            throttle: Duration::ZERO,
            code,
            producer_id,
            epoch: 0,
        };
        assert_eq!(answer(0, 7).into_result().unwrap(), (7, 0));
        let error = answer(14, -1).into_result().unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
        assert!(error.is_retriable());
        assert!(answer(0, -1).into_result().is_err());
    }
}
