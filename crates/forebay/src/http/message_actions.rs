//! The actions that read messages back from a topic.

use forebay_api::messages::{ConsumerRecord, MessageQuery, Selection};
use forebay_api::{Action, ApiError, RequestParameters, answer};
use forebay_engine::query::{Found, FoundMessage, QueriedTopic, QueryError, QueryPermit};
use serde::Serialize;
use tokio::time::Instant;

use super::authenticate::Caller;
use super::error;
use super::shared::Shared;
use super::task_actions::TaskAction;
use super::topic_scope::check_open;

/// An answer's JSON and the memory it takes.
type HeldJson = (Vec<u8>, QueryPermit);

/// Whether the action is one of these.
pub(super) fn reads_messages(action: Action) -> bool {
    matches!(
        action,
        Action::FetchMessageByOffset
            | Action::FetchMessageListByOffset
            | Action::FetchMessageListByTimestamp
            | Action::FetchDatahubMessageByOffset
            | Action::FetchLatestDatahubMessageList
    )
}

/// The answer's JSON, within the request's deadline.
///
/// # Errors
/// As the contract says, see [`error::query`]. A caller without the right
/// learns nothing of instance or topic.
///
/// # Cancellation
/// Safe: nothing is changed.
pub(super) async fn run(
    request: TaskAction,
    shared: &Shared,
    request_id: &str,
) -> Result<HeldJson, ApiError> {
    let query = Query {
        shared,
        caller: &request.caller,
        action: request.action,
        deadline: request.request.deadline,
        request_id,
    };
    let decoded = request.encoding.decode(&request.request)?;
    query.run(decoded.parameters()).await
}

/// What all parts of a query need.
struct Query<'a> {
    shared: &'a Shared,
    caller: &'a Caller,
    action: Action,
    deadline: Instant,
    request_id: &'a str,
}

impl Query<'_> {
    async fn run(&self, body: RequestParameters<'_>) -> Result<HeldJson, ApiError> {
        let query = MessageQuery::parse(self.action, body)?;
        self.caller.may(self.action)?;
        let home = &self.shared.settings.home_instance;
        let instance = query.instance.as_deref().unwrap_or(home);
        check_open(self.shared, self.caller, instance, &query.topic)?;
        if self.shared.engine.is_reserved_topic(instance, &query.topic) {
            return Err(error::reserved_topic(&query.topic));
        }
        let topic = QueriedTopic {
            instance,
            topic: &query.topic,
            deadline: self.deadline,
        };
        let found = self.find(topic, query.selection).await;
        found
            .and_then(|found| self.answer(&query, found))
            .map_err(|refusal| {
                if matches!(refusal, QueryError::Memory(_)) {
                    self.shared.metrics.shed_memory.increment(1);
                }
                error::query(refusal, instance)
            })
    }

    async fn find(
        &self,
        topic: QueriedTopic<'_>,
        selection: Selection,
    ) -> Result<Found, QueryError> {
        let queries = self.shared.engine.queries();
        match selection {
            Selection::At { partition, offset } => queries.at(topic, partition, offset).await,
            Selection::From {
                partition,
                offset,
                count,
            } => queries.from(topic, partition, offset, count).await,
            Selection::Since {
                partition,
                start_ms,
                count,
            } => queries.since(topic, partition, start_ms, count).await,
            Selection::Latest { partition, count } => queries.latest(topic, partition, count).await,
        }
    }

    fn answer(&self, query: &MessageQuery, found: Found) -> Result<HeldJson, QueryError> {
        let Found {
            messages,
            mut permit,
        } = found;
        let records = messages.iter().map(|found| view(&query.topic, found));
        let mut records: Vec<_> = records.collect();
        let json = match records.pop() {
            Some(only) if !query.is_list() => self.json(&only, &mut permit),
            last => {
                records.extend(last);
                self.json(&records, &mut permit)
            }
        };
        Ok((json?, permit))
    }

    /// Escapes and base64 make an answer longer than its messages, which are
    /// there as long as it is made: its memory counts too.
    fn json<T: Serialize>(
        &self,
        result: &T,
        permit: &mut QueryPermit,
    ) -> Result<Vec<u8>, QueryError> {
        let reserve = |len| permit.try_grow(len).map_err(QueryError::from);
        answer::large_result(result, self.request_id, reserve)
    }
}

fn view<'m>(topic: &'m str, found: &'m FoundMessage) -> impl Serialize {
    let record = &found.record;
    ConsumerRecord {
        topic,
        partition: found.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: record.headers.iter(),
    }
}
