//! The partitions of a topic with their offsets.

use actix_web::{HttpResponse, web};
use forebay_api::{Action, ApiError, ErrorCode, check_topic_name};
use forebay_engine::query::QueriedTopic;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Console;
use super::answer::{Refused, json};
use super::guard::SignedIn;
use crate::http::{check_open, query_error, reserved_topic};

/// Partitions that are looked at: each one costs two questions to Kafka.
const MAX_SHOWN: usize = 200;

/// Which topic.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    instance: String,
    topic: String,
}

#[derive(Serialize)]
struct Answer {
    /// How many there are; not all of them may be shown.
    count: i32,
    partitions: Vec<Partition>,
}

#[derive(Serialize)]
struct Partition {
    partition: i32,
    earliest: i64,
    /// The next message's offset.
    end: i64,
    leader: Option<i32>,
}

/// `GET /console/api/partitions`, open to whom queries of the topic are.
pub(super) async fn list(
    signed_in: SignedIn,
    console: web::Data<Console>,
    of: web::Query<Of>,
) -> Result<HttpResponse, Refused> {
    signed_in
        .may(Action::DescribeDatahubTask)
        .or_else(|_| signed_in.may(Action::FetchMessageByOffset))?;
    check_topic_name(&of.topic).map_err(|problem| {
        let code = ErrorCode::InvalidParameterValue;
        ApiError::new(code, format!("topic: {problem}"))
    })?;
    let shared = &console.shared;
    check_open(shared, &signed_in.caller, &of.instance, &of.topic)?;
    if shared.engine.is_reserved_topic(&of.instance, &of.topic) {
        return Err(reserved_topic(&of.topic).into());
    }
    let topic = QueriedTopic {
        instance: &of.instance,
        topic: &of.topic,
        deadline: Instant::now() + shared.settings.deadline,
    };
    let found = shared.engine.queries().ranges(topic, MAX_SHOWN).await;
    let found = found.map_err(|error| query_error(error, &of.instance))?;
    let partition = |range: &forebay_engine::query::PartitionRange| Partition {
        partition: range.partition,
        earliest: range.earliest,
        end: range.end,
        leader: range.leader,
    };
    Ok(json(&Answer {
        count: found.partitions,
        partitions: found.ranges.iter().map(partition).collect(),
    }))
}
