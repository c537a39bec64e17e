//! How this replica and its instances are.

use actix_web::{HttpResponse, web};
use forebay_engine::clock::unix_millis;
use forebay_engine::registry::ReplicaSign;
use forebay_engine::{Engine, InstanceState};
use serde::Serialize;

use super::answer::json;
use super::guard::SignedIn;
use super::{Console, Place};
use crate::lifecycle::Phase;

#[derive(Serialize)]
struct System {
    replica: Replica,
    memory: Memory,
    registry: Registry,
    certificates: Vec<Certificate>,
    replicas: Vec<Sign>,
    instances: Vec<Instance>,
}

#[derive(Serialize)]
struct Replica {
    version: &'static str,
    commit: &'static str,
    started_ms: i64,
    now_ms: i64,
    phase: &'static str,
    /// Why it is not ready; empty if it is.
    not_ready: Vec<String>,
    api: String,
    admin: String,
    requests_under_way: usize,
}

/// A replica that told of itself, this one too.
#[derive(Serialize)]
struct Sign {
    name: String,
    this: bool,
    version: String,
    started_ms: i64,
    /// By its own clock.
    seen_ms: i64,
}

#[derive(Serialize)]
struct Certificate {
    listener: &'static str,
    not_after_ms: i64,
}

#[derive(Serialize)]
struct Memory {
    in_flight: usize,
    limit: usize,
}

#[derive(Serialize)]
struct Registry {
    loaded: bool,
    confirmed_ms_ago: Option<u64>,
    running: usize,
    paused: usize,
}

#[derive(Serialize)]
struct Instance {
    id: String,
    embedded: bool,
    home: bool,
    reachable: bool,
    /// Why the last question to it was not answered.
    problem: Option<String>,
    compression: Option<String>,
    brokers: Vec<Broker>,
}

#[derive(Serialize)]
struct Broker {
    id: i32,
    address: String,
    connected: bool,
}

impl Replica {
    fn of(console: &Console) -> Self {
        let (shared, places) = (&console.shared, &console.places);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("FOREBAY_COMMIT").unwrap_or("unknown"),
            started_ms: console.started_ms,
            now_ms: unix_millis(),
            phase: match shared.lifecycle.phase() {
                Phase::Serving => "serving",
                Phase::Draining => "draining",
                Phase::Refusing => "stopping",
            },
            not_ready: console.readiness.reasons(),
            api: format!("{}://{}", places.api.scheme(), places.api.address),
            admin: format!("{}://{}", places.admin.scheme(), places.admin.address),
            requests_under_way: shared.lifecycle.accepted(),
        }
    }
}

impl Registry {
    fn of(engine: &Engine) -> Self {
        let status = engine.registry_status();
        let (running, paused) = engine.tasks().counts();
        Self {
            loaded: status.loaded,
            confirmed_ms_ago: status.tail_confirmed_ms_ago,
            running,
            paused,
        }
    }
}

impl Certificate {
    fn of(listener: &'static str, place: &Place) -> Option<Self> {
        let certificates = place.certificates.as_ref()?;
        Some(Self {
            listener,
            not_after_ms: certificates.not_after() * 1000,
        })
    }
}

impl Instance {
    fn of(state: InstanceState, home: &str) -> Self {
        let brokers = state.brokers.into_iter().map(|broker| Broker {
            id: broker.id,
            address: broker.address,
            connected: broker.connected,
        });
        Self {
            home: state.id == home,
            id: state.id,
            embedded: state.embedded,
            reachable: state.reachable,
            problem: state.problem,
            compression: state.compression.map(|codec| codec.to_string()),
            brokers: brokers.collect(),
        }
    }
}

/// `GET /console/api/system`, for everybody who is signed in: the same
/// listener's `/metrics` says as much to everybody.
pub(super) async fn show(_: SignedIn, console: web::Data<Console>) -> HttpResponse {
    let (engine, places) = (&console.shared.engine, &console.places);
    let home = &console.shared.settings.home_instance;
    let replica = |sign: ReplicaSign| Sign {
        this: sign.name == console.replica,
        name: sign.name,
        version: sign.version,
        started_ms: sign.started_ms,
        seen_ms: sign.seen_ms,
    };
    let certificates = [("API", &places.api), ("console", &places.admin)];
    let certificates = certificates.map(|(listener, place)| Certificate::of(listener, place));
    let instances = engine.instances().into_iter();
    json(&System {
        replica: Replica::of(&console),
        memory: Memory {
            in_flight: engine.admission().in_flight(),
            limit: engine.admission().limit(),
        },
        registry: Registry::of(engine),
        certificates: certificates.into_iter().flatten().collect(),
        replicas: engine.replicas().into_iter().map(replica).collect(),
        instances: instances.map(|state| Instance::of(state, home)).collect(),
    })
}
