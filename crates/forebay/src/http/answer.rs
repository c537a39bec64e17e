//! Answers: HTTP 200, `application/json` and nothing after it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use bytes::Bytes;
use forebay_api::{Action, ApiError, answer};
use forebay_engine::admission::Permit;
use forebay_engine::query::QueryPermit;

use super::held_json::HeldJson;
use super::request_id::RequestId;
use crate::lifecycle::AcceptedRequest;

/// What a request is answered with, and what is counted about it.
pub(super) struct Answer {
    /// `None` if the action is not known (metrics say `other`).
    pub(super) action: Option<Action>,
    /// `None` if all is well.
    pub(super) error: Option<ApiError>,
    /// The complete JSON.
    pub(super) body: Vec<u8>,
    /// 200, but for paths and methods that are none of the API's.
    pub(super) status: StatusCode,
    /// The request's body is not read to its end: nothing may follow it.
    pub(super) close: bool,
    /// The request's memory, held until the answer is sent.
    pub(super) permit: Option<Arc<Permit>>,
    /// The answer's own memory, where it is messages.
    pub(super) messages: Option<QueryPermit>,
    /// The same where it is a list of anything else.
    pub(super) list: Option<Permit>,
}

impl Answer {
    fn ok(action: Action, body: Vec<u8>) -> Self {
        Self {
            action: Some(action),
            error: None,
            body,
            status: StatusCode::OK,
            close: false,
            permit: None,
            messages: None,
            list: None,
        }
    }

    pub(super) fn error(action: Option<Action>, error: ApiError, id: RequestId) -> Self {
        Self {
            action,
            body: answer::error(&error, id.as_str()),
            error: Some(error),
            status: StatusCode::OK,
            close: false,
            permit: None,
            messages: None,
            list: None,
        }
    }

    /// What an action came to.
    pub(super) fn of(action: Action, result: Result<Vec<u8>, ApiError>, id: RequestId) -> Self {
        match result {
            Ok(body) => Self::ok(action, body),
            Err(error) => Self::error(Some(action), error, id),
        }
    }

    /// What an action on tasks or topics came to.
    pub(super) fn of_held(
        action: Action,
        result: Result<HeldJson, ApiError>,
        id: RequestId,
    ) -> Self {
        match result {
            Ok(HeldJson { json, permit }) => Self {
                list: permit,
                ..Self::ok(action, json)
            },
            Err(error) => Self::error(Some(action), error, id),
        }
    }

    /// An answer outside the API, where SDKs never go.
    pub(super) fn status(status: StatusCode, error: ApiError, id: RequestId) -> Self {
        Self {
            status,
            ..Self::error(None, error, id)
        }
    }

    /// What a query came to.
    pub(super) fn of_query(
        action: Action,
        result: Result<(Vec<u8>, QueryPermit), ApiError>,
        id: RequestId,
    ) -> Self {
        match result {
            Ok((body, messages)) => Self {
                messages: Some(messages),
                ..Self::ok(action, body)
            },
            Err(error) => Self::error(Some(action), error, id),
        }
    }

    pub(super) fn closing(self) -> Self {
        Self {
            close: true,
            ..self
        }
    }

    pub(super) fn holding(self, permit: Arc<Permit>) -> Self {
        Self {
            permit: Some(permit),
            ..self
        }
    }

    /// The HTTP response; `closes` where the connection ends with it.
    /// The request counts as accepted until it is sent.
    pub(super) fn into_response(
        self,
        closes: bool,
        accepted: Option<AcceptedRequest>,
    ) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        // Set by hand: the Python SDK compares the whole value and takes an
        // error with `; charset=utf-8` behind it for a success.
        response.insert_header((CONTENT_TYPE, HeaderValue::from_static(answer::CONTENT_TYPE)));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.insert_header(("Allow", "GET, POST"));
        }
        if self.close || closes {
            response.force_close();
        }
        response.body(HeldBody {
            bytes: Some(self.body.into()),
            _permit: self.permit,
            _messages: self.messages,
            _list: self.list,
            _accepted: accepted,
        })
    }
}

/// An answer's bytes, and what is given back when they are sent.
struct HeldBody {
    bytes: Option<Bytes>,
    _permit: Option<Arc<Permit>>,
    _messages: Option<QueryPermit>,
    _list: Option<Permit>,
    _accepted: Option<AcceptedRequest>,
}

impl MessageBody for HeldBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(self.get_mut().bytes.take().map(Ok))
    }
}
