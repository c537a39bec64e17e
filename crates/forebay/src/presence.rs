//! Tells the other replicas that this one is there, for the console's page.

use std::net::SocketAddr;
use std::time::Duration;

use forebay_engine::Engine;
use forebay_engine::clock::unix_millis;
use forebay_engine::registry::{ANNOUNCE_EVERY, Announce, ReplicaSign};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::lifecycle::{Lifecycle, Phase};

/// How long leaving may take: nothing depends on it.
const LEAVING: Duration = Duration::from_secs(1);

/// This replica, as the others see it.
#[derive(Clone)]
pub(crate) struct Presence {
    engine: Engine,
    name: String,
    started_ms: i64,
}

impl Presence {
    pub(crate) fn new(engine: Engine, api: SocketAddr) -> Self {
        // The address alone may be the same on every host, as 0.0.0.0 is.
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().into_owned();
        Self {
            engine,
            name: format!("{host} {api}"),
            started_ms: unix_millis(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Tells of it until it is on its way out. Runs until then, or until it is
    /// aborted.
    pub(crate) async fn keep_announced(&self, lifecycle: &Lifecycle) {
        if self.engine.registry_loaded().await.is_err() {
            return;
        }
        let mut tick = interval(ANNOUNCE_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if lifecycle.phase() > Phase::Serving {
                return;
            }
            self.announce(false).await;
        }
    }

    /// Tells that it goes, if that can be done quickly, and before `last`.
    pub(crate) async fn leave(&self, last: Instant) {
        let until = last.min(Instant::now() + LEAVING);
        if timeout_at(until, self.announce(true)).await.is_err() {
            tracing::debug!("could not tell the other replicas of the stop");
        }
    }

    async fn announce(&self, leaving: bool) {
        let sign = ReplicaSign {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_ms: self.started_ms,
            seen_ms: unix_millis(),
        };
        let told = self.engine.registry().send(Announce { sign, leaving });
        match told.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "could not tell the other replicas"),
            Err(error) => tracing::debug!(%error, "could not tell the other replicas"),
        }
    }
}
