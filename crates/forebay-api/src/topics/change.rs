//! CreateDatahubTopic, ModifyDatahubTopic, and the name that Describe- and DeleteDatahubTopic
//! take.

use crate::echo::clipped;
use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::RequestParameters;
use crate::limits::{
    MAX_MAX_MESSAGE_BYTES, MAX_NEW_TOPIC_NAME_BYTES, MAX_NOTE_CHARS, MAX_PARTITION_NUM,
    MIN_MAX_MESSAGE_BYTES, MIN_RETENTION_MS, RETENTION_FOREVER_MS,
};
use crate::names::{TopicNameProblem, check_topic_name};
use crate::parameters::{Parameters, parse_object};
use crate::tasks::{Tag, read_tags};

/// A valid CreateDatahubTopic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreateDatahubTopic {
    /// Legal, not internal, at most 128 characters. It needs no AppId in front.
    pub name: String,
    /// 1 to 500.
    pub partition_num: i32,
    /// At least a minute, or -1 for ever.
    pub retention_ms: i64,
    /// 1024 to 12582912; `None` is the cluster's default. Forebay's own.
    pub max_message_bytes: Option<i32>,
    /// "" if not given.
    pub note: String,
    /// Tags, in the order given.
    pub tags: Vec<Tag>,
}

impl CreateDatahubTopic {
    /// Parses and checks the parameters.
    ///
    /// # Errors
    ///
    /// `InvalidParameter` (malformed JSON, wrong type), `MissingParameter`,
    /// `InvalidParameterValue` (out of range) and `UnsupportedOperation` (an internal name), each
    /// naming the field.
    pub fn parse<'a>(parameters: impl Into<RequestParameters<'a>>) -> Result<Self, ApiError> {
        let map = parse_object(parameters)?;
        let request = Parameters::new(&map);
        let name = name(&request)?;
        if name.len() > MAX_NEW_TOPIC_NAME_BYTES {
            return Err(ApiError::new(
                ErrorCode::InvalidParameterValue,
                format!(
                    "Name has {} characters, the limit is {MAX_NEW_TOPIC_NAME_BYTES}",
                    name.len()
                ),
            ));
        }
        let partition_num = partition_num(&request)?;
        Ok(Self {
            name,
            partition_num: partition_num.ok_or_else(|| ApiError::missing("PartitionNum"))?,
            retention_ms: retention_ms(&request)?,
            max_message_bytes: max_message_bytes(&request)?,
            note: note(&request)?.unwrap_or_default(),
            tags: read_tags(&request)?,
        })
    }
}

/// A valid ModifyDatahubTopic. What is absent stays as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModifyDatahubTopic {
    /// Legal and not internal.
    pub name: String,
    /// At least a minute, or -1 for ever.
    pub retention_ms: i64,
    /// How many there are afterwards, 1 to 500. Forebay's own.
    pub partition_num: Option<i32>,
    /// 1024 to 12582912. Forebay's own.
    pub max_message_bytes: Option<i32>,
    /// The new note.
    pub note: Option<String>,
    /// The new tags.
    pub tags: Option<Vec<Tag>>,
}

impl ModifyDatahubTopic {
    /// Parses and checks the parameters.
    ///
    /// # Errors
    ///
    /// As [`CreateDatahubTopic::parse`].
    pub fn parse<'a>(parameters: impl Into<RequestParameters<'a>>) -> Result<Self, ApiError> {
        let map = parse_object(parameters)?;
        let request = Parameters::new(&map);
        let tags = request.has("Tags").then(|| read_tags(&request));
        Ok(Self {
            name: name(&request)?,
            retention_ms: retention_ms(&request)?,
            partition_num: partition_num(&request)?,
            max_message_bytes: max_message_bytes(&request)?,
            note: note(&request)?,
            tags: tags.transpose()?,
        })
    }
}

/// Parses a request whose only parameter is Name: DescribeDatahubTopic and DeleteDatahubTopic.
///
/// # Errors
///
/// As [`CreateDatahubTopic::parse`].
pub fn parse_topic_name<'a>(
    parameters: impl Into<RequestParameters<'a>>,
) -> Result<String, ApiError> {
    let map = parse_object(parameters)?;
    name(&Parameters::new(&map))
}

fn name(request: &Parameters<'_>) -> Result<String, ApiError> {
    let name = request.required_string("Name")?;
    check_topic_name(name).map_err(|problem| {
        let code = match problem {
            TopicNameProblem::Illegal => ErrorCode::InvalidParameterValue,
            TopicNameProblem::Internal => ErrorCode::UnsupportedOperation,
        };
        ApiError::new(code, format!("Name: {problem}, got [{}]", clipped(name)))
    })?;
    Ok(name.to_owned())
}

fn partition_num(request: &Parameters<'_>) -> Result<Option<i32>, ApiError> {
    let number = request.i64_in("PartitionNum", 1..=MAX_PARTITION_NUM)?;
    Ok(number.and_then(|number| i32::try_from(number).ok()))
}

fn retention_ms(request: &Parameters<'_>) -> Result<i64, ApiError> {
    let retention = request.i64_in("RetentionMs", MIN_RETENTION_MS..=RETENTION_FOREVER_MS)?;
    match retention.ok_or_else(|| ApiError::missing("RetentionMs"))? {
        RETENTION_FOREVER_MS => Ok(-1),
        ms => Ok(ms),
    }
}

fn max_message_bytes(request: &Parameters<'_>) -> Result<Option<i32>, ApiError> {
    let range = MIN_MAX_MESSAGE_BYTES..=MAX_MAX_MESSAGE_BYTES;
    let number = request.i64_in("MaxMessageBytes", range)?;
    Ok(number.and_then(|number| i32::try_from(number).ok()))
}

fn note(request: &Parameters<'_>) -> Result<Option<String>, ApiError> {
    let Some(note) = request.string("Note")? else {
        return Ok(None);
    };
    let legal = note.len() <= MAX_NOTE_CHARS
        && note
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if legal {
        return Ok(Some(note.to_owned()));
    }
    Err(ApiError::new(
        ErrorCode::InvalidParameterValue,
        format!(
            "Note: expected at most {MAX_NOTE_CHARS} letters, digits and '-', got [{}]",
            clipped(note)
        ),
    ))
}
