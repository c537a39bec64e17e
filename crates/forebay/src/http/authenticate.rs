//! Who calls, and what for: signature, action, version.

use std::sync::Arc;

use forebay_api::tc3::{HeaderValue, Headers as _, RequestHead, SigningKeyCache, Verifier};
use forebay_api::{Action, ApiError, ErrorCode, Flattened, VERSION, v1};
use forebay_engine::clock::unix_millis;

use super::raw_request::{Head, RawRequest};
use super::shared::Shared;
use crate::credentials::Credential;

/// A caller whose signature was right, or who has signed in.
#[derive(Debug)]
pub(crate) struct Caller(Arc<Credential>);

impl Caller {
    /// One who has proved to own the credential.
    pub(crate) fn new(credential: Arc<Credential>) -> Self {
        Self(credential)
    }

    /// # Errors
    /// AuthFailure.UnauthorizedOperation when the credential's scope lacks
    /// the action.
    pub(crate) fn may(&self, action: Action) -> Result<(), ApiError> {
        if self.0.scope().allows_action(action.as_str()) {
            Ok(())
        } else {
            Err(ApiError::out_of_scope(action.as_str()))
        }
    }

    /// # Errors
    /// AuthFailure.UnauthorizedOperation when its scope lacks the access point.
    pub(crate) fn may_use(&self, datahub_id: &str) -> Result<(), ApiError> {
        if self.sees(datahub_id) {
            Ok(())
        } else {
            Err(ApiError::out_of_scope(datahub_id))
        }
    }

    /// An access point that is made has an id that nobody can know before: only
    /// who may use every one may make one, or it would be out of its maker's
    /// own reach.
    ///
    /// # Errors
    /// AuthFailure.UnauthorizedOperation when its scope lacks some access point.
    pub(super) fn may_use_new_datahub(&self) -> Result<(), ApiError> {
        if self.sees_every_datahub() {
            Ok(())
        } else {
            Err(ApiError::out_of_scope("new access points"))
        }
    }

    /// Whether its scope holds every access point that there can be.
    pub(crate) fn sees_every_datahub(&self) -> bool {
        self.0.scope().allows_every_datahub()
    }

    /// Whether its scope holds the access point.
    pub(crate) fn sees(&self, datahub_id: &str) -> bool {
        self.0.scope().allows_datahub(datahub_id)
    }
}

/// Checks the signature over the raw bytes.
///
/// # Errors
/// An `AuthFailure.*` code.
pub(super) fn caller(
    verifier: &Verifier,
    request: &RawRequest,
    shared: &Shared,
    keys: &mut SigningKeyCache,
) -> Result<Caller, ApiError> {
    let head = RequestHead {
        method: request.head.method.as_str(),
        query: request.head.uri.query().unwrap_or(""),
        headers: &request.head,
    };
    let now = unix_millis() / 1000;
    let lookup = |secret_id: &str| shared.credentials.get(secret_id);
    let verified = verifier.verify(&head, &request.body, now, lookup, keys)?;
    shared.clock_skew.seen(verified.skew_seconds, now);
    Ok(Caller(verified.credential))
}

/// Checks signature v1 over the parameters of a query or a form.
///
/// # Errors
/// An `AuthFailure.*` code.
pub(super) fn caller_by_v1(
    verifier: &Verifier,
    request: &RawRequest,
    parameters: &Flattened<'_>,
    shared: &Shared,
) -> Result<Caller, ApiError> {
    let head = &request.head;
    let verifier = v1::Verifier {
        skew_seconds: verifier.skew_seconds,
    };
    let now = unix_millis() / 1000;
    let lookup = |secret_id: &str| shared.credentials.get(secret_id);
    let (method, host) = (head.method.as_str(), head.get("host"));
    let verified = verifier.verify(method, host, parameters, now, lookup)?;
    shared.clock_skew.seen(verified.skew_seconds, now);
    Ok(Caller(verified.credential))
}

/// The action, if its header names one; whoever sent it is not known.
pub(super) fn claimed_action(head: &Head) -> Option<Action> {
    action(head).ok()
}

/// # Errors
/// InvalidAction where there is none of that name or no header,
/// InvalidParameter where the header is repeated: the headers are not signed,
/// so a second one may be anybody's.
pub(super) fn action(head: &Head) -> Result<Action, ApiError> {
    let name = single(head, "x-tc-action")?;
    named_action(&name)
}

/// # Errors
/// InvalidAction where there is none of that name.
pub(super) fn named_action(name: &str) -> Result<Action, ApiError> {
    Action::from_name(name).ok_or_else(|| ApiError::invalid_action(name))
}

/// # Errors
/// NoSuchVersion, InvalidParameter; see [`action`].
pub(super) fn version(head: &Head) -> Result<(), ApiError> {
    let version = single(head, "x-tc-version")?;
    named_version(&version)
}

/// # Errors
/// NoSuchVersion.
pub(super) fn named_version(version: &str) -> Result<(), ApiError> {
    if version == VERSION {
        Ok(())
    } else {
        Err(ApiError::no_such_version(version))
    }
}

fn single<'h>(head: &'h Head, name: &str) -> Result<std::borrow::Cow<'h, str>, ApiError> {
    match head.get(name) {
        HeaderValue::One(value) => Ok(String::from_utf8_lossy(value)),
        HeaderValue::Absent => Ok("".into()),
        HeaderValue::Repeated => Err(ApiError::new(
            ErrorCode::InvalidParameter,
            format!("the header {name} is there more than once"),
        )),
    }
}
