//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cluster::POLL;

/// Waits until `condition` holds, looking every 50 ms, for at most `limit`.
///
/// # Errors
/// When it does not hold in time; `what` is part of the message.
pub async fn await_condition(
    limit: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !condition().await {
        if Instant::now() > deadline {
            bail!("not within {limit:?}: {what}");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
