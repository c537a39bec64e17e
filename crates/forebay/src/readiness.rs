//! Whether this replica is ready to be sent requests, and why not: one answer for
//! `/readyz` and the console.

use forebay_broker::DiskSpace;
use forebay_engine::Engine;

use crate::http::Shared;
use crate::lifecycle::{Lifecycle, Phase};

/// All that readiness depends on. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readiness {
    pub(crate) engine: Engine,
    lifecycle: Lifecycle,
    /// The embedded broker's, where there is one.
    disk: Option<DiskSpace>,
}

impl Readiness {
    pub(crate) fn of(shared: &Shared) -> Self {
        Self {
            engine: shared.engine.clone(),
            lifecycle: shared.lifecycle.clone(),
            disk: shared.disk.clone(),
        }
    }

    /// Why the replica is not ready; empty if it is.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut reasons = self.engine.readiness();
        if self.disk.as_ref().is_some_and(DiskSpace::is_full) {
            reasons.push(
                "the disk of the embedded broker is full: it stores nothing until there is space"
                    .to_owned(),
            );
        }
        if self.lifecycle.phase() > Phase::Serving {
            reasons.insert(0, "draining before it stops".to_owned());
        }
        reasons
    }
}
