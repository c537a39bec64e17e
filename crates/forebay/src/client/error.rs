//! Why a client command failed, and what to do about it.

use std::io;

use super::endpoint::Endpoint;
use super::terminal_text::shown;
use crate::config::ConfigError;
use crate::credentials::CredentialsError;

/// Why a client command ended without success.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// Asked for in a way that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The configuration, looked at for the credentials.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The credentials file.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Nobody to sign as.
    #[error(
        "no credentials: set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, or name the \
         service's data directory by --data-dir ({0} is not there)"
    )]
    NoCredentials(String),
    /// The call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Done, but not as wanted.
    #[error("{0}")]
    Failed(String),
    /// stdout, or what else is written to.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The API's answer is an error.
    #[error(
        "{}: {} (RequestId {})",
        shown(code),
        shown(message),
        shown(request_id)
    )]
    Refused {
        /// Code.
        code: String,
        /// Message.
        message: String,
        /// RequestId.
        request_id: String,
    },
    /// There was no connection: nothing was sent.
    #[error("cannot connect to {endpoint}: {reason}")]
    NotConnected {
        /// Where to.
        endpoint: Endpoint,
        /// What the system says.
        reason: String,
    },
    /// The service's certificate is not to be trusted: nothing was sent.
    #[error("cannot trust {endpoint}: {reason}")]
    NotTrusted {
        /// Where to.
        endpoint: Endpoint,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// Something was sent, perhaps all of it; whether it was carried out is
    /// not known.
    #[error("no answer from {endpoint}: {reason}")]
    NoAnswer {
        /// Where to.
        endpoint: Endpoint,
        /// What happened instead.
        reason: String,
    },
    /// Somebody else answered, or half the answer is missing.
    #[error("{endpoint} does not answer as the API does: {reason}")]
    NotTheApi {
        /// Where to.
        endpoint: Endpoint,
        /// What came.
        reason: String,
    },
}

impl ClientError {
    /// 2 for what was asked wrongly, else 1.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::Credentials(_) | Self::NoCredentials(_) => 2,
            Self::Call(_) | Self::Failed(_) | Self::Output(_) => 1,
        }
    }

    /// Whether there is nobody to tell: whoever read stdout has gone.
    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What to do, where that is known.
    pub(super) fn advice(&self) -> Option<String> {
        match self {
            Self::Call(error) => error.advice(),
            _ => None,
        }
    }
}

impl CallError {
    /// What to do, where that is known.
    pub(super) fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::NotConnected { endpoint, .. } => {
                return Some(format!(
                    "is forebay running at {endpoint}? Start it by `forebay`, or say where it is \
                     by --endpoint"
                ));
            }
            Self::NotTrusted { .. } => {
                "call it by a name of its certificate, and name the CA that signed it by --cacert \
                 or FOREBAY_CLIENT_CACERT"
            }
            Self::NotTheApi { .. } => {
                "is --endpoint the API's address, by http:// or https:// as the service prints it? \
                 The admin address is another one"
            }
            Self::NoAnswer { .. } => {
                "what was asked for may have been done; look before asking again"
            }
            Self::Refused { code, .. } => match code.as_str() {
                "AuthFailure.SecretIdNotFound" | "AuthFailure.SignatureFailure" => {
                    "the service has other credentials: set TENCENTCLOUD_SECRET_ID and \
                     TENCENTCLOUD_SECRET_KEY, or name its data directory by --data-dir"
                }
                "AuthFailure.TokenFailure" => {
                    "the credential needs its token in TENCENTCLOUD_TOKEN"
                }
                "AuthFailure.SignatureExpire" => "compare this machine's clock with the service's",
                "AuthFailure.UnauthorizedOperation" => {
                    "the credential's `actions` or `datahubs` do not allow this"
                }
                "InvalidParameterValue.InstanceNotExist" => {
                    "name one of the service's instances by --instance"
                }
                "ResourceInUse" => "`forebay task list` shows the tasks; delete those first",
                _ => return None,
            },
        };
        Some(advice.to_owned())
    }
}
