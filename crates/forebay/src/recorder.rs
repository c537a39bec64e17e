//! Where metrics go: the Prometheus recorder and its upkeep.

use std::sync::Arc;
use std::time::Duration;

use forebay_engine::clock::unix_millis;
use forebay_engine::telemetry;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SetRecorderError, SharedString,
    Unit,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::MetricKindMask;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::embedded::DiskGauge;
use crate::histograms::Histograms;
use crate::http::Shared;
use crate::panic_log;

/// Upkeep runs whether or not anybody scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// A counter not touched for this long belongs to nothing alive. Everything
/// alive is touched every [`UPKEEP_EVERY`].
const IDLE: Duration = Duration::from_secs(60);

/// The recorder is the process's, so it is made once, also where several
/// replicas run in one process (tests).
static INSTALLED: Mutex<Option<Exposition>> = Mutex::new(None);

/// What `/metrics` shows.
#[derive(Clone)]
pub(crate) struct Exposition {
    prometheus: PrometheusHandle,
    histograms: Arc<Histograms>,
}

impl Exposition {
    /// Prometheus text format 0.0.4.
    pub(crate) fn render(&self) -> String {
        let mut text = self.prometheus.render();
        self.histograms.render(&mut text);
        text
    }
}

/// The exporter's recorder for everything but histograms.
pub(crate) struct ForebayRecorder {
    prometheus: PrometheusRecorder,
    histograms: Arc<Histograms>,
}

impl Recorder for ForebayRecorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.prometheus.describe_counter(name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.prometheus.describe_gauge(name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.histograms.describe(name.as_str(), &help);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.prometheus.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.prometheus.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut declared = telemetry::BUCKETS.iter();
        let found = declared.find(|(name, _)| *name == key.name());
        match found {
            Some((_, bounds)) => self.histograms.get(key, bounds),
            // Of some library, not ours: nobody has said what its values are.
            None => Histogram::noop(),
        }
    }
}

/// Installs the recorder, or gives what is installed.
///
/// # Errors
/// When another recorder is installed already.
pub(crate) fn install() -> Result<Exposition, SetRecorderError<ForebayRecorder>> {
    let mut installed = INSTALLED.lock();
    if let Some(exposition) = &*installed {
        return Ok(exposition.clone());
    }
    let builder = PrometheusBuilder::new().idle_timeout(MetricKindMask::COUNTER, Some(IDLE));
    let recorder = ForebayRecorder {
        prometheus: builder.build_recorder(),
        histograms: Arc::default(),
    };
    let exposition = Exposition {
        prometheus: recorder.prometheus.handle(),
        histograms: Arc::clone(&recorder.histograms),
    };
    metrics::set_global_recorder(recorder)?;
    telemetry::describe();
    let commit = option_env!("FOREBAY_COMMIT").unwrap_or("unknown");
    telemetry::build_info(env!("CARGO_PKG_VERSION"), commit).set(1.0);
    *installed = Some(exposition.clone());
    Ok(exposition)
}

/// Runs until it is aborted.
pub(crate) async fn upkeep(metrics: &Exposition, shared: &Shared, disk: Option<&DiskGauge>) {
    let mut tick = interval(UPKEEP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        shared.engine.telemetry().touch();
        shared.metrics.touch();
        telemetry::panics().absolute(panic_log::count());
        let skew = shared.clock_skew.largest(unix_millis() / 1000);
        shared.metrics.clock_skew_seconds.set(f64::from(skew));
        if let Some(disk) = disk {
            disk.read();
        }
        metrics.prometheus.run_upkeep();
    }
}
