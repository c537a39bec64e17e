//! Waiting on behalf of a batch, but not longer than anybody wants it.

use std::{pin::pin, time::Duration};

use tokio::time::{Instant, timeout};

use crate::Error;

/// How often is looked whether the batch is still wanted.
const INTERVAL: Duration = Duration::from_millis(250);

/// Waits for `work`, and gives it up as soon as `is_wanted` says no: asking a
/// silent cluster takes longer than most callers wait.
///
/// # Errors
/// Those of `work`; [`Error::Timeout`] when it was given up.
pub(super) async fn while_wanted<T>(
    mut is_wanted: impl FnMut() -> bool,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let started = Instant::now();
    let mut work = pin!(work);
    loop {
        if let Ok(result) = timeout(INTERVAL, &mut work).await {
            return result;
        }
        if !is_wanted() {
            return Err(Error::Timeout {
                what: "a question on behalf of a batch",
                after: started.elapsed(),
            });
        }
    }
}
