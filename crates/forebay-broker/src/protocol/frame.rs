//! Request headers, and frames around responses.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

use super::Refused;
use super::frame_shape::{self, Api};

/// A request whose header has been read.
pub(super) struct Request {
    pub(super) api: i16,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    /// From the client id on.
    rest: Bytes,
}

impl Request {
    pub(super) fn parse(mut frame: Bytes) -> Result<Self, Refused> {
        if frame.len() < 8 {
            return Err(Refused::Short(frame.len()));
        }
        let api = frame.get_i16();
        let version = frame.get_i16();
        let correlation_id = frame.get_i32();
        Ok(Self {
            api,
            version,
            correlation_id,
            rest: frame,
        })
    }

    fn offer(&self) -> Option<&'static Api> {
        frame_shape::OFFERED
            .iter()
            .find(|api| api.key == self.api && (api.min..=api.max).contains(&self.version))
    }

    pub(super) fn is_offered(&self) -> bool {
        self.offer().is_some()
    }

    pub(super) fn not_offered(&self) -> Refused {
        Refused::NotOffered {
            api: self.api,
            version: self.version,
        }
    }

    fn malformed(&self, what: impl ToString) -> Refused {
        Refused::Malformed {
            api: self.api,
            version: self.version,
            what: what.to_string(),
        }
    }

    /// Skips the rest of the header and checks that the body is whole. Only
    /// after this [`Self::decode`] is safe with what strangers send: the decoder
    /// allocates as many elements as a count says.
    pub(super) fn check_shape(&mut self) -> Result<(), Refused> {
        let api = self.offer().ok_or_else(|| self.not_offered())?;
        let flexible = self.version >= api.flexible_from;
        let mut rest = &self.rest[..];
        let checked = frame_shape::skip_header(&mut rest, flexible).and_then(|()| {
            let body = rest;
            frame_shape::check(api, self.version, body).map(|()| body.len())
        });
        let body_bytes = checked.map_err(|what| self.malformed(what))?;
        self.rest.advance(self.rest.len() - body_bytes);
        Ok(())
    }

    pub(super) fn decode<T: Decodable>(&mut self) -> Result<T, Refused> {
        T::decode(&mut self.rest, self.version).map_err(|error| self.malformed(error))
    }

    pub(super) fn respond<T: Encodable + HeaderVersion>(
        &self,
        response: &T,
    ) -> Result<Bytes, Refused> {
        encode(self.correlation_id, response, self.version)
    }
}

/// A response in its frame, length included.
pub(super) fn encode<T: Encodable + HeaderVersion>(
    correlation_id: i32,
    response: &T,
    version: i16,
) -> Result<Bytes, Refused> {
    let refused = |error: &dyn std::fmt::Display| Refused::Encode(error.to_string());
    let size = response
        .compute_size(version)
        .map_err(|error| refused(&error))?;
    let mut frame = BytesMut::with_capacity(size + 16);
    frame.put_i32(0);
    frame.put_i32(correlation_id);
    if T::header_version(version) >= 1 {
        frame.put_u8(0);
    }
    response
        .encode(&mut frame, version)
        .map_err(|error| refused(&error))?;
    let length = i32::try_from(frame.len() - 4).map_err(|error| refused(&error))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame.freeze())
}
