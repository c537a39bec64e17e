//! What the identifiers of the API look like, and what Kafka takes as a topic's name.

use crate::limits::MAX_TOPIC_NAME_BYTES;

/// Length of the random part of a task's and an access point's id.
const SUFFIX_LEN: usize = 8;

fn has_suffix(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|suffix| {
        suffix.len() == SUFFIX_LEN
            && suffix
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

/// Whether the text is an access point's id: `datahub-` and 8 of `[a-z0-9]`.
pub fn is_datahub_id(text: &str) -> bool {
    has_suffix(text, "datahub-")
}

/// Whether the text is a task's id: `task-` and 8 of `[a-z0-9]`.
pub fn is_task_id(text: &str) -> bool {
    has_suffix(text, "task-")
}

/// Why a topic's name is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TopicNameProblem {
    /// Kafka itself would refuse it.
    #[error(
        "a topic name has 1 to 249 characters of letters, digits, '.', '_' and '-', and is not '.' or '..'"
    )]
    Illegal,
    /// Kafka would take it; Forebay keeps such topics to Kafka and to itself.
    #[error("topics whose name begins with '__' are internal")]
    Internal,
}

/// Checks a topic's name by Kafka's rule (`org.apache.kafka.common.internals.Topic.validate`) and
/// by Forebay's own that names beginning with `__` are internal.
pub fn check_topic_name(name: &str) -> Result<(), TopicNameProblem> {
    let legal = (1..=MAX_TOPIC_NAME_BYTES).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(is_topic_byte);
    if !legal {
        return Err(TopicNameProblem::Illegal);
    }
    if name.starts_with("__") {
        return Err(TopicNameProblem::Internal);
    }
    Ok(())
}

fn is_topic_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        assert!(is_datahub_id("datahub-lab00001"));
        assert!(is_task_id("task-y9799wbn"));
        for wrong in [
            "datahub-",
            "datahub-lab0000",
            "datahub-lab000011",
            "datahub-LAB00001",
            "Datahub-lab00001",
            "datahub-lab0000é",
            "",
        ] {
            assert!(!is_datahub_id(wrong), "{wrong}");
        }
    }

    #[test]
    fn topic_names() {
        for good in ["a", "topicDev", "a.b_c-d", "_one", "...", &"x".repeat(249)] {
            assert_eq!(check_topic_name(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a:b", "é", "a/b", &"x".repeat(250)] {
            assert_eq!(
                check_topic_name(bad),
                Err(TopicNameProblem::Illegal),
                "{bad}"
            );
        }
        assert_eq!(
            check_topic_name("__consumer_offsets"),
            Err(TopicNameProblem::Internal)
        );
    }
}
