//! Where a replica stands between start and end, and what it still owes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Only ever rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Business as usual.
    Serving,
    /// Not ready any more, still serving, with `Connection: close`.
    Draining,
    /// New requests are refused, accepted ones are finished.
    Refusing,
}

/// Shared by the listeners and the shutdown. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lifecycle(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    phase: AtomicU8,
    accepted: AtomicUsize,
    idle: Notify,
    advanced: Notify,
}

impl Lifecycle {
    pub(crate) fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Refusing,
        }
    }

    /// Never goes back.
    pub(crate) fn advance(&self, to: Phase) {
        self.0.phase.fetch_max(to as u8, Ordering::SeqCst);
        self.0.advanced.notify_waiters();
    }

    /// Waits until the replica serves no longer as usual.
    ///
    /// # Cancellation
    /// Nothing is lost by dropping it.
    pub(crate) async fn draining(&self) {
        loop {
            let advanced = self.0.advanced.notified();
            tokio::pin!(advanced);
            // Registered before the look, so that no advance is missed.
            advanced.as_mut().enable();
            if self.phase() > Phase::Serving {
                return;
            }
            advanced.await;
        }
    }

    /// A request that will be answered in full, or `None` if it has to be
    /// refused.
    pub(crate) fn accept(&self) -> Option<AcceptedRequest> {
        // Counted first, looked at second: `finished` looks at the count
        // after the phase has been set, so one of the two sees the other.
        self.0.accepted.fetch_add(1, Ordering::SeqCst);
        let accepted = AcceptedRequest(Arc::clone(&self.0));
        (self.phase() < Phase::Refusing).then_some(accepted)
    }

    /// Requests that are accepted and not yet answered.
    pub(crate) fn accepted(&self) -> usize {
        self.0.accepted.load(Ordering::SeqCst)
    }

    /// Waits until everything accepted is answered.
    ///
    /// # Cancellation
    /// Nothing is lost by dropping it.
    pub(crate) async fn finished(&self) {
        loop {
            let idle = self.0.idle.notified();
            tokio::pin!(idle);
            // Registered before the look, so that no last one is missed.
            idle.as_mut().enable();
            if self.accepted() == 0 {
                return;
            }
            idle.await;
        }
    }
}

/// Held from a request's head until its answer is made.
#[derive(Debug)]
pub(crate) struct AcceptedRequest(Arc<Inner>);

impl Drop for AcceptedRequest {
    fn drop(&mut self) {
        if self.0.accepted.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[actix_web::test]
    async fn finished_waits_for_the_last_accepted_request() {
        let lifecycle = Lifecycle::default();
        let first = lifecycle.accept().unwrap();
        let second = lifecycle.accept().unwrap();
        lifecycle.advance(Phase::Refusing);
        assert!(lifecycle.accept().is_none());
        lifecycle.advance(Phase::Draining);
        assert_eq!(lifecycle.phase(), Phase::Refusing, "never goes back");
        let waiting = actix_rt::spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.finished().await }
        });
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        tokio::time::timeout(Duration::from_secs(10), waiting)
            .await
            .unwrap()
            .unwrap();
    }
}
