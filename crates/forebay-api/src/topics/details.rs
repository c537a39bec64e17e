//! DescribeTopicDetail: what is asked, and what is answered.

use std::cmp::Ordering;

use serde::Serialize;

use super::list::{Page, filter};
use super::view::{TopicSettings, TopicView};
use crate::echo::clipped;
use crate::error_code::{ApiError, ErrorCode};
use crate::flattened::RequestParameters;
use crate::limits::MAX_TOPIC_DETAILS_PAGE;
use crate::parameters::{Parameters, parse_object};
use crate::tasks::Tag;

/// A valid DescribeTopicDetail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DescribeTopicDetail {
    /// The instance's id; may be any text.
    pub instance: String,
    /// Default 20, at most 1000.
    pub page: Page,
    search: Option<String>,
    ignore_case: bool,
    order: Order,
    descending: bool,
    /// Each of the filters holds one of these numbers of replicas.
    replicas: Vec<Vec<usize>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Order {
    CreateTime,
    PartitionNum,
}

impl DescribeTopicDetail {
    /// Parses and checks the parameters.
    ///
    /// # Errors
    ///
    /// `InvalidParameter`, `MissingParameter`, `InvalidParameterValue` (out of range, another
    /// order or filter than there is), `UnsupportedOperation` for AclRuleName.
    pub fn parse<'a>(parameters: impl Into<RequestParameters<'a>>) -> Result<Self, ApiError> {
        let map = parse_object(parameters)?;
        let request = Parameters::new(&map);
        request.refuse("AclRuleName")?;
        let ignore_case = request.bool("SearchWordIgnoreCaseFlag")?.unwrap_or(false);
        let search = filter(&request, "SearchWord")?;
        let order = match request.string("OrderBy")?.unwrap_or_default() {
            "" | "CreateTime" => Order::CreateTime,
            "PartitionNum" => Order::PartitionNum,
            other => return Err(not_one_of("OrderBy", "PartitionNum or CreateTime", other)),
        };
        Ok(Self {
            instance: request.required_string("InstanceId")?.to_owned(),
            page: Page::read(&request, MAX_TOPIC_DETAILS_PAGE)?,
            search: search.map(|word| {
                if ignore_case {
                    word.to_lowercase()
                } else {
                    word
                }
            }),
            ignore_case,
            order,
            descending: request.i64_in("OrderType", 0..=1)? == Some(1),
            replicas: read_filters(&request)?,
        })
    }

    /// Whether a topic is asked for.
    pub fn matches(&self, topic: &TopicView) -> bool {
        let has = |word: &String| match self.ignore_case {
            true => super::list::contains(&topic.name, word),
            false => topic.name.contains(word.as_str()),
        };
        self.search.as_ref().is_none_or(has)
            && self
                .replicas
                .iter()
                .all(|counts| counts.contains(&topic.replicas))
    }

    /// Which of two topics comes first in the order that is asked for; of
    /// equals, by name.
    pub fn compare(&self, a: &TopicView, b: &TopicView) -> Ordering {
        let rank = |topic: &TopicView| match self.order {
            Order::CreateTime => topic.created_ms,
            Order::PartitionNum => i64::try_from(topic.partitions).unwrap_or(i64::MAX),
        };
        let ranks = rank(a).cmp(&rank(b));
        let ranks = if self.descending {
            ranks.reverse()
        } else {
            ranks
        };
        ranks.then_with(|| a.name.cmp(&b.name))
    }
}

fn not_one_of(field: &str, expected: &str, got: &str) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidParameterValue,
        format!("{field}: expected {expected}, got [{}]", clipped(got)),
    )
}

/// `Filters`: `ReplicaNum` with numbers as texts, as the API's filters have them.
fn read_filters(request: &Parameters<'_>) -> Result<Vec<Vec<usize>>, ApiError> {
    let filters = request.objects("Filters")?;
    let read = |filter: &Parameters<'_>| {
        let name = filter.required_string("Name")?;
        if name != "ReplicaNum" {
            return Err(not_one_of("Filters.Name", "ReplicaNum", name));
        }
        let values = filter.strings("Values")?;
        let number = |text: &&str| {
            let number = text.parse();
            number.map_err(|_| not_one_of("Filters.Values", "numbers as texts", text))
        };
        values.iter().map(number).collect()
    };
    filters.iter().map(read).collect()
}

/// `TopicDetailResponse`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TopicDetailsAnswer<'t> {
    topic_list: Vec<TopicDetail<'t>>,
    total_count: usize,
}

impl<'t> TopicDetailsAnswer<'t> {
    /// The answer with this page; `total` counts the topics of all pages.
    pub fn new(
        total: usize,
        page: impl IntoIterator<Item = &'t (TopicView, TopicSettings)>,
    ) -> Self {
        let topics = page.into_iter();
        let topics = topics.map(|(topic, settings)| TopicDetail::new(topic, settings));
        Self {
            topic_list: topics.collect(),
            total_count: total,
        }
    }
}

/// `TopicDetail`. White lists and backups to COS are none of Forebay's: they are off.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TopicDetail<'t> {
    topic_name: &'t str,
    topic_id: &'t str,
    partition_num: usize,
    replica_num: usize,
    note: &'t str,
    create_time: i64,
    enable_white_list: bool,
    ip_white_list_count: i64,
    forward_cos_bucket: &'static str,
    forward_status: i64,
    forward_interval: i64,
    config: Config<'t>,
    retention_time_config: RetentionTimeConfig,
    status: i64,
    tags: &'t [Tag],
}

impl<'t> TopicDetail<'t> {
    fn new(topic: &'t TopicView, settings: &'t TopicSettings) -> Self {
        let retention = settings.retention_ms.unwrap_or(0);
        let minutes = if retention < 0 {
            -1
        } else {
            retention / 60_000
        };
        Self {
            topic_name: &topic.name,
            topic_id: &topic.topic_id,
            partition_num: topic.partitions,
            replica_num: topic.replicas,
            note: &topic.note,
            create_time: topic.created_ms.div_euclid(1000),
            enable_white_list: false,
            ip_white_list_count: 0,
            forward_cos_bucket: "",
            // 1 is off.
            forward_status: 1,
            forward_interval: 0,
            config: Config::new(settings),
            retention_time_config: RetentionTimeConfig {
                expect: minutes,
                current: minutes,
                mod_time_stamp: topic.retention_set_ms,
            },
            status: 0,
            tags: &topic.tags,
        }
    }
}

/// `Config`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Config<'t> {
    retention: Option<i64>,
    min_insync_replicas: Option<i64>,
    clean_up_policy: Option<String>,
    segment_ms: Option<i64>,
    unclean_leader_election_enable: Option<i64>,
    segment_bytes: Option<i64>,
    max_message_bytes: Option<i64>,
    retention_bytes: Option<i64>,
    log_msg_timestamp_type: Option<&'t str>,
}

impl<'t> Config<'t> {
    fn new(settings: &'t TopicSettings) -> Self {
        let policy = settings.cleanup_policy.as_deref();
        // Kafka's order is the caller's, the API's is "compact, delete".
        let both = |policy: &str| policy.contains("compact") && policy.contains("delete");
        let policy = policy.map(|policy| match both(policy) {
            true => "compact, delete".to_owned(),
            false => policy.to_owned(),
        });
        Self {
            retention: settings.retention_ms,
            min_insync_replicas: settings.min_insync_replicas,
            clean_up_policy: policy,
            segment_ms: settings.segment_ms,
            unclean_leader_election_enable: settings.unclean_leader_election.map(i64::from),
            segment_bytes: settings.segment_bytes,
            max_message_bytes: settings.max_message_bytes,
            retention_bytes: settings.retention_bytes,
            log_msg_timestamp_type: settings.timestamp_type.as_deref(),
        }
    }
}

/// `TopicRetentionTimeConfigRsp`, in minutes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RetentionTimeConfig {
    expect: i64,
    current: i64,
    mod_time_stamp: i64,
}
