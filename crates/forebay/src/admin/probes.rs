//! `/livez` and `/readyz`.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;

use super::AdminState;

#[derive(Serialize)]
struct Status {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    instances: Vec<InstanceStatus>,
}

/// An instance that is away is no reason to send a replica no requests, as long
/// as another is there: what is not ready for some tasks is shown here.
#[derive(Serialize)]
struct InstanceStatus {
    id: String,
    reachable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Alive is: this answer came. A replica without Kafka is alive; restarting
/// it would not bring Kafka back.
pub(super) async fn livez() -> HttpResponse {
    let status = Status {
        status: "alive",
        reasons: Vec::new(),
        instances: Vec::new(),
    };
    json(HttpResponse::Ok(), &status)
}

/// 200, or 503 and why.
pub(super) async fn readyz(state: web::Data<AdminState>) -> HttpResponse {
    let reasons = state.readiness.reasons();
    let states = state.readiness.engine.instances().into_iter();
    let instances = states.map(|instance| InstanceStatus {
        id: instance.id,
        reachable: instance.reachable,
        problem: instance.problem,
    });
    let (response, status) = match reasons.is_empty() {
        true => (HttpResponse::Ok(), "ready"),
        false => (HttpResponse::ServiceUnavailable(), "not ready"),
    };
    let status = Status {
        status,
        reasons,
        instances: instances.collect(),
    };
    json(response, &status)
}

fn json(mut response: HttpResponseBuilder, status: &Status) -> HttpResponse {
    response
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(serde_json::to_vec(status).expect("texts serialize"))
}
