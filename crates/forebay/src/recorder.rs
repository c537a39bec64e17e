//! Where metrics go: the Prometheus recorder and its upkeep.

use std::sync::Arc;
use std::time::Duration;

use forebay_engine::clock::unix_millis;
use forebay_engine::telemetry;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::embedded::DiskGauge;
use crate::http::Shared;

/// Upkeep runs whether or not anybody scrapes: histograms hold their samples
/// until then.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// A counter not touched for this long belongs to nothing alive. Everything
/// alive is touched every [`UPKEEP_EVERY`].
const IDLE: Duration = Duration::from_secs(60);

/// The recorder is the process's, so it is made once, also where several
/// replicas run in one process (tests).
static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Installs the recorder, or gives the handle of the one that is installed.
///
/// # Errors
/// When another recorder is installed already.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let mut recorder = RECORDER.lock();
    if let Some(handle) = &*recorder {
        return Ok(handle.clone());
    }
    let mut builder = PrometheusBuilder::new().idle_timeout(MetricKindMask::COUNTER, Some(IDLE));
    for (name, buckets) in telemetry::BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)?;
    }
    let handle = builder.install_recorder()?;
    telemetry::describe();
    let commit = option_env!("FOREBAY_COMMIT").unwrap_or("unknown");
    telemetry::build_info(env!("CARGO_PKG_VERSION"), commit).set(1.0);
    *recorder = Some(handle.clone());
    Ok(handle)
}

/// Runs until it is aborted.
pub(crate) async fn upkeep(handle: PrometheusHandle, shared: Arc<Shared>, disk: Option<DiskGauge>) {
    let mut tick = interval(UPKEEP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        shared.engine.telemetry().touch();
        shared.metrics.touch();
        let skew = shared.clock_skew.largest(unix_millis() / 1000);
        shared.metrics.clock_skew_seconds.set(f64::from(skew));
        if let Some(disk) = &disk {
            disk.read();
        }
        handle.run_upkeep();
    }
}
