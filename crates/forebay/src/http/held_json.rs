//! Answers whose memory counts while a client takes its time to read them.

use forebay_api::{ApiError, answer};
use forebay_engine::admission::Permit;
use serde::Serialize;

use super::error;
use super::shared::Shared;

/// An answer's JSON, and the memory that it takes where that is worth counting.
pub(super) struct HeldJson {
    pub(super) json: Vec<u8>,
    pub(super) permit: Option<Permit>,
}

impl HeldJson {
    /// The answer of an action that lists: a page may have hundreds of kilobytes,
    /// and as many may wait for clients as there are connections.
    ///
    /// # Errors
    /// RequestLimitExceeded where the memory limit has no room for it. To be used
    /// where nothing was changed: whoever changes something is told so.
    pub(super) fn list<T: Serialize>(
        list: &T,
        shared: &Shared,
        request_id: &str,
    ) -> Result<Self, ApiError> {
        let mut permit = None;
        let json = answer::large_result(list, request_id, |bytes| {
            permit = Some(shared.engine.admission().try_reserve(bytes)?);
            Ok(())
        });
        let json = json.map_err(|refusal| {
            shared.metrics.shed_memory.increment(1);
            error::memory(&refusal)
        })?;
        Ok(Self { json, permit })
    }
}

impl From<Vec<u8>> for HeldJson {
    /// Of one thing only, which takes a few kilobytes at most.
    fn from(json: Vec<u8>) -> Self {
        Self { json, permit: None }
    }
}
