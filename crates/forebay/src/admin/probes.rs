//! `/livez` and `/readyz`.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;

use super::AdminState;
use crate::lifecycle::Phase;

#[derive(Serialize)]
struct Status {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// Alive is: this answer came. A replica without Kafka is alive; restarting
/// it would not bring Kafka back.
pub(super) async fn livez() -> HttpResponse {
    let status = Status {
        status: "alive",
        reasons: Vec::new(),
    };
    json(HttpResponse::Ok(), &status)
}

/// 200, or 503 and why.
pub(super) async fn readyz(state: web::Data<AdminState>) -> HttpResponse {
    let mut reasons = state.engine.readiness();
    if state.lifecycle.phase() > Phase::Serving {
        reasons.insert(0, "draining before it stops".to_owned());
    }
    if reasons.is_empty() {
        let status = Status {
            status: "ready",
            reasons,
        };
        return json(HttpResponse::Ok(), &status);
    }
    let status = Status {
        status: "not ready",
        reasons,
    };
    json(HttpResponse::ServiceUnavailable(), &status)
}

fn json(mut response: HttpResponseBuilder, status: &Status) -> HttpResponse {
    response
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(serde_json::to_vec(status).expect("texts serialize"))
}
