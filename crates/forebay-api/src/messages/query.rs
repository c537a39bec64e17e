//! What the Fetch actions ask for.

use std::ops::RangeInclusive;

use crate::action::Action;
use crate::echo::clipped;
use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::RequestParameters;
use crate::limits::{DEFAULT_LISTED_MESSAGES, MAX_LATEST_MESSAGES, MAX_LISTED_MESSAGES};
use crate::names::{TopicNameProblem, check_topic_name};
use crate::parameters::{Parameters, parse_object};

/// Which messages of which topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageQuery {
    /// `ckafka-xxxxxxxx`; may be any text. `None`: the default instance.
    pub instance: Option<String>,
    /// Name of the Kafka topic; legal and not internal.
    pub topic: String,
    /// Which of its messages.
    pub selection: Selection,
}

/// Which messages of a topic. Partitions, offsets and times may be any number: whether they are in
/// range only the topic tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Selection {
    /// The message at exactly this place.
    At {
        /// Partition.
        partition: i64,
        /// Offset.
        offset: i64,
    },
    /// At most `count` messages from this place on.
    From {
        /// Partition.
        partition: i64,
        /// Offset.
        offset: i64,
        /// At least 1.
        count: usize,
    },
    /// At most `count` messages of each partition since a time.
    Since {
        /// `None`: every partition.
        partition: Option<i64>,
        /// Unix milliseconds. `None`: from the log's beginning.
        start_ms: Option<i64>,
        /// At least 1, for each partition.
        count: usize,
    },
    /// The last `count` offsets' messages.
    Latest {
        /// Partition.
        partition: i64,
        /// At least 1.
        count: usize,
    },
}

impl MessageQuery {
    /// Parses the request of one of the five Fetch actions.
    ///
    /// # Errors
    ///
    /// `InvalidParameter` for malformed JSON or another type, `MissingParameter` for an absent
    /// parameter, `InvalidParameterValue` for a count out of range or an impossible topic name,
    /// `UnsupportedOperation` for an internal topic and for another action.
    pub fn parse<'a>(
        action: Action,
        body: impl Into<RequestParameters<'a>>,
    ) -> Result<Self, ApiError> {
        let map = parse_object(body)?;
        let parameters = Parameters::new(&map);
        let (instance, topic) = match action {
            Action::FetchDatahubMessageByOffset | Action::FetchLatestDatahubMessageList => {
                (None, topic(&parameters, "Name")?)
            }
            _ => {
                let instance = parameters.required_string("InstanceId")?;
                (Some(instance.to_owned()), topic(&parameters, "Topic")?)
            }
        };
        let selection = selection(action, &parameters)?;
        Ok(Self {
            instance,
            topic,
            selection,
        })
    }

    /// Whether the answer is a list, or the one message itself.
    pub fn is_list(&self) -> bool {
        !matches!(self.selection, Selection::At { .. })
    }
}

fn selection(action: Action, parameters: &Parameters<'_>) -> Result<Selection, ApiError> {
    let listed = || {
        let range = 1..=MAX_LISTED_MESSAGES;
        count(parameters, "SinglePartitionRecordNumber", range)
    };
    match action {
        Action::FetchMessageByOffset | Action::FetchDatahubMessageByOffset => Ok(Selection::At {
            partition: required(parameters, "Partition")?,
            offset: required(parameters, "Offset")?,
        }),
        Action::FetchMessageListByOffset => Ok(Selection::From {
            partition: required(parameters, "Partition")?,
            offset: required(parameters, "Offset")?,
            count: listed()?,
        }),
        Action::FetchMessageListByTimestamp => Ok(Selection::Since {
            partition: parameters.i64("Partition")?,
            start_ms: parameters.i64("StartTime")?,
            count: listed()?,
        }),
        Action::FetchLatestDatahubMessageList => {
            let partition = required(parameters, "Partition")?;
            let count = count(parameters, "MessageCount", 1..=MAX_LATEST_MESSAGES)?;
            Ok(match parameters.i64("Offset")? {
                Some(offset) => Selection::From {
                    partition,
                    offset,
                    count,
                },
                None => Selection::Latest { partition, count },
            })
        }
        other => Err(ApiError::new(
            ErrorCode::UnsupportedOperation,
            format!("the action {other} reads no messages"),
        )),
    }
}

fn required(parameters: &Parameters<'_>, name: &'static str) -> Result<i64, ApiError> {
    let value = parameters.i64(name)?;
    value.ok_or_else(|| ApiError::missing(name))
}

fn count(
    parameters: &Parameters<'_>,
    name: &'static str,
    range: RangeInclusive<usize>,
) -> Result<usize, ApiError> {
    let Some(number) = parameters.i64(name)? else {
        return Ok(DEFAULT_LISTED_MESSAGES);
    };
    let count = usize::try_from(number).ok();
    count.filter(|count| range.contains(count)).ok_or_else(|| {
        let (least, most) = range.into_inner();
        ApiError::new(
            ErrorCode::InvalidParameterValue,
            format!("{name}: expected {least} to {most}, got {number}"),
        )
    })
}

fn topic(parameters: &Parameters<'_>, name: &'static str) -> Result<String, ApiError> {
    let topic = parameters.required_string(name)?;
    check_topic_name(topic).map_err(|problem| {
        let code = match problem {
            TopicNameProblem::Illegal => ErrorCode::InvalidParameterValue,
            TopicNameProblem::Internal => ErrorCode::UnsupportedOperation,
        };
        ApiError::new(code, format!("{name}: {problem}, got [{}]", clipped(topic)))
    })?;
    Ok(topic.to_owned())
}
