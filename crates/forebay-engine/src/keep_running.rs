//! Work in the background that no panic may end for good.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::time::sleep;

/// Before work that panicked begins anew: what panics each time must neither
/// take a core nor fill a disk with log lines.
const PAUSE: Duration = Duration::from_secs(1);

/// Does `work` until it returns. Should it panic, the log says so, by the name
/// `what`, and it begins anew after a second, with whatever it has captured.
///
/// # Cancellation
/// Dropping the future drops the work.
pub async fn keep_running(what: &str, mut work: impl AsyncFnMut()) {
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        tracing::error!(what, "failed, and begins anew in a second");
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_panics_begins_anew_and_what_returns_is_done() {
        let mut runs = 0;
        keep_running("a test", async || {
            runs += 1;
            tokio::task::yield_now().await;
            assert!(runs > 2, "told to panic");
        })
        .await;
        assert_eq!(runs, 3);
    }
}
