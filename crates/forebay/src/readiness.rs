//! Whether this replica is ready to be sent requests, and why not: one answer for
//! `/readyz` and the console.

use forebay_broker::DiskSpace;
use forebay_engine::Engine;

use crate::lifecycle::{Lifecycle, Phase};

/// All that readiness depends on. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readiness {
    pub(crate) engine: Engine,
    pub(crate) lifecycle: Lifecycle,
    /// The embedded broker's, where there is one.
    pub(crate) disk: Option<DiskSpace>,
}

impl Readiness {
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
