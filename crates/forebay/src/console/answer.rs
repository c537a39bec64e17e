//! Answers of the console's own endpoints: JSON, and refusals in the API's words.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use forebay_api::{ApiError, ErrorCode};
use serde::Serialize;

pub(super) fn json<T: Serialize>(value: &T) -> HttpResponse {
    let body = serde_json::to_vec(value).expect("plain data serializes");
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .body(body)
}

/// Why the console did not do something.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Nobody is signed in, or not any more.
    #[error("sign in first")]
    SignedOut,
    /// The SecretId is unknown, or the secrets are wrong: which is not said.
    #[error("SecretId or SecretKey is wrong")]
    WrongSecret,
    /// The link was used before, is too old, or was never made.
    #[error("this link has been used or is too old; sign in with SecretId and SecretKey")]
    WrongLink,
    #[error("too many attempts to sign in; try again in {} s", .0.as_secs() + 1)]
    TooManyAttempts(Duration),
    /// A change that another site may have asked for.
    #[error("this change does not come from the console's own page: {0}")]
    Forged(&'static str),
    #[error("{0}")]
    Malformed(&'static str),
    #[error("the address asks for something that there is not: {0}")]
    Query(String),
    /// The task that did it is gone: Forebay stops, or has a defect.
    #[error("this did not come to an end; look whether it was done")]
    NotFinished,
    /// As the API says it.
    #[error("{}", .0.message)]
    Api(ApiError),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::SignedOut => "SignedOut",
            Self::WrongSecret | Self::WrongLink => "SignInFailed",
            Self::TooManyAttempts(_) => "TooManyAttempts",
            Self::Forged(_) => "Forged",
            Self::Malformed(_) | Self::Query(_) => "Malformed",
            Self::NotFinished => "NotFinished",
            Self::Api(error) => error.code.as_str(),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: String,
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignedOut | Self::WrongSecret | Self::WrongLink => StatusCode::UNAUTHORIZED,
            Self::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Forged(_) => StatusCode::FORBIDDEN,
            Self::Malformed(_) | Self::Query(_) => StatusCode::BAD_REQUEST,
            Self::NotFinished => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Api(error) => match error.code {
                ErrorCode::ResourceNotFound => StatusCode::NOT_FOUND,
                ErrorCode::AuthFailureUnauthorizedOperation => StatusCode::FORBIDDEN,
                ErrorCode::ResourceUnavailableKafkaStorageError => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::BAD_REQUEST,
            },
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CONTENT_TYPE, "application/json"));
        if let Self::TooManyAttempts(wait) = self {
            response.insert_header((RETRY_AFTER, wait.as_secs() + 1));
        }
        let body = Body {
            code: self.code(),
            message: self.to_string(),
        };
        response.body(serde_json::to_vec(&body).expect("texts serialize"))
    }
}
