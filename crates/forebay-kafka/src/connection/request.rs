//! What a request has to be, and the wrapper that books its frame.

use std::{io::Cursor, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rskafka::protocol::{
    api_key::ApiKey,
    api_version::{ApiVersion, ApiVersionRange},
    messages::{ReadVersionedType, RequestBody, WriteVersionedError, WriteVersionedType},
};

use super::frame_ledger::{FrameGuard, FrameLedger};

/// A request that a [`Connection`](super::Connection) can send, with an answer
/// that it can read. Implemented by all that have the protocol library's traits.
pub(crate) trait Request:
    RequestBody<ResponseBody = Self::Answer> + WriteVersionedType<Vec<u8>> + Send + Sync
{
    /// What the broker answers.
    type Answer: ReadVersionedType<Cursor<Vec<u8>>> + Send;
}

impl<R> Request for R
where
    R: RequestBody + WriteVersionedType<Vec<u8>> + Send + Sync,
    R::ResponseBody: ReadVersionedType<Cursor<Vec<u8>>> + Send,
{
    type Answer = R::ResponseBody;
}

/// An answer that says for how long the broker will not read from the
/// connection that it came over (KIP-219).
pub(crate) trait Throttling {
    /// Zero if it goes on reading.
    fn throttle(&self) -> Duration;
}

/// A request whose frame is booked as soon as it is built.
pub(super) struct Booked<'a, R> {
    pub(super) request: &'a R,
    pub(super) ledger: &'a Arc<FrameLedger>,
    pub(super) guard: &'a Mutex<Option<FrameGuard>>,
}

impl<R: RequestBody> RequestBody for Booked<'_, R> {
    type ResponseBody = R::ResponseBody;
    const API_KEY: ApiKey = R::API_KEY;
    const API_VERSION_RANGE: ApiVersionRange = R::API_VERSION_RANGE;
    const FIRST_TAGGED_FIELD_IN_REQUEST_VERSION: ApiVersion =
        R::FIRST_TAGGED_FIELD_IN_REQUEST_VERSION;
    const FIRST_TAGGED_FIELD_IN_RESPONSE_VERSION: ApiVersion =
        R::FIRST_TAGGED_FIELD_IN_RESPONSE_VERSION;
}

impl<R: WriteVersionedType<Vec<u8>>> WriteVersionedType<Vec<u8>> for Booked<'_, R> {
    fn write_versioned(
        &self,
        writer: &mut Vec<u8>,
        version: ApiVersion,
    ) -> Result<(), WriteVersionedError> {
        self.request.write_versioned(writer, version)?;
        // The header has been written before: this is the frame.
        *self.guard.lock() = self.ledger.book(writer);
        Ok(())
    }
}
