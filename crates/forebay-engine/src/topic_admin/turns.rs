//! How many topic actions run at once.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::TopicAdminError;

/// Topic actions that run at once, for each instance: an answer about all topics of a large
/// cluster takes megabytes.
const AT_ONCE: usize = 4;

/// For a turn: so that who waited for nothing but that is told so.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Limits how many topic actions run on an instance.
#[derive(Debug)]
pub(crate) struct TopicAdminTurns(Semaphore);

impl Default for TopicAdminTurns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl TopicAdminTurns {
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, TopicAdminError> {
        match timeout(LONGEST_WAIT, self.0.acquire()).await {
            Ok(turn) => Ok(turn.expect("the semaphore is never closed")),
            Err(_) => Err(TopicAdminError::TooMany),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_turn_is_waited_for_without_limit() {
        let turns = TopicAdminTurns::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(turns.turn().await.unwrap());
        }
        let refused = turns.turn().await.err();
        assert!(matches!(refused, Some(TopicAdminError::TooMany)));
        held.pop();
        held.push(turns.turn().await.unwrap());
    }
}
