//! Changing a topic that is there.

use crate::{
    clock,
    engine::Engine,
    registry::{TopicKey, TopicNotes},
};

use super::{
    MAX_MESSAGE_BYTES, RETENTION_MS, TopicAdminError, TopicChange, error::changing, forgive,
};

impl Engine {
    /// Changes a topic: settings first, then partitions, then notes. What is
    /// as asked for already is left alone.
    ///
    /// # Errors
    /// See [`TopicAdminError`]; `FewerPartitions` before anything is changed.
    ///
    /// # Cancellation
    /// Each of the changes may or may not be made.
    pub async fn modify_topic(
        &self,
        instance: &str,
        change: TopicChange,
    ) -> Result<(), TopicAdminError> {
        let present = self.describe_topic(instance, &change.name).await?;
        let known = self.known_instance(instance)?;
        let _turn = known.topic_turns.turn().await?;
        let more = more_partitions(present.summary.partitions, change.partitions)?;
        let mut done = Vec::new();
        let settings = [
            (RETENTION_MS, change.retention_ms),
            (MAX_MESSAGE_BYTES, change.max_message_bytes.map(i64::from)),
        ];
        let configs: Vec<_> = settings
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .filter(|(name, value)| present.number(name) != Some(*value))
            .map(|(name, value)| (name, value.to_string()))
            .collect();
        if !configs.is_empty() {
            let altered = known.cluster.alter_topic_configs(&change.name, &configs);
            altered.await.map_err(|error| changing(error, Vec::new()))?;
            done.extend(configs.iter().map(|(name, _)| *name));
        }
        if let Some(total) = more {
            let grown = known.cluster.create_partitions(&change.name, total).await;
            grown.map_err(|error| changing(error, done.clone()))?;
        }
        if more.is_some() || !done.is_empty() {
            self.look_again(known, &change.name).await;
        }
        self.note_change(instance, present.summary.notes, change, &done)
            .await
    }

    async fn note_change(
        &self,
        instance: &str,
        present: TopicNotes,
        change: TopicChange,
        done: &[&str],
    ) -> Result<(), TopicAdminError> {
        let wanted = change.note.is_some() || change.tags.is_some();
        let mut notes = present.clone();
        notes.note = change.note.unwrap_or(notes.note);
        notes.tags = change.tags.unwrap_or(notes.tags);
        if done.contains(&RETENTION_MS) {
            notes.retention_set_ms = clock::unix_millis();
        }
        if notes == present {
            return Ok(());
        }
        let noted = self
            .note(TopicKey::new(instance, &change.name), Some(notes))
            .await;
        noted.or_else(|error| forgive(error, wanted))
    }
}

/// How many partitions to grow to, if more than there are.
fn more_partitions(present: usize, asked: Option<i32>) -> Result<Option<i32>, TopicAdminError> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    match usize::try_from(asked) {
        Ok(total) if total == present => Ok(None),
        Ok(total) if total > present => Ok(Some(asked)),
        _ => Err(TopicAdminError::FewerPartitions { present, asked }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_only_grow() {
        assert!(matches!(more_partitions(4, None), Ok(None)));
        assert!(matches!(more_partitions(4, Some(4)), Ok(None)));
        assert!(matches!(more_partitions(4, Some(5)), Ok(Some(5))));
        for fewer in [3, 0, -1] {
            let error = more_partitions(4, Some(fewer)).unwrap_err();
            assert!(error.to_string().contains("4 partitions"), "{error}");
        }
    }
}
