//! The `Result` of the topic actions but DescribeTopicDetail. Every field of the SDKs' models is
//! there, see [`crate::tasks`].

use serde::Serialize;

use super::view::{TopicSettings, TopicView};

/// The API's number for a topic that is in use.
const IN_USE: u64 = 1;

/// `DatahubTopicResp`: the answer to CreateDatahubTopic.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateTopicAnswer<'t> {
    /// The name.
    pub topic_name: &'t str,
    /// See [`topic_id`](super::topic_id()).
    pub topic_id: &'t str,
}

/// `JgwOperateResponse`: the answer to ModifyDatahubTopic and DeleteDatahubTopic.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChangedAnswer {
    return_code: &'static str,
    return_message: &'static str,
    data: (),
}

impl ChangedAnswer {
    /// The change was made.
    pub const DONE: Self = Self {
        return_code: "0",
        return_message: "ok",
        data: (),
    };
}

/// `DescribeDatahubTopicResp`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DatahubTopicAnswer<'t> {
    #[serde(flatten)]
    topic: DatahubTopic<'t>,
    // Whoever consumes has Kafka's own users, which are none of this API's.
    user_name: &'static str,
    password: &'static str,
    address: &'t str,
}

impl<'t> DatahubTopicAnswer<'t> {
    /// `address`: `host:port` where Kafka is.
    pub fn new(topic: &'t TopicView, settings: &TopicSettings, address: &'t str) -> Self {
        Self {
            topic: DatahubTopic::new(topic, settings),
            user_name: "",
            password: "",
            address,
        }
    }
}

/// `DescribeDatahubTopicsResp`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DatahubTopicsAnswer<'t> {
    total_count: usize,
    topic_list: Vec<DatahubTopic<'t>>,
}

impl<'t> DatahubTopicsAnswer<'t> {
    /// The answer with this page; `total` counts the topics of all pages.
    pub fn new(
        total: usize,
        page: impl IntoIterator<Item = &'t (TopicView, TopicSettings)>,
    ) -> Self {
        let topics = page.into_iter();
        let topics = topics.map(|(topic, settings)| DatahubTopic::new(topic, settings));
        Self {
            total_count: total,
            topic_list: topics.collect(),
        }
    }
}

/// `DatahubTopicDTO`, and what `DescribeDatahubTopicResp` has in common with it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DatahubTopic<'t> {
    name: &'t str,
    topic_name: &'t str,
    topic_id: &'t str,
    partition_num: usize,
    retention_ms: i64,
    note: &'t str,
    status: u64,
    /// Not in the SDKs' models, which leave it out.
    max_message_bytes: Option<i64>,
}

impl<'t> DatahubTopic<'t> {
    fn new(topic: &'t TopicView, settings: &TopicSettings) -> Self {
        Self {
            name: &topic.name,
            topic_name: &topic.name,
            topic_id: &topic.topic_id,
            partition_num: topic.partitions,
            retention_ms: settings.retention_or_forever(),
            note: &topic.note,
            status: IN_USE,
            max_message_bytes: settings.max_message_bytes,
        }
    }
}

/// `TopicResult`: the answer to DescribeTopic.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TopicsAnswer<'t> {
    topic_list: Vec<Topic<'t>>,
    total_count: usize,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Topic<'t> {
    topic_id: &'t str,
    topic_name: &'t str,
    note: &'t str,
}

impl<'t> TopicsAnswer<'t> {
    /// The answer with this page; `total` counts the topics of all pages.
    pub fn new(total: usize, page: impl IntoIterator<Item = &'t TopicView>) -> Self {
        let topic = |topic: &'t TopicView| Topic {
            topic_id: &topic.topic_id,
            topic_name: &topic.name,
            note: &topic.note,
        };
        Self {
            topic_list: page.into_iter().map(topic).collect(),
            total_count: total,
        }
    }
}
