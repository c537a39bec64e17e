//! What a broker's answer to a produce request proves.
//!
//! The source of each line is Apache Kafka's append path (ReplicaManager,
//! UnifiedLog, ProducerAppendInfo), probed as the design's guarantee 4 says:
//! an answer is proof that nothing was stored only if it is given before the
//! append, and only for the attempt that it answers.

use crate::error::ErrorCode;

/// What to do after an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Stored at the offset that came with the answer.
    Acked,
    /// Certainly not stored: the only attempt was refused before the append.
    NotStored,
    /// The same bytes and sequence must be sent again.
    Retry {
        /// Whether the leader may have changed.
        refresh: bool,
        /// Whether the partition should stop sharing its connection.
        isolate: bool,
    },
    /// The broker does not know the batch (any more): look into the log.
    ReadBack,
}

/// Judges an answer to a batch that has been handed over `attempts` times.
pub(super) fn judge(code: ErrorCode, attempts: u32) -> Verdict {
    let refused_before_append = matches!(
        code,
        ErrorCode::CORRUPT_MESSAGE
            | ErrorCode::MESSAGE_TOO_LARGE
            | ErrorCode::RECORD_LIST_TOO_LARGE
            | ErrorCode::NOT_ENOUGH_REPLICAS
            | ErrorCode::TOPIC_AUTHORIZATION_FAILED
            | ErrorCode::INVALID_TIMESTAMP
            | ErrorCode::INVALID_REQUEST
            | ErrorCode::POLICY_VIOLATION
            | ErrorCode::INVALID_RECORD
    );
    match code {
        ErrorCode::NONE => Verdict::Acked,
        _ if refused_before_append && attempts == 1 => Verdict::NotStored,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        | ErrorCode::DUPLICATE_SEQUENCE_NUMBER
        | ErrorCode::INVALID_PRODUCER_EPOCH
        | ErrorCode::UNKNOWN_PRODUCER_ID
        | ErrorCode::PRODUCER_FENCED => Verdict::ReadBack,
        // A slow replica: others must not wait for it.
        // Or a leader that was cut off from the cluster and not told.
        ErrorCode::REQUEST_TIMED_OUT => Verdict::Retry {
            refresh: true,
            isolate: true,
        },
        // Not a matter of who leads. On a retry it says nothing about the
        // attempts before it, so only repeating can settle them.
        ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
            Verdict::Retry {
                refresh: false,
                isolate: false,
            }
        }
        _ => Verdict::Retry {
            refresh: true,
            isolate: false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_listed_codes_prove_that_an_only_attempt_stored_nothing() {
        let proving: Vec<i16> = (-1..200)
            .filter(|code| judge(ErrorCode(*code), 1) == Verdict::NotStored)
            .collect();
        assert_eq!(proving, [2, 10, 18, 19, 29, 32, 42, 44, 87]);
    }

    #[test]
    fn no_answer_to_a_retry_proves_that_nothing_was_stored() {
        for code in -1..200 {
            assert_ne!(judge(ErrorCode(code), 2), Verdict::NotStored, "code {code}");
        }
    }

    #[test]
    fn lost_sequences_are_looked_up_in_the_log() {
        for code in [45, 46, 47, 59, 90] {
            for attempts in [1, 2] {
                assert_eq!(
                    judge(ErrorCode(code), attempts),
                    Verdict::ReadBack,
                    "code {code}"
                );
            }
        }
    }

    #[test]
    fn a_slow_replica_isolates_its_partition_and_a_moved_leader_is_looked_up() {
        assert_eq!(
            judge(ErrorCode(7), 1),
            Verdict::Retry {
                refresh: true,
                isolate: true
            }
        );
        for code in [3, 5, 6, 56] {
            assert_eq!(
                judge(ErrorCode(code), 1),
                Verdict::Retry {
                    refresh: true,
                    isolate: false
                },
                "code {code}"
            );
        }
    }
}
