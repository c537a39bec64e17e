//! What a worker's actor says about a request.
//!
//! Not a oneshot channel: of a message that is on its way to Kafka there is
//! nothing to tell until its fate is known, and waking a connection's task
//! costs a look at its socket, its timers and its parser. So the task is woken
//! once, by the delivery itself.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use super::ingress::{Accepted, Refused};

/// What the actor says; `None` if it died of the request.
pub(super) type Said = Option<Result<Accepted, Refused>>;

#[allow(
    clippy::large_enum_variant,
    reason = "one is alive per request under way; a box would cost an allocation for each"
)]
enum State {
    /// Nothing yet. `late`: the deadline is over, so that even a delivery that
    /// is still under way has to be told at once.
    Waiting { waker: Option<Waker>, late: bool },
    /// It has been said, but for what becomes of a delivery.
    Said(Said),
}

/// Whoever asked.
pub(super) struct Awaited(Arc<Mutex<State>>);

/// The actor's end. Dropping it without a word says that the actor has died.
pub(super) struct Reply(Arc<Mutex<State>>);

/// The two ends of a reply.
pub(super) fn reply() -> (Reply, Awaited) {
    let waiting = State::Waiting {
        waker: None,
        late: false,
    };
    let state = Arc::new(Mutex::new(waiting));
    (Reply(Arc::clone(&state)), Awaited(state))
}

impl Reply {
    /// Says it, once.
    pub(super) fn say(self, said: Result<Accepted, Refused>) {
        self.fill(Some(said));
    }

    fn fill(&self, said: Said) {
        let mut state = self.0.lock();
        let State::Waiting { waker, late } = &mut *state else {
            return;
        };
        let (waker, late) = (waker.take(), *late);
        let under_way = match (&said, &waker) {
            (Some(Ok(Accepted::Delivery { delivery, .. })), Some(waker)) if !late => {
                !delivery.wakes(waker)
            }
            _ => false,
        };
        *state = State::Said(said);
        drop(state);
        if let Some(waker) = waker.filter(|_| !under_way) {
            waker.wake();
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.fill(None);
    }
}

impl Awaited {
    /// Waits for it, and for a delivery until it is settled or `deadline` has
    /// come. Whoever gets a delivery that is not settled has to end it.
    ///
    /// # Cancellation
    /// What was handed over is written all the same.
    pub(super) async fn said(self, deadline: Instant) -> Said {
        match timeout_at(deadline, poll_fn(|context| self.poll(context, false))).await {
            Ok(said) => said,
            Err(_) => poll_fn(|context| self.poll(context, true)).await,
        }
    }

    fn poll(&self, context: &Context<'_>, late: bool) -> Poll<Said> {
        let mut state = self.0.lock();
        match &mut *state {
            State::Said(Some(Ok(Accepted::Delivery { delivery, .. })))
                if !late && !delivery.wakes(context.waker()) =>
            {
                Poll::Pending
            }
            State::Said(said) => Poll::Ready(said.take()),
            waiting @ State::Waiting { .. } => {
                let waker = Some(context.waker().clone());
                *waiting = State::Waiting { waker, late };
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use forebay_api::{ApiError, ErrorCode};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn refusal() -> Result<Accepted, Refused> {
        Err(Refused {
            action: None,
            error: ApiError::new(ErrorCode::InternalError, "a test"),
        })
    }

    #[actix_web::test]
    async fn what_is_said_before_and_after_the_look_arrives() {
        let (before, awaited) = reply();
        before.say(refusal());
        let said = awaited.said(Instant::now() + LONG).await;
        assert!(matches!(said, Some(Err(_))));
        let (after, awaited) = reply();
        let waiting = actix_rt::spawn(awaited.said(Instant::now() + LONG));
        tokio::task::yield_now().await;
        after.say(refusal());
        assert!(matches!(waiting.await.unwrap(), Some(Err(_))));
    }

    #[actix_web::test]
    async fn an_actor_that_dies_or_is_late_leaves_nobody_waiting() {
        let (dropped, awaited) = reply();
        let waiting = actix_rt::spawn(awaited.said(Instant::now() + LONG));
        tokio::task::yield_now().await;
        drop(dropped);
        assert!(waiting.await.unwrap().is_none());
        let (late, awaited) = reply();
        let waiting = actix_rt::spawn(awaited.said(Instant::now()));
        tokio::task::yield_now().await;
        late.say(refusal());
        assert!(matches!(waiting.await.unwrap(), Some(Err(_))));
    }
}
