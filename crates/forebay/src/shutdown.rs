//! How a replica goes away: unready at once, then served out, then refused,
//! then finished.

use std::time::Duration;

use socket2::SockRef;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::lifecycle::Phase;
use crate::startup::Running;

/// How long connections that have just been accepted may take to send their
/// request and to be refused.
const LAST_REQUESTS: Duration = Duration::from_millis(250);

/// How stopping ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Accepted requests that had no answer when the grace was over.
    pub unanswered: usize,
}

impl Running {
    /// Stops the replica: `/readyz` is 503 at once; for
    /// `shutdown.drain_delay` requests are still served, with
    /// `Connection: close`; then new ones are refused, and everything
    /// accepted is answered. Returns at the latest after `shutdown.grace`,
    /// counted from the call.
    ///
    /// # Cancellation
    /// Dropping the future leaves the replica in the phase it had reached.
    pub async fn stop(self) -> Stopped {
        let last = Instant::now() + self.config.shutdown.grace;
        self.lifecycle.advance(Phase::Draining);
        tracing::info!(
            drain_delay = ?self.config.shutdown.drain_delay,
            accepted = self.lifecycle.accepted(),
            "draining: not ready any more, still serving"
        );
        // A delay beyond the grace would leave no time to answer in.
        sleep_until(last.min(Instant::now() + self.config.shutdown.drain_delay)).await;
        self.lifecycle.advance(Phase::Refusing);
        tracing::info!(
            accepted = self.lifecycle.accepted(),
            "refusing new requests"
        );
        let finished = timeout_at(last, self.lifecycle.finished()).await.is_ok();
        let unanswered = self.lifecycle.accepted();
        if !finished {
            tracing::warn!(
                unanswered,
                "the grace is over, these requests get no answer"
            );
        }
        self.close_the_door(last).await;
        // Producers run on the API's threads, which end with its server.
        let left = last.saturating_duration_since(Instant::now());
        self.engine.settled(left).await;
        // Closes idle connections, and the others once their answer is out.
        let closed = timeout_at(last, self.api_server.handle.stop(finished)).await;
        if closed.is_err() {
            tracing::warn!("the grace is over, open connections are cut");
        }
        drop(self.api_socket);
        self.presence.leave(last).await;
        self.engine.shutdown().await;
        if let Some(embedded) = self.embedded {
            // What it has acknowledged needs nothing more than the next start.
            if timeout_at(last, embedded.stop()).await.is_err() {
                tracing::warn!("the grace is over, the embedded broker is cut off");
            }
        }
        // Last, so that probes and metrics can be read to the end.
        let admin = self.admin_server.handle.stop(false);
        if tokio::time::timeout(Duration::from_secs(1), admin)
            .await
            .is_err()
        {
            tracing::debug!("the admin listener did not stop within a second");
        }
        for task in self.background {
            task.abort();
        }
        tracing::info!("stopped");
        Stopped { unanswered }
    }

    /// Lets no new connection in, and answers those that are: a server that
    /// stops drops the ones it has not looked at yet, and whoever sent a
    /// request on one learns nothing.
    async fn close_the_door(&self, last: Instant) {
        // Further attempts are not answered by the kernel. They are repeated
        // after a second, and find that nobody listens: nothing was sent.
        if let Err(error) = SockRef::from(&self.api_socket).listen(0) {
            tracing::debug!(%error, "cannot shorten the queue of new connections");
        }
        self.api_server.handle.pause().await;
        sleep_until(last.min(Instant::now() + LAST_REQUESTS)).await;
    }

    /// Waits until the replica can no longer do its work by itself: a
    /// listener or the embedded broker has ended without being asked to, or
    /// the registry's topic is of a kind that cannot be used. Returns the reason.
    pub async fn failed(&mut self) -> String {
        let broker_ended = async {
            match &self.embedded {
                Some(embedded) => embedded.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = broker_ended => "the embedded broker has ended".to_owned(),
            end = &mut self.api_server.task => format!("the API listener has ended: {end:?}"),
            problem = self.engine.fatal_problem() => problem,
            end = &mut self.admin_server.task => format!("the admin listener has ended: {end:?}"),
        }
    }
}
