//! A task's target: which topic of which instance.

use crate::echo::clipped;
use crate::error_code::{ApiError, ErrorCode};
use crate::limits::MAX_PARTITION_NUM;
use crate::names::{TopicNameProblem, check_topic_name};
use crate::parameters::Parameters;

/// The `Type` of a target.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TargetKind {
    /// A topic of a named instance, with KafkaParam.
    Kafka,
    /// A topic of the default instance, with TopicParam.
    Topic,
}

impl TargetKind {
    /// `KAFKA` or `TOPIC`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kafka => "KAFKA",
            Self::Topic => "TOPIC",
        }
    }
}

/// Where a task's messages go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TaskTarget {
    /// Which of the two shapes the task was created with.
    pub kind: TargetKind,
    /// `ckafka-xxxxxxxx`. `None` for a TOPIC target: the default instance.
    pub instance: Option<String>,
    /// Name of the Kafka topic; legal and not internal.
    pub topic: String,
    /// KafkaParam.PartitionNum, 1 to 500: how many partitions a created topic gets. `None` is the
    /// cluster's default. In a view: how many the topic has, if known.
    pub partition_num: Option<i32>,
    /// Whether a missing topic is created.
    pub auto_create_topic: bool,
    /// Requests per second that the access point takes, 0 for no limit.
    pub qps_limit: u64,
}

impl TaskTarget {
    /// Reads TargetResource.
    pub(super) fn read(resource: &Parameters<'_>) -> Result<Self, ApiError> {
        match resource.required_string("Type")? {
            "KAFKA" => Self::read_kafka(&resource.required_object("KafkaParam")?),
            "TOPIC" => Self::read_topic(&resource.required_object("TopicParam")?),
            other => Err(unsupported(format!(
                "{} [{}] is not supported, expected KAFKA or TOPIC",
                resource.field("Type"),
                clipped(other)
            ))),
        }
    }

    fn read_kafka(param: &Parameters<'_>) -> Result<Self, ApiError> {
        for flag in [
            "SelfBuilt",
            "EnableToleration",
            "UseTableMapping",
            "KeepPartition",
        ] {
            param.bool(flag)?;
            param.refuse(flag)?;
        }
        for feature in [
            "TableMappings",
            "ConnectorSyncType",
            "TopicRegularExpression",
            "Prefix",
            "Separator",
            "TopicList",
        ] {
            param.refuse(feature)?;
        }
        refuse_shared_features(param)?;
        let instance = param.required_string("Resource")?.to_owned();
        let topic = param.required_string("Topic")?;
        if topic.contains(',') {
            return Err(unsupported(format!(
                "{}: expected one topic, got several separated by commas",
                param.field("Topic")
            )));
        }
        check_topic(param, "Topic", topic)?;
        Ok(Self {
            kind: TargetKind::Kafka,
            instance: Some(instance),
            topic: topic.to_owned(),
            partition_num: read_partition_num(param)?,
            auto_create_topic: param.bool("UseAutoCreateTopic")?.unwrap_or(false),
            qps_limit: param.u64("QpsLimit")?.unwrap_or(0),
        })
    }

    fn read_topic(param: &Parameters<'_>) -> Result<Self, ApiError> {
        refuse_shared_features(param)?;
        let topic = param.required_string("Resource")?;
        check_topic(param, "Resource", topic)?;
        Ok(Self {
            kind: TargetKind::Topic,
            instance: None,
            topic: topic.to_owned(),
            partition_num: None,
            auto_create_topic: param.bool("UseAutoCreateTopic")?.unwrap_or(false),
            qps_limit: 0,
        })
    }
}

/// Refuses what both shapes have and Forebay has not. OffsetType, StartTime, ResourceName, ZoneId
/// and TopicId are left alone: they belong to sources or repeat what an answer showed.
fn refuse_shared_features(param: &Parameters<'_>) -> Result<(), ApiError> {
    if !matches!(param.string("CompressionType")?, None | Some("" | "none")) {
        return Err(unsupported(format!(
            "{}: compression is set for an instance, not for a task; expected \"none\"",
            param.field("CompressionType")
        )));
    }
    if !matches!(param.i64("MsgMultiple")?, None | Some(0 | 1)) {
        return Err(unsupported(format!(
            "{}: messages are stored once; expected 1",
            param.field("MsgMultiple")
        )));
    }
    Ok(())
}

fn check_topic(param: &Parameters<'_>, field: &'static str, topic: &str) -> Result<(), ApiError> {
    check_topic_name(topic).map_err(|problem| {
        let code = match problem {
            TopicNameProblem::Illegal => ErrorCode::InvalidParameterValue,
            TopicNameProblem::Internal => ErrorCode::UnsupportedOperation,
        };
        ApiError::new(
            code,
            format!(
                "{}: {problem}, got [{}]",
                param.field(field),
                clipped(topic)
            ),
        )
    })
}

fn read_partition_num(param: &Parameters<'_>) -> Result<Option<i32>, ApiError> {
    let Some(number) = param.i64("PartitionNum")? else {
        return Ok(None);
    };
    if !(1..=MAX_PARTITION_NUM).contains(&number) {
        return Err(ApiError::new(
            ErrorCode::InvalidParameterValue,
            format!(
                "{}: expected 1 to {MAX_PARTITION_NUM}, got {number}",
                param.field("PartitionNum")
            ),
        ));
    }
    Ok(i32::try_from(number).ok())
}

fn unsupported(message: String) -> ApiError {
    ApiError::new(ErrorCode::UnsupportedOperation, message)
}
