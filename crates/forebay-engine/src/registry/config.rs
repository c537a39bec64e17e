//! The registry's bounds.

use std::time::Duration;

/// Times and limits of the registry; the defaults suit production.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Every call is answered within this time.
    pub call_deadline: Duration,
    /// Calls that may wait at once. Handlers never wait themselves, so this,
    /// and not the mailbox, bounds the callers whose state is held.
    pub max_pending: usize,
    /// How long a read of the tail waits for news: at most 1 s, so that an
    /// idle tail confirms itself well within readiness's 5 s.
    pub poll_wait: Duration,
    /// After `poll_wait`, how long a read may go without an answer.
    pub read_timeout: Duration,
    /// The first pause after a failed read or repair; doubles up to 2 s.
    pub retry_backoff: Duration,
    /// After not reaching the log's end for this long, the log is read again
    /// from its start: a deletion's tombstone could have been compacted away.
    /// Well below the topic's `delete.retention.ms` (Kafka's default: 24 h).
    pub reload_after: Duration,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self {
            call_deadline: Duration::from_secs(25),
            max_pending: 1024,
            poll_wait: Duration::from_secs(1),
            read_timeout: Duration::from_secs(5),
            retry_backoff: Duration::from_millis(100),
            reload_after: Duration::from_secs(3600),
        }
    }
}
