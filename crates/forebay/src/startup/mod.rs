//! Starts a replica: every part is made and joined here.
//!
//! - `listening`: the sockets, and the servers on them;
//! - `running`: what a start comes to;
//! - `error`: or why it came to nothing.

mod error;
mod listening;
mod running;

use std::sync::Arc;

use actix_web::web;
use forebay_engine::{Engine, EngineConfig, InstanceConfig as EngineInstance, keep_running};
use tokio::task::JoinHandle;

use crate::admin::AdminState;
use crate::config::{Config, InstanceConfig};
use crate::console::{Console, Place, Places};
use crate::credentials::{self, CredentialStore};
use crate::embedded::EmbeddedBroker;
use crate::http::{ClockSkew, ProblemLog, RequestMetrics, RequestSettings, Shared};
use crate::lifecycle::Lifecycle;
use crate::named_files::Protection;
use crate::presence::Presence;
use crate::readiness::Readiness;
use crate::{open_files, recorder};

pub use error::StartError;
pub use running::Running;

use listening::Sockets;

/// Starts a replica and returns when it listens. A Kafka that was named need
/// not be reachable: `/readyz` says so until it is. The embedded broker, which
/// is started where none was named, has its tasks loaded by then.
///
/// Has to be called within an actix system.
///
/// # Errors
/// See [`StartError`]; nothing is left running then.
pub async fn start(mut config: Config) -> Result<Running, StartError> {
    open_files::raise_limit();
    let (path, make_if_missing) = config.credentials_path();
    let credentials = Arc::new(CredentialStore::open(&path, make_if_missing)?);
    let sockets = Sockets::bind(&config)?;
    // Before any handle is made: a handle made earlier would count nothing.
    let metrics = recorder::install().map_err(|error| StartError::Metrics(error.to_string()))?;
    let mut protection = Protection::open(&config).await?;
    let embedded = start_embedded(&mut config).await?;
    let engine = Engine::start(&engine_config(&config, &mut protection));
    if let Some(embedded) = &embedded {
        embedded.make_ready(&engine).await?;
    }
    let shared = shared(&config, &engine, &credentials, embedded.as_ref());
    let presence = Presence::new(engine.clone(), sockets.api());
    let places = Places {
        api: Place::new(sockets.api(), protection.api.as_ref()),
        admin: Place::new(sockets.admin(), protection.admin.as_ref()),
    };
    let readiness = Readiness::of(&shared);
    let console = console(&config, &shared, &readiness, places, &presence);
    let admin_state = AdminState {
        readiness,
        metrics: metrics.clone(),
        console: console.clone(),
    };
    let (api, admin) = (sockets.api(), sockets.admin());
    let servers = sockets.serve(&config, &protection, Arc::clone(&shared), admin_state);
    let servers = servers.await?;
    let lifecycle = shared.lifecycle.clone();
    let disk = embedded.as_ref().map(EmbeddedBroker::disk_gauge);
    let mut background = keep_certificates_current(protection);
    let (store, present, phase) = (
        Arc::clone(&credentials),
        presence.clone(),
        lifecycle.clone(),
    );
    background.extend([
        spawn_lasting("the watch over the credentials", async move || {
            credentials::keep_current(&store).await;
        }),
        spawn_lasting("the upkeep of metrics", async move || {
            recorder::upkeep(&metrics, &shared, disk.as_ref()).await;
        }),
        spawn_lasting("telling other replicas of this one", async move || {
            present.keep_announced(&phase).await;
        }),
    ]);
    Ok(Running {
        api,
        admin,
        credentials,
        console,
        presence,
        engine,
        embedded,
        lifecycle,
        config,
        api_server: servers.api,
        api_socket: servers.api_socket,
        admin_server: servers.admin,
        background,
    })
}

/// The broker of a replica that was given no Kafka; from then on it is its
/// only instance.
async fn start_embedded(config: &mut Config) -> Result<Option<EmbeddedBroker>, StartError> {
    if !config.instances.is_empty() {
        return Ok(None);
    }
    let embedded = EmbeddedBroker::start(config).await?;
    let instance = embedded.instance(config.embedded_compression);
    config.instances.push(instance);
    Ok(Some(embedded))
}

fn shared(
    config: &Config,
    engine: &Engine,
    credentials: &Arc<CredentialStore>,
    embedded: Option<&EmbeddedBroker>,
) -> Arc<Shared> {
    Arc::new(Shared {
        engine: engine.clone(),
        credentials: Arc::clone(credentials),
        lifecycle: Lifecycle::default(),
        metrics: RequestMetrics::new(),
        clock_skew: ClockSkew::default(),
        problems: ProblemLog::default(),
        disk: embedded.map(EmbeddedBroker::disk_space),
        settings: RequestSettings::new(config),
    })
}

fn console(
    config: &Config,
    shared: &Arc<Shared>,
    readiness: &Readiness,
    places: Places,
    presence: &Presence,
) -> web::Data<Console> {
    let (shared, readiness) = (Arc::clone(shared), readiness.clone());
    let console = Console::new(shared, readiness, places, presence.name(), &config.admin);
    web::Data::new(console)
}

fn keep_certificates_current(protection: Protection) -> Vec<JoinHandle<()>> {
    let watched = [protection.api, protection.admin].into_iter().flatten();
    watched
        .map(|mut watched| {
            let watch = async move || watched.keep_current().await;
            spawn_lasting("the watch over a certificate", watch)
        })
        .collect()
}

fn spawn_lasting(what: &'static str, work: impl AsyncFnMut() + 'static) -> JoinHandle<()> {
    actix_rt::spawn(keep_running(what, work))
}

/// Takes what protects the instances that the configuration names. The embedded
/// broker, which is there where it names none, needs nothing.
fn engine_config(config: &Config, protection: &mut Protection) -> EngineConfig {
    let embedded = protection.instances.is_empty();
    let mut towards_kafka = protection.instances.drain(..);
    let instance = |instance: &InstanceConfig| EngineInstance {
        id: instance.id.clone(),
        brokers: instance.brokers.clone(),
        embedded,
        compression: instance.compression,
        security: towards_kafka.next().unwrap_or_default(),
    };
    EngineConfig {
        instances: config.instances.iter().map(instance).collect(),
        registry_topic: config.registry.topic.clone(),
        memory_limit: usize::try_from(config.delivery.memory_limit.0).unwrap_or(usize::MAX),
    }
}
