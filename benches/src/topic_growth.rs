//! Whether Kafka has what was acknowledged.

use std::collections::BTreeMap;

use forebay_kafka::{Cluster, ClusterConfig};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// Offsets that are asked for at a time.
const QUESTIONS: usize = 32;

/// Topics whose end is watched.
pub(crate) struct WatchedTopics {
    cluster: Cluster,
    topics: Vec<String>,
}

impl WatchedTopics {
    pub(crate) fn new(broker: &str, topics: &[String]) -> Self {
        let mut config = ClusterConfig::new(vec![broker.to_owned()]);
        "forebay-load".clone_into(&mut config.client_id);
        Self {
            cluster: Cluster::new(config),
            topics: topics.to_vec(),
        }
    }

    /// Sum of the partitions' end offsets, by topic.
    ///
    /// # Errors
    /// What Kafka says.
    pub(crate) async fn ends(&self) -> Result<BTreeMap<String, i64>, String> {
        let mut ends = BTreeMap::new();
        for topic in &self.topics {
            let end = self.end_of(topic).await;
            let end = end.map_err(|error| format!("end offsets of topic {topic}: {error}"))?;
            ends.insert(topic.clone(), end);
        }
        Ok(ends)
    }

    async fn end_of(&self, topic: &str) -> Result<i64, forebay_kafka::Error> {
        let metadata = self.cluster.topic(topic).await?;
        let questions = metadata
            .partitions
            .iter()
            .map(|partition| self.cluster.latest_offset(topic, partition.index));
        let ends = stream::iter(questions).buffer_unordered(QUESTIONS);
        ends.try_fold(0, |sum, end| async move { Ok(sum + end) })
            .await
    }
}
