//! Any action of the API, for whoever is signed in.

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, HttpResponse, web};
use forebay_api::{Action, ApiError, ErrorCode};

use super::Console;
use super::answer::Refused;
use super::audit;
use super::guard::Changing;
use crate::http::act_for;

/// `POST /console/api/action/<Action>`: parameters and answer as the API's own,
/// with the session in place of a signature.
///
/// # Cancellation
/// A browser that leaves ends nothing: what it asked for is done, and audited.
pub(super) async fn run(
    changing: Changing,
    console: web::Data<Console>,
    name: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refused> {
    let signed_in = changing.0;
    let action = Action::from_name(&name).ok_or_else(|| ApiError::invalid_action(&name))?;
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let payload = payload.into_inner();
    let from = request.peer_addr();
    // The server drops a request with its connection; without a task of its own
    // whoever hangs up in time would be missing in the audit log.
    let done = actix_rt::spawn(async move {
        let acted = act_for(signed_in.caller, action, &console.shared, length, payload).await;
        let result = acted.error.map_or("ok", ErrorCode::as_str);
        let who = &signed_in.held.secret_id;
        audit::acted(who, from, action, &acted.body, result);
        acted.response
    });
    done.await.map_err(|_| Refused::NotFinished)
}
