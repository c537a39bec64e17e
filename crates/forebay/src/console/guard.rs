//! What a request has to bring along before anything is done for it: a session,
//! and for a change also proof that the console's own page asks for it.

use std::future::{Ready, ready};
use std::time::Instant;

use actix_web::dev::Payload;
use actix_web::http::header::{HOST, ORIGIN};
use actix_web::{FromRequest, HttpRequest, web};
use forebay_api::Action;
use subtle::ConstantTimeEq as _;

use super::Console;
use super::answer::Refused;
use super::session::Held;
use crate::http::Caller;

/// Who brings the token of `GET /console/api/session` is the console's page:
/// nobody else can read that answer.
const CSRF_HEADER: &str = "x-csrf-token";

/// The person did something since the last request of this kind. Pages that
/// refresh by themselves must not keep a session alive.
const ACTIVE_HEADER: &str = "x-console-active";

/// Somebody who is signed in, and looks.
pub(super) struct SignedIn {
    pub(super) held: Held,
    pub(super) caller: Caller,
}

impl SignedIn {
    /// # Errors
    /// AuthFailure.UnauthorizedOperation when the credential lacks the action.
    pub(super) fn may(&self, action: Action) -> Result<(), Refused> {
        Ok(self.caller.may(action)?)
    }
}

/// Somebody who is signed in, and changes something.
pub(super) struct Changing(pub(super) SignedIn);

/// Somebody who is not signed in yet, on the console's own page.
pub(super) struct SameOrigin;

impl FromRequest for SignedIn {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let active = request.headers().contains_key(ACTIVE_HEADER);
        ready(signed_in(request, active))
    }
}

impl FromRequest for Changing {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let changing = check_origin(request, over_tls(request)).and_then(|()| {
            let signed_in = signed_in(request, true)?;
            let token = request.headers().get(CSRF_HEADER);
            let token = token.map_or(b"".as_slice(), |token| token.as_bytes());
            if bool::from(token.ct_eq(signed_in.held.csrf.as_bytes())) {
                Ok(Self(signed_in))
            } else {
                Err(Refused::Forged("its X-CSRF-Token is missing or wrong"))
            }
        });
        ready(changing)
    }
}

impl FromRequest for SameOrigin {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check_origin(request, over_tls(request)).map(|()| Self))
    }
}

/// The session's id, if the request has the cookie.
pub(super) fn session_id(console: &Console, request: &HttpRequest) -> Option<String> {
    let cookies = request.headers().get_all(actix_web::http::header::COOKIE);
    let pairs = cookies
        .filter_map(|cookie| cookie.to_str().ok())
        .flat_map(|cookie| cookie.split(';'));
    let mut values = pairs.filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == console.cookie_name).then(|| value.trim().to_owned())
    });
    values.next()
}

fn signed_in(request: &HttpRequest, active: bool) -> Result<SignedIn, Refused> {
    let console = console_of(request);
    let id = session_id(console, request).ok_or(Refused::SignedOut)?;
    let credentials = &console.shared.credentials;
    let held = console
        .sessions
        .find(&id, active, credentials, Instant::now())
        .ok_or(Refused::SignedOut)?;
    let caller = Caller::new(held.credential.clone());
    Ok(SignedIn { held, caller })
}

fn console_of(request: &HttpRequest) -> &Console {
    let console = request.app_data::<web::Data<Console>>();
    console.expect("the routes are made with it")
}

fn over_tls(request: &HttpRequest) -> bool {
    console_of(request).places.admin.is_tls()
}

/// Whether the page that asks came to the browser by TLS: from this listener,
/// or from a proxy before it.
pub(super) fn page_is_secure(request: &HttpRequest) -> bool {
    let origin = request.headers().get(ORIGIN);
    origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

/// Browsers say where a change comes from, and no page can lie about it.
///
/// Without TLS here there may be a proxy that has it: both schemes will do.
/// With it a page of `http:` is not this listener's, but somebody's on the way.
fn check_origin(request: &HttpRequest, over_tls: bool) -> Result<(), Refused> {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(ORIGIN.as_str()) else {
        return match text("sec-fetch-site") {
            Some("same-origin") => Ok(()),
            _ => Err(Refused::Forged("it has no Origin")),
        };
    };
    // HTTP/2 has no Host header but `:authority`.
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let host = text(HOST.as_str()).or(authority);
    let asked_at = origin
        .split_once("://")
        .filter(|(scheme, _)| *scheme == "https" || (*scheme == "http" && !over_tls))
        .map(|(_, host)| host);
    match (asked_at, host) {
        (Some(asked_at), Some(host)) if asked_at.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Refused::Forged("its Origin is another")),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn allowed(headers: &[(&'static str, &'static str)]) -> bool {
        allowed_at(headers, false)
    }

    fn allowed_at(headers: &[(&'static str, &'static str)], over_tls: bool) -> bool {
        let request = headers.iter().fold(TestRequest::post(), |request, header| {
            request.insert_header(*header)
        });
        check_origin(&request.to_http_request(), over_tls).is_ok()
    }

    #[test]
    fn only_the_own_origin_may_change() {
        let host = ("host", "127.0.0.1:8081");
        assert!(allowed(&[host, ("origin", "http://127.0.0.1:8081")]));
        assert!(allowed(&[host, ("origin", "https://127.0.0.1:8081")]));
        let in_the_clear = ("origin", "http://127.0.0.1:8081");
        assert!(!allowed_at(&[host, in_the_clear], true));
        assert!(allowed_at(
            &[host, ("origin", "https://127.0.0.1:8081")],
            true
        ));
        assert!(!allowed(&[host, ("origin", "ftp://127.0.0.1:8081")]));
        assert!(allowed(&[host, ("sec-fetch-site", "same-origin")]));
        for origin in [
            "null",
            "http://127.0.0.1:8082",
            "http://127.0.0.1",
            "http://evil.example",
            "http://127.0.0.1:8081.evil.example",
            "",
        ] {
            assert!(!allowed(&[host, ("origin", origin)]), "{origin}");
        }
        assert!(!allowed(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!allowed(&[host]));
        assert!(!allowed(&[("origin", "http://127.0.0.1:8081")]));
    }
}
