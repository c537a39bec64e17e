//! The wire contract of Forebay: what the CKafka API (version 2019-08-19) looks like to the
//! genuine SDKs as far as DataHub's HTTP access goes.
//!
//! This crate does no I/O and has no clock: bytes come in, bytes go out, and the present time is
//! an argument. It knows nothing of Kafka, HTTP servers or the engine.
//!
//! | module | what it holds |
//! |---|---|
//! | [`action`] | names of the actions, API version |
//! | [`answer`] | the envelope of every answer |
//! | [`credential_scope`] | which actions and access points a credential may use |
//! | [`error_code`] | codes and the one error type, [`ApiError`] |
//! | [`flattened`] | parameters by query and by form, `Message.0.Body=…` |
//! | [`limits`] | counts and sizes that the contract names |
//! | [`message_id`] | the six-field `MessageId` |
//! | [`messages`] | requests and answers of the actions that read messages back |
//! | [`send_message`] | the hot path's request, parsed without copying |
//! | [`tasks`] | requests and answers of the task actions |
//! | [`topics`] | requests and answers of the topic actions |
//! | [`tc3`] | TC3-HMAC-SHA256, verification and signing |
//! | [`v1`] | HmacSHA1 and HmacSHA256, verification and signing |
//! | [`utc_time`] | the API's notation of dates |

pub mod action;
pub mod answer;
pub mod credential_scope;
mod echo;
pub mod error_code;
pub mod flattened;
pub mod limits;
pub mod message_id;
pub mod messages;
mod names;
mod parameters;
mod partly_stored;
pub mod send_message;
pub mod tasks;
pub mod tc3;
pub mod topics;
mod unique_keys;
pub mod utc_time;
pub mod v1;

pub use action::{Action, VERSION};
pub use credential_scope::CredentialScope;
pub use error_code::{ApiError, ErrorCode};
pub use flattened::{Flattened, RequestParameters};
pub use message_id::{MessageId, MessageIdError, write_message_id};
pub use names::{TopicNameProblem, check_topic_name, is_datahub_id, is_task_id};
pub use send_message::{Message, SendMessageRequest};
pub use utc_time::format_utc;
