//! Whether a partition takes batches, as its writer has last seen it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{Error, ErrorCode, cluster::Cluster};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// The leader does not answer, or refuses.
    Failing,
    /// The leader answers; too few replicas are in sync.
    ShortOfReplicas,
}

/// The writer's own view, and a flag for others to see it by.
#[derive(Debug)]
pub(super) struct Health {
    state: State,
    failing: Arc<AtomicBool>,
}

impl Health {
    /// Good until shown otherwise.
    pub(super) fn new(failing: Arc<AtomicBool>) -> Self {
        Self {
            state: State::Good,
            failing,
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.state == State::Good
    }

    /// A batch was acknowledged, or a probe answered.
    pub(super) fn note_success(&mut self) {
        self.set(State::Good);
    }

    /// No answer.
    pub(super) fn note_fault(&mut self) {
        self.set(State::Failing);
    }

    /// The leader refused a batch.
    pub(super) fn note_refusal(&mut self, code: ErrorCode) {
        self.set(match code {
            ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
                State::ShortOfReplicas
            }
            // About this batch, not about the partition.
            ErrorCode::MESSAGE_TOO_LARGE
            | ErrorCode::RECORD_LIST_TOO_LARGE
            | ErrorCode::INVALID_RECORD
            | ErrorCode::INVALID_TIMESTAMP => self.state,
            _ => State::Failing,
        });
    }

    fn set(&mut self, state: State) {
        self.state = state;
        self.failing.store(state != State::Good, Ordering::Relaxed);
    }

    /// Whether the leader answers, with enough replicas in sync if that was
    /// what it lacked.
    ///
    /// # Errors
    /// If it does not answer.
    pub(super) async fn probe(
        &mut self,
        cluster: &Cluster,
        topic: &str,
        partition: i32,
    ) -> Result<bool, Error> {
        let metadata = cluster.refresh(topic).await?;
        cluster.latest_offset(topic, partition).await?;
        if self.state == State::ShortOfReplicas {
            let configs = cluster.describe_topic_configs(topic).await?;
            let wanted = configs.get("min.insync.replicas");
            let wanted = wanted.and_then(|value| value.parse().ok()).unwrap_or(1);
            let in_sync = metadata
                .partition(partition)
                .map_or(0, |found| found.isr.len());
            if in_sync < wanted {
                return Ok(false);
            }
        }
        self.note_success();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_see_at_once_what_the_writer_sees() {
        let failing = Arc::new(AtomicBool::new(false));
        let mut health = Health::new(Arc::clone(&failing));
        let mut after = |note: &dyn Fn(&mut Health)| {
            note(&mut health);
            assert_eq!(failing.load(Ordering::Relaxed), !health.is_good());
            health.is_good()
        };
        assert!(after(
            &|health| health.note_refusal(ErrorCode::MESSAGE_TOO_LARGE)
        ));
        assert!(!after(&Health::note_fault));
        assert!(!after(
            &|health| health.note_refusal(ErrorCode::INVALID_RECORD)
        ));
        assert!(after(&Health::note_success));
        assert!(!after(
            &|health| health.note_refusal(ErrorCode::NOT_ENOUGH_REPLICAS)
        ));
    }
}
