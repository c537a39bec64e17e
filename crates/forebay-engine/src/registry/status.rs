//! How the registry is: for readiness, metrics and the start.

use std::time::Instant;

use tokio::sync::watch;

/// The registry's state at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryStatus {
    /// The log has been read to its end at least once.
    pub loaded: bool,
    /// Milliseconds since a read last reached the log's end. `None` before
    /// the first time.
    pub tail_confirmed_ms_ago: Option<u64>,
    /// What is wrong at present, for a person.
    pub problem: Option<String>,
    /// The log cannot be used as it is configured; says the fix. Final: the
    /// registry has stopped.
    pub fatal: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Inner {
    loaded: bool,
    confirmed: Option<Instant>,
    problem: Option<String>,
    fatal: Option<String>,
}

/// A cheap, shared view of the registry's status.
#[derive(Clone, Debug)]
pub struct StatusHandle {
    inner: watch::Receiver<Inner>,
}

impl StatusHandle {
    /// The status now.
    pub fn get(&self) -> RegistryStatus {
        let inner = self.inner.borrow();
        let age = inner.confirmed.map(|confirmed| confirmed.elapsed());
        RegistryStatus {
            loaded: inner.loaded,
            tail_confirmed_ms_ago: age
                .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            problem: inner.problem.clone(),
            fatal: inner.fatal.clone(),
        }
    }

    /// Waits until the registry is loaded.
    ///
    /// # Errors
    /// Why it never will be: what must be changed in the log's configuration,
    /// or that the registry was stopped.
    ///
    /// # Cancellation
    /// Without effect.
    pub async fn settled(&self) -> Result<(), String> {
        let mut inner = self.inner.clone();
        match inner
            .wait_for(|inner| inner.loaded || inner.fatal.is_some())
            .await
        {
            Ok(inner) => inner.fatal.clone().map_or(Ok(()), Err),
            Err(_) => Err("the task registry was stopped before it had loaded".into()),
        }
    }
}

/// The writing end, the actor's.
#[derive(Clone, Debug)]
pub(super) struct StatusWriter(watch::Sender<Inner>);

impl StatusWriter {
    pub(super) fn new() -> (Self, StatusHandle) {
        let (sender, inner) = watch::channel(Inner::default());
        (Self(sender), StatusHandle { inner })
    }

    /// The log has been read to its end.
    pub(super) fn loaded(&self) {
        self.0.send_modify(|inner| inner.loaded = true);
        self.confirmed();
    }

    /// A read has reached the log's end just now.
    pub(super) fn confirmed(&self) {
        self.0.send_modify(|inner| {
            inner.confirmed = Some(Instant::now());
            inner.problem = None;
        });
    }

    pub(super) fn problem(&self, text: String) {
        self.0.send_modify(|inner| inner.problem = Some(text));
    }

    pub(super) fn fatal(&self, text: String) {
        self.0.send_modify(|inner| {
            inner.problem = Some(text.clone());
            inner.fatal = Some(text);
        });
    }
}
