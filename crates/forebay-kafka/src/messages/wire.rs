//! Primitives of the protocol.
//!
//! Answers are read from one shared buffer, so that records need no copy, and
//! no length in them makes us allocate more than what is there.

use std::{io::Cursor, time::Duration};

use bytes::{Buf, Bytes};
use rskafka::protocol::{
    api_version::{ApiVersion, ApiVersionRange},
    messages::{ReadVersionedError, WriteVersionedError},
    primitives::Int16,
    traits::{ReadError, WriteError},
};

/// A range of versions.
pub(super) const fn versions(min: i16, max: i16) -> ApiVersionRange {
    ApiVersionRange::new(version(min), version(max))
}

/// A version.
pub(super) const fn version(number: i16) -> ApiVersion {
    ApiVersion(Int16(number))
}

/// No version with tagged fields is used.
pub(super) const NEVER_FLEXIBLE: ApiVersion = version(i16::MAX);

fn malformed(what: &str) -> ReadVersionedError {
    ReadError::Malformed(what.to_owned().into()).into()
}

/// Takes the rest of the answer out of the cursor and reads it with `parse`,
/// which has to use up all of it.
pub(super) fn read_answer<T>(
    cursor: &mut Cursor<Vec<u8>>,
    parse: impl FnOnce(&mut Reader) -> Result<T, ReadVersionedError>,
) -> Result<T, ReadVersionedError> {
    let position = usize::try_from(cursor.position()).map_err(ReadError::from)?;
    let mut bytes = Bytes::from(std::mem::take(cursor.get_mut()));
    // The messenger compares position and length afterwards: both are 0 now.
    cursor.set_position(0);
    if position > bytes.len() {
        return Err(malformed("the answer ends within its header"));
    }
    bytes.advance(position);
    let mut reader = Reader(bytes);
    let answer = parse(&mut reader)?;
    match reader.0.len() {
        0 => Ok(answer),
        left => Err(malformed(&format!(
            "{left} bytes left at the end of the answer"
        ))),
    }
}

/// Reads an answer from its front.
#[derive(Debug)]
pub(super) struct Reader(Bytes);

type Read<T> = Result<T, ReadVersionedError>;

impl Reader {
    fn take(&mut self, len: usize) -> Read<Bytes> {
        if len > self.0.len() {
            return Err(malformed("the answer is cut off"));
        }
        Ok(self.0.split_to(len))
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(&self.take(N)?);
        Ok(array)
    }

    pub(super) fn int8(&mut self) -> Read<i8> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(super) fn boolean(&mut self) -> Read<bool> {
        Ok(self.int8()? != 0)
    }

    pub(super) fn int16(&mut self) -> Read<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(super) fn int32(&mut self) -> Read<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(super) fn int64(&mut self) -> Read<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(super) fn throttle(&mut self) -> Read<Duration> {
        Ok(Duration::from_millis(
            u64::try_from(self.int32()?).unwrap_or(0),
        ))
    }

    pub(super) fn nullable_string(&mut self) -> Read<Option<String>> {
        let len = self.int16()?;
        if len == -1 {
            return Ok(None);
        }
        let len = usize::try_from(len).map_err(ReadError::from)?;
        let bytes = self.take(len)?.to_vec();
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| malformed("a string is not UTF-8"))
    }

    pub(super) fn string(&mut self) -> Read<String> {
        self.nullable_string()?
            .ok_or_else(|| malformed("a string is null"))
    }

    pub(super) fn nullable_bytes(&mut self) -> Read<Option<Bytes>> {
        let len = self.int32()?;
        if len == -1 {
            return Ok(None);
        }
        self.take(usize::try_from(len).map_err(ReadError::from)?)
            .map(Some)
    }

    /// An array; null is empty. Nothing is allocated for elements that do not come.
    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut elements = Vec::new();
        for _ in 0..self.int32()? {
            elements.push(read(self)?);
        }
        Ok(elements)
    }

    fn unsigned_varint(&mut self) -> Read<usize> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("a varint is too long"))
    }

    /// Skips the tagged fields of a flexible version.
    pub(super) fn skip_tagged_fields(&mut self) -> Read<()> {
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let len = self.unsigned_varint()?;
            self.take(len)?;
        }
        Ok(())
    }
}

pub(super) fn put_string(buf: &mut Vec<u8>, text: &str) -> Result<(), WriteVersionedError> {
    let len = i16::try_from(text.len()).map_err(WriteError::from)?;
    buf.extend_from_slice(&len.to_be_bytes());
    buf.extend_from_slice(text.as_bytes());
    Ok(())
}

/// The length of an array or of bytes.
pub(super) fn put_len(buf: &mut Vec<u8>, len: usize) -> Result<(), WriteVersionedError> {
    let len = i32::try_from(len).map_err(WriteError::from)?;
    buf.extend_from_slice(&len.to_be_bytes());
    Ok(())
}
