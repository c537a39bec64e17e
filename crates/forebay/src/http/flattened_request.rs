//! Requests by GET, and by form: who calls, what for, with which parameters.
//!
//! TC3-HMAC-SHA256 signs a GET's query as it was sent, and its common
//! parameters are headers. Signature v1 signs the decoded parameters of query
//! or form, and its common parameters are among them.

use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use forebay_api::limits::{MAX_FLATTENED_PARAMETERS, MAX_QUERY_BYTES};
use forebay_api::tc3::{SigningKeyCache, Verifier};
use forebay_api::{Action, ApiError, ErrorCode, Flattened, RequestParameters};

use super::authenticate::{self, Caller};
use super::ingress::Refused;
use super::raw_request::{Head, RawRequest};
use super::shared::Shared;

/// Where a request's parameters are, and how they are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    /// The body is a JSON object.
    Json,
    /// Flattened in the query of a GET.
    Query,
    /// Flattened in a form, which is the body.
    Form,
}

/// A request's parameters, ready to be read.
pub(super) enum Decoded<'r> {
    Json(&'r [u8]),
    Flattened(Flattened<'r>),
}

impl Encoding {
    /// # Errors
    /// As [`Flattened::decode`]; never for JSON, which whoever parses it
    /// checks.
    pub(super) fn decode(self, request: &RawRequest) -> Result<Decoded<'_>, ApiError> {
        Ok(match self {
            Self::Json => Decoded::Json(&request.body),
            Self::Query | Self::Form => Decoded::Flattened(Flattened::decode(self.raw(request))?),
        })
    }

    /// Bytes that the decoded parameters may take beside the request's own.
    pub(super) fn decoded_bytes(self, request: &RawRequest) -> usize {
        /// Name and value, and as much while their list grows.
        const PAIR: usize = 2 * size_of::<[std::borrow::Cow<'_, [u8]>; 2]>();
        let raw = self.raw(request).len();
        raw + PAIR * MAX_FLATTENED_PARAMETERS.min(raw)
    }

    fn raw(self, request: &RawRequest) -> &[u8] {
        match self {
            Self::Json | Self::Form => &request.body,
            Self::Query => request.head.uri.query().unwrap_or_default().as_bytes(),
        }
    }
}

impl Decoded<'_> {
    pub(super) fn parameters(&self) -> RequestParameters<'_> {
        match self {
            Self::Json(body) => RequestParameters::Json(body),
            Self::Flattened(flattened) => RequestParameters::Flattened(flattened),
        }
    }
}

/// Whether a POST that has no Authorization header is a form, which signature
/// v1 signs.
pub(super) fn is_form_without_authorization(head: &Head) -> bool {
    if head.headers.contains_key(AUTHORIZATION) {
        return false;
    }
    let content_type = head.headers.get(CONTENT_TYPE);
    let media_type = content_type.and_then(|value| value.to_str().ok());
    // Java puts `; charset=utf-8` behind it.
    let media_type = media_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|value| {
        let value = value.trim();
        value.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// A flattened request whose signature was right.
pub(super) struct Flat<'r> {
    pub(super) caller: Caller,
    pub(super) action: Action,
    pub(super) parameters: Flattened<'r>,
}

/// Size, signature, action, version.
///
/// # Errors
/// As the contract's table says.
pub(super) fn read<'r>(
    verifier: &Verifier,
    request: &'r RawRequest,
    encoding: Encoding,
    shared: &Shared,
    keys: &mut SigningKeyCache,
) -> Result<Flat<'r>, Refused> {
    let head = &request.head;
    let raw = encoding.raw(request);
    if encoding == Encoding::Query {
        check_query(raw).map_err(unknown_action)?;
        if head.headers.contains_key(AUTHORIZATION) {
            let caller = authenticate::caller(verifier, request, shared, keys);
            let caller = caller.map_err(|error| Refused {
                action: authenticate::claimed_action(head),
                error,
            })?;
            let action = authenticate::action(head).map_err(unknown_action)?;
            authenticate::version(head).map_err(of(action))?;
            return Ok(Flat {
                caller,
                action,
                parameters: Flattened::decode(raw).map_err(of(action))?,
            });
        }
    }
    let parameters = Flattened::decode(raw).map_err(unknown_action)?;
    let name = parameters.text("Action").map(Option::unwrap_or_default);
    let action = name.and_then(authenticate::named_action);
    let caller = authenticate::caller_by_v1(verifier, request, &parameters, shared);
    let caller = caller.map_err(|error| Refused {
        action: action.as_ref().ok().copied(),
        error,
    })?;
    let action = action.map_err(unknown_action)?;
    let version = parameters.text("Version").map_err(of(action))?;
    authenticate::named_version(version.unwrap_or_default()).map_err(of(action))?;
    Ok(Flat {
        caller,
        action,
        parameters,
    })
}

/// Whether the request is a GET, whose parameters are in its query.
pub(super) fn is_get(head: &Head) -> bool {
    head.method == Method::GET
}

fn unknown_action(error: ApiError) -> Refused {
    Refused {
        action: None,
        error,
    }
}

fn of(action: Action) -> impl Fn(ApiError) -> Refused {
    move |error| Refused {
        action: Some(action),
        error,
    }
}

fn check_query(query: &[u8]) -> Result<(), ApiError> {
    if query.len() <= MAX_QUERY_BYTES {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::RequestSizeLimitExceeded,
        format!(
            "the query has {} bytes, the limit is {MAX_QUERY_BYTES}: send a POST",
            query.len()
        ),
    ))
}
