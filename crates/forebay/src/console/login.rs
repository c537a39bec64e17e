//! Signing in and out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use actix_web::http::header::{CONTENT_TYPE, HeaderValue, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use forebay_api::Action;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::Console;
use super::answer::{Refused, json};
use super::audit;
use super::guard::{Changing, SameOrigin, SignedIn, page_is_secure, session_id};
use super::session::proves;
use crate::credentials::Credential;

/// Three short texts.
const MAX_BODY_BYTES: usize = 4096;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How an unknown SecretId stands in the audit log. Not as it was typed: it
/// may be a key in the wrong field.
const UNKNOWN: &str = "(unknown)";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    secret_id: String,
    secret_key: String,
    token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    token: String,
}

/// `POST /console/api/login`
pub(super) async fn with_secret(
    _: SameOrigin,
    console: web::Data<Console>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refused> {
    let secrets: Secrets = read(&request, payload).await?;
    let (from, peer) = (address(&request), request.peer_addr());
    let now = Instant::now();
    take_attempt(&console, from, now)?;
    let credential = console.shared.credentials.get(&secrets.secret_id);
    let token = secrets.token.as_deref().filter(|token| !token.is_empty());
    if !proves(credential.as_deref(), &secrets.secret_key, token) {
        let who = credential.map_or(UNKNOWN, |_| &secrets.secret_id);
        audit::signed_in(who, peer, "SecretKey", "refused");
        return Err(Refused::WrongSecret);
    }
    console.attempts.give_back(from);
    audit::signed_in(&secrets.secret_id, peer, "SecretKey", "ok");
    let credential = credential.ok_or(Refused::WrongSecret)?;
    Ok(begin(
        &console,
        &request,
        &secrets.secret_id,
        &credential,
        now,
    ))
}

/// `POST /console/api/login/once`. A POST, so that nothing that merely looks
/// at links uses it up.
pub(super) async fn with_link(
    _: SameOrigin,
    console: web::Data<Console>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refused> {
    let link: Link = read(&request, payload).await?;
    let (from, peer) = (address(&request), request.peer_addr());
    let now = Instant::now();
    take_attempt(&console, from, now)?;
    let secret_id = console.link.redeem(&link.token, now);
    let credential = secret_id
        .as_deref()
        .and_then(|secret_id| console.shared.credentials.get(secret_id));
    let (Some(secret_id), Some(credential)) = (secret_id, credential) else {
        audit::signed_in(UNKNOWN, peer, "one-time link", "refused");
        return Err(Refused::WrongLink);
    };
    console.attempts.give_back(from);
    audit::signed_in(&secret_id, peer, "one-time link", "ok");
    Ok(begin(&console, &request, &secret_id, &credential, now))
}

/// `POST /console/api/logout`
pub(super) async fn out(
    changing: Changing,
    console: web::Data<Console>,
    request: HttpRequest,
) -> HttpResponse {
    if let Some(id) = session_id(&console, &request) {
        console.sessions.end(&id);
    }
    audit::signed_out(&changing.0.held.secret_id, request.peer_addr());
    let mut response = HttpResponse::NoContent();
    response.insert_header((SET_COOKIE, cookie(&console, &request, "", Duration::ZERO)));
    response.finish()
}

#[derive(Serialize)]
struct Session<'a> {
    secret_id: &'a str,
    csrf: &'a str,
    /// What the credential may do.
    actions: Vec<&'static str>,
    every_datahub: bool,
    /// Where SDKs send to.
    endpoint: Endpoint<'a>,
    instances: Vec<String>,
    home_instance: &'a str,
    version: &'static str,
}

#[derive(Serialize)]
struct Endpoint<'a> {
    scheme: &'a str,
    address: String,
    /// It listens on all addresses: the page knows a better one.
    wildcard: bool,
}

/// `GET /console/api/session`: who is signed in, and what the page needs once.
pub(super) async fn session(signed_in: SignedIn, console: web::Data<Console>) -> HttpResponse {
    let allowed = |action: &&Action| signed_in.caller.may(**action).is_ok();
    let actions = Action::ALL.iter().filter(allowed);
    let instances = console.shared.engine.instances().into_iter();
    json(&Session {
        secret_id: &signed_in.held.secret_id,
        csrf: &signed_in.held.csrf,
        actions: actions.map(|action| action.as_str()).collect(),
        every_datahub: signed_in.caller.sees_every_datahub(),
        endpoint: Endpoint {
            scheme: console.places.api.scheme(),
            address: console.places.api.address.to_string(),
            wildcard: console.places.api.address.ip().is_unspecified(),
        },
        instances: instances.map(|instance| instance.id).collect(),
        home_instance: &console.shared.settings.home_instance,
        version: env!("CARGO_PKG_VERSION"),
    })
}

fn take_attempt(console: &Console, from: IpAddr, now: Instant) -> Result<(), Refused> {
    let taken = console.attempts.take(from, now);
    taken.map_err(Refused::TooManyAttempts)
}

/// The browser's session from before ends: nothing would know its cookie.
fn begin(
    console: &Console,
    request: &HttpRequest,
    secret_id: &str,
    credential: &Credential,
    now: Instant,
) -> HttpResponse {
    if let Some(before) = session_id(console, request) {
        console.sessions.end(&before);
    }
    let begun = console.sessions.begin(secret_id, credential, now);
    let mut response = HttpResponse::NoContent();
    let cookie = cookie(console, request, &begun.id, console.sessions.max_age());
    response.insert_header((SET_COOKIE, cookie));
    response.finish()
}

fn cookie(console: &Console, request: &HttpRequest, value: &str, max_age: Duration) -> HeaderValue {
    let secure = if console.places.admin.is_tls() || page_is_secure(request) {
        "; Secure"
    } else {
        ""
    };
    let text = format!(
        "{}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
        console.cookie_name,
        max_age.as_secs()
    );
    HeaderValue::try_from(text).expect("names and tokens are plain ASCII")
}

/// The connection's. What proxies say can be said by anybody.
fn address(request: &HttpRequest) -> IpAddr {
    let peer = request.peer_addr().map(|peer| peer.ip());
    peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// A short JSON body. Only JSON: a form could be sent by any page without the
/// browser asking first.
async fn read<T: serde::de::DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<T, Refused> {
    let kind = request.headers().get(CONTENT_TYPE);
    if kind.is_none_or(|kind| kind.as_bytes() != b"application/json") {
        return Err(Refused::Malformed("expected a body of application/json"));
    }
    let body = timeout(BODY_TIMEOUT, collect(payload)).await;
    let body = body.map_err(|_| Refused::Malformed("the body did not arrive in time"))??;
    serde_json::from_slice(&body)
        .map_err(|_| Refused::Malformed("the body is not what is expected"))
}

async fn collect(mut payload: web::Payload) -> Result<Bytes, Refused> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refused::Malformed("the body did not arrive whole"))?;
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(Refused::Malformed("the body is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
