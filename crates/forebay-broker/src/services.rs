//! What every connection works with.

use std::sync::Arc;

use crate::config::BrokerConfig;
use crate::disk::Disk;
use crate::producer_ids::ProducerIds;
use crate::topics::Topics;

/// The broker's parts, shared by all connections.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) config: BrokerConfig,
    pub(crate) disk: Arc<Disk>,
    pub(crate) topics: Topics,
    pub(crate) producer_ids: ProducerIds,
}

impl Services {
    /// Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        (self.config.clock)()
    }
}
