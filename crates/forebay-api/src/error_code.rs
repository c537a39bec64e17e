//! Error codes of the API and the one error type that carries them.

use std::borrow::Cow;
use std::fmt;

use crate::echo::clipped;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident => $text:literal,)+) => {
        /// Every `Error.Code` that Forebay answers.
        ///
        /// The texts are those of the CKafka module and of the vendor's common gateway; SDK users
        /// compare them literally.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
        }

        impl ErrorCode {
            /// All codes, for metrics that declare their labels in advance.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as it stands in `Error.Code`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

error_codes! {
    /// No, malformed or `SKIP` Authorization.
    AuthFailureInvalidAuthorization => "AuthFailure.InvalidAuthorization",
    /// The secret id is not known here.
    AuthFailureSecretIdNotFound => "AuthFailure.SecretIdNotFound",
    /// The request's timestamp is too far from the server's clock.
    AuthFailureSignatureExpire => "AuthFailure.SignatureExpire",
    /// The signature or the scope's date is wrong.
    AuthFailureSignatureFailure => "AuthFailure.SignatureFailure",
    /// The credential has a token and `X-TC-Token` is not it.
    AuthFailureTokenFailure => "AuthFailure.TokenFailure",
    /// The credential is right and its scope does not allow this.
    AuthFailureUnauthorizedOperation => "AuthFailure.UnauthorizedOperation",
    /// The operation failed, or its outcome is not known; the message says which.
    FailedOperation => "FailedOperation",
    /// A fault of Forebay itself. The SDKs' region breaker counts this code only, so it is never
    /// used for a condition that has a code of its own.
    InternalError => "InternalError",
    /// No such action.
    InvalidAction => "InvalidAction",
    /// Malformed JSON or a value of the wrong type.
    InvalidParameter => "InvalidParameter",
    /// A topic of that name exists.
    InvalidParameterTopicExist => "InvalidParameter.TopicExist",
    /// A value outside its range or limit.
    InvalidParameterValue => "InvalidParameterValue",
    /// No such Kafka cluster.
    InvalidParameterValueInstanceNotExist => "InvalidParameterValue.InstanceNotExist",
    /// A required value is empty.
    InvalidParameterValueNotAllowedEmpty => "InvalidParameterValue.NotAllowedEmpty",
    /// The name is taken.
    InvalidParameterValueRepetitionValue => "InvalidParameterValue.RepetitionValue",
    /// A required parameter is absent.
    MissingParameter => "MissingParameter",
    /// Another API version than 2019-08-19.
    NoSuchVersion => "NoSuchVersion",
    /// Over a rate or memory limit, or draining. The only code that Go's and Java's rate-limit
    /// retries know, so it must stay exactly this.
    RequestLimitExceeded => "RequestLimitExceeded",
    /// The raw body is too large.
    RequestSizeLimitExceeded => "RequestSizeLimitExceeded",
    /// Something still uses the resource.
    ResourceInUse => "ResourceInUse",
    /// No such access point, task or topic.
    ResourceNotFound => "ResourceNotFound",
    /// A resource is there and cannot be used at present.
    ResourceUnavailable => "ResourceUnavailable",
    /// Certainly nothing stored: Kafka or the registry is not available.
    ResourceUnavailableKafkaStorageError => "ResourceUnavailable.KafkaStorageError",
    /// The operation is not allowed, whoever asks.
    UnauthorizedOperation => "UnauthorizedOperation",
    /// The API has it, Forebay does not.
    UnsupportedOperation => "UnsupportedOperation",
    /// Neither GET nor POST.
    UnsupportedProtocol => "UnsupportedProtocol",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal as the caller will see it: `Error.Code` and `Error.Message`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// `Error.Code`.
    pub code: ErrorCode,
    /// `Error.Message`; holds no secrets and at most a clipped piece of the caller's input.
    pub message: Cow<'static, str>,
}

impl ApiError {
    /// An error of any code.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// `MissingParameter` that names the field.
    pub fn missing(field: impl fmt::Display) -> Self {
        Self::new(
            ErrorCode::MissingParameter,
            format!("the required parameter {field} is missing"),
        )
    }

    /// SendMessage to a task that is paused or pausing. The text is fixed by contract.
    pub fn task_suspended(datahub_id: &str) -> Self {
        Self::new(
            ErrorCode::FailedOperation,
            format!("task status suspended [{datahub_id}]"),
        )
    }

    /// No task has this access point. The id may be anything a caller sent, so it is clipped.
    pub fn datahub_not_found(datahub_id: &str) -> Self {
        Self::new(
            ErrorCode::ResourceNotFound,
            format!("no access point [{}]", clipped(datahub_id)),
        )
    }

    /// No task has this id; clipped like [`Self::datahub_not_found`].
    pub fn task_not_found(task_id: &str) -> Self {
        Self::new(
            ErrorCode::ResourceNotFound,
            format!("no task [{}]", clipped(task_id)),
        )
    }

    /// The raw body is over `limit` bytes; `actual` where the client declared it.
    pub fn request_too_large(limit: usize, actual: Option<u64>) -> Self {
        let message = match actual {
            Some(actual) => format!("the request body has {actual} bytes, the limit is {limit}"),
            None => format!("the request body has more than {limit} bytes"),
        };
        Self::new(ErrorCode::RequestSizeLimitExceeded, message)
    }

    /// The action is not one of [`crate::Action`]; an absent one is given as "".
    pub fn invalid_action(action: &str) -> Self {
        Self::new(
            ErrorCode::InvalidAction,
            format!("no such action: [{}]", clipped(action)),
        )
    }

    /// The version is not [`crate::VERSION`]; an absent one is given as "".
    pub fn no_such_version(version: &str) -> Self {
        Self::new(
            ErrorCode::NoSuchVersion,
            format!(
                "no such version: [{}], expected {}",
                clipped(version),
                crate::VERSION
            ),
        )
    }

    /// The credential is right, but its scope does not hold `what`.
    pub fn out_of_scope(what: &str) -> Self {
        Self::new(
            ErrorCode::AuthFailureUnauthorizedOperation,
            format!("the credential's scope does not allow {}", clipped(what)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_shaped_like_the_vendors() {
        let mut seen = std::collections::HashSet::new();
        for code in ErrorCode::ALL {
            let text = code.as_str();
            assert!(seen.insert(text), "{text} twice");
            assert!(
                text.chars().all(|c| c.is_ascii_alphabetic() || c == '.'),
                "{text}"
            );
        }
    }

    #[test]
    fn suspended_text_is_exact() {
        let error = ApiError::task_suspended("datahub-lab00001");
        assert_eq!(error.message, "task status suspended [datahub-lab00001]");
        assert_eq!(error.code.as_str(), "FailedOperation");
    }

    #[test]
    fn foreign_input_is_clipped() {
        let error = ApiError::datahub_not_found(&"é".repeat(1 << 20));
        assert!(error.message.len() < 300, "{}", error.message.len());
    }
}
