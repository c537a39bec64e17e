//! Log lines about answers that are not the caller's fault, at most one a
//! second: with Kafka down every request fails alike, and a log that grows
//! with the load makes the trouble worse.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use forebay_api::{ApiError, ErrorCode};
use forebay_engine::clock::unix_millis;

const AT_MOST_EVERY_MS: i64 = 1000;

/// One per process.
#[derive(Debug, Default)]
pub(crate) struct ProblemLog {
    last_ms: AtomicI64,
    held_back: AtomicU64,
}

impl ProblemLog {
    /// Logs `error` if it tells of trouble on our side.
    pub(super) fn answered(&self, action: &str, error: &ApiError, request_id: &str) {
        if !is_ours(action, error) {
            return;
        }
        let Some(held_back) = self.turn(unix_millis()) else {
            return;
        };
        tracing::warn!(
            action,
            request_id,
            code = error.code.as_str(),
            message = %error.message,
            held_back,
            "request failed"
        );
    }

    /// How many were held back since the last line, if it is time for one.
    fn turn(&self, now_ms: i64) -> Option<u64> {
        let last = self.last_ms.load(Ordering::Relaxed);
        // The absolute distance: a clock set back must not silence the log.
        let due = (now_ms - last).abs() >= AT_MOST_EVERY_MS;
        let mine = due
            && self
                .last_ms
                .compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            Some(self.held_back.swap(0, Ordering::Relaxed))
        } else {
            self.held_back.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

/// A paused task is FailedOperation too, by contract, and so are an offset that is
/// not there and a record that cannot be shown: nobody's trouble.
fn is_ours(action: &str, error: &ApiError) -> bool {
    match error.code {
        ErrorCode::InternalError | ErrorCode::ResourceUnavailableKafkaStorageError => true,
        ErrorCode::FailedOperation => {
            !error.message.starts_with("task status suspended") && !action.starts_with("Fetch")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_and_the_rest_is_counted() {
        let log = ProblemLog::default();
        assert_eq!(log.turn(10_000), Some(0));
        assert_eq!(log.turn(10_500), None);
        assert_eq!(log.turn(10_999), None);
        assert_eq!(log.turn(11_000), Some(2));
        assert_eq!(log.turn(1_000), Some(0), "the clock was set back");
    }

    #[test]
    fn what_callers_bring_about_is_no_trouble() {
        let suspended = ApiError::task_suspended("datahub-aaaaaaaa");
        assert!(!is_ours("SendMessage", &suspended));
        assert!(!is_ours("SendMessage", &ApiError::missing("Body")));
        let no_such_offset = ApiError::new(ErrorCode::FailedOperation, "offset 7: x");
        assert!(!is_ours("FetchMessageByOffset", &no_such_offset));
        let lost = ApiError::new(ErrorCode::FailedOperation, "delivery unknown: x");
        assert!(is_ours("SendMessage", &lost));
    }
}
