//! What all workers of the API share.

use std::sync::Arc;
use std::time::Duration;

use forebay_api::tc3::Verifier;
use forebay_api::{Action, ApiError};
use forebay_broker::DiskSpace;
use forebay_engine::Engine;

use super::body::BodyPace;
use super::clock_skew::ClockSkew;
use super::problem_log::ProblemLog;
use super::request_metrics::RequestMetrics;
use crate::config::Config;
use crate::credentials::CredentialStore;
use crate::lifecycle::Lifecycle;

/// See the module.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) credentials: Arc<CredentialStore>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) metrics: RequestMetrics,
    pub(crate) clock_skew: ClockSkew,
    pub(crate) problems: ProblemLog,
    /// The embedded broker's, where there is one.
    pub(crate) disk: Option<DiskSpace>,
    pub(crate) settings: RequestSettings,
}

impl Shared {
    /// Counts an answer, and logs it if the trouble is ours.
    pub(super) fn record(
        &self,
        action: Option<Action>,
        error: Option<&ApiError>,
        request_id: &str,
        elapsed: Duration,
    ) {
        let code = error.map(|error| error.code);
        self.metrics.answered(action, code, elapsed);
        if let Some(error) = error {
            let action = action.map_or("other", Action::as_str);
            self.problems.answered(action, error, request_id);
        }
    }
}

/// The settings that requests need.
#[derive(Clone, Debug)]
pub(crate) struct RequestSettings {
    /// From *received* to the answer.
    pub(crate) deadline: Duration,
    pub(crate) body_pace: BodyPace,
    /// What a task's target means when it names no instance.
    pub(crate) home_instance: String,
    clock_skew: Duration,
    allow_unsigned_payload: bool,
}

impl RequestSettings {
    /// # Panics
    /// Without an instance; the embedded broker's is in the list by now.
    pub(crate) fn new(config: &Config) -> Self {
        let home = config.instances.first();
        let home = home.expect("a replica starts with at least one instance");
        Self {
            deadline: config.delivery.deadline,
            body_pace: BodyPace {
                timeout: config.http.body_timeout,
                min_rate: config.http.min_body_rate.0,
            },
            home_instance: home.id.clone(),
            clock_skew: config.auth.clock_skew,
            allow_unsigned_payload: config.auth.allow_unsigned_payload,
        }
    }

    pub(super) fn verifier(&self) -> Verifier {
        Verifier {
            skew_seconds: self.clock_skew.as_secs(),
            allow_unsigned_payload: self.allow_unsigned_payload,
        }
    }
}
