//! CreateDatahubTask.

use super::target::TaskTarget;
use super::view::Tag;
use super::{check_description, check_task_name};
use crate::echo::clipped;
use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::RequestParameters;
use crate::limits::{MAX_TAG_KEY_CHARS, MAX_TAG_VALUE_CHARS, MAX_TAGS};
use crate::parameters::{Parameters, parse_object};

/// A valid CreateDatahubTask: an HTTP source and a target that Forebay can serve, as far as that
/// shows from the request alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreateDatahubTask {
    /// TaskName.
    pub name: String,
    /// Free text, "" if not given.
    pub description: String,
    /// Where the messages go.
    pub target: TaskTarget,
    /// Tags, in the order given.
    pub tags: Vec<Tag>,
}

impl CreateDatahubTask {
    /// Parses and checks the parameters.
    ///
    /// # Errors
    ///
    /// `InvalidParameter` (malformed JSON, wrong type), `MissingParameter`,
    /// `InvalidParameterValue` (a name or number outside its range) and `UnsupportedOperation`
    /// (the API has it, Forebay does not), each naming the field.
    pub fn parse<'a>(body: impl Into<RequestParameters<'a>>) -> Result<Self, ApiError> {
        let map = parse_object(body)?;
        let request = Parameters::new(&map);
        let name = request.required_string("TaskName")?;
        check_task_name(name)?;
        let task_type = request.required_string("TaskType")?;
        if task_type != "SOURCE" {
            return Err(ApiError::new(
                ErrorCode::UnsupportedOperation,
                format!(
                    "TaskType [{}] is not supported, expected SOURCE",
                    clipped(task_type)
                ),
            ));
        }
        // TaskId: ids are given out here, so that no two replicas ever give the same.
        for feature in [
            "TransformParam",
            "TransformsParam",
            "PrivateLinkParam",
            "SchemaId",
            "TaskId",
        ] {
            request.refuse(feature)?;
        }
        check_source(&request.required_object("SourceResource")?)?;
        let target = TaskTarget::read(&request.required_object("TargetResource")?)?;
        let description = request.string("Description")?.unwrap_or_default();
        check_description(description)?;
        Ok(Self {
            name: name.to_owned(),
            description: description.to_owned(),
            target,
            tags: read_tags(&request)?,
        })
    }
}

fn check_source(source: &Parameters<'_>) -> Result<(), ApiError> {
    let kind = source.required_string("Type")?;
    if kind == "HTTP" {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::UnsupportedOperation,
        format!(
            "{} [{}] is not supported, expected HTTP",
            source.field("Type"),
            clipped(kind)
        ),
    ))
}

/// `Tags`, checked by the vendor's rules; absent is empty.
pub(crate) fn read_tags(request: &Parameters<'_>) -> Result<Vec<Tag>, ApiError> {
    let list = request.objects("Tags")?;
    if list.len() > MAX_TAGS {
        return Err(ApiError::new(
            ErrorCode::InvalidParameterValue,
            format!("Tags: got {}, the limit is {MAX_TAGS}", list.len()),
        ));
    }
    list.iter()
        .map(|tag| {
            let key = tag.required_string("TagKey")?;
            // A tag without a value is common; one without a key is none.
            let value = tag.string("TagValue")?.unwrap_or_default();
            check_length(tag, "TagKey", key, MAX_TAG_KEY_CHARS)?;
            check_length(tag, "TagValue", value, MAX_TAG_VALUE_CHARS)?;
            Ok(Tag {
                key: key.to_owned(),
                value: value.to_owned(),
            })
        })
        .collect()
}

fn check_length(
    tag: &Parameters<'_>,
    field: &'static str,
    text: &str,
    limit: usize,
) -> Result<(), ApiError> {
    let actual = text.chars().count();
    if actual <= limit {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::InvalidParameterValue,
        format!(
            "{} has {actual} characters, the limit is {limit}",
            tag.field(field)
        ),
    ))
}
