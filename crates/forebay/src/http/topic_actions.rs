//! The actions on topics.
//!
//! The `Datahub` ones are about topics of the home instance.

use forebay_api::tasks::Tag;
use forebay_api::topics::{
    ChangedAnswer, CreateDatahubTopic, CreateTopicAnswer, DatahubTopicAnswer, DatahubTopicsAnswer,
    DescribeDatahubTopics, DescribeTopic, DescribeTopicDetail, ModifyDatahubTopic,
    TopicDetailsAnswer, TopicSettings, TopicView, TopicsAnswer, parse_topic_name, topic_id,
};
use forebay_api::{Action, ApiError, RequestParameters, answer};
use forebay_engine::task;
use forebay_engine::topic_admin::{
    TopicAdminError, TopicChange, TopicCreation, TopicDescription, TopicSummary,
};
use tokio::time::{Instant, timeout_at};

use super::authenticate::Caller;
use super::error;
use super::held_json::HeldJson;
use super::shared::Shared;
use super::task_actions::TaskAction;
use super::topic_scope::{OpenTopics, check_open, open_topics};

/// A topic with its settings, as answers show it.
type Shown = (TopicView, TopicSettings);

/// Whether the action is one of these.
pub(super) fn is_about_topics(action: Action) -> bool {
    matches!(
        action,
        Action::CreateDatahubTopic
            | Action::DescribeDatahubTopic
            | Action::ModifyDatahubTopic
            | Action::DeleteDatahubTopic
            | Action::DescribeDatahubTopics
            | Action::DescribeTopic
            | Action::DescribeTopicDetail
    )
}

/// The answer's JSON, within the request's deadline.
///
/// # Errors
/// See [`error::topic_read`] and [`error::topic_change`]. A caller without
/// the right learns nothing of instance or topic.
///
/// # Cancellation
/// What Kafka has been asked to do may be done nevertheless.
pub(super) async fn run(
    request: TaskAction,
    shared: &Shared,
    request_id: &str,
) -> Result<HeldJson, ApiError> {
    let run = Run {
        shared,
        caller: &request.caller,
        home: &shared.settings.home_instance,
        deadline: request.request.deadline,
        request_id,
    };
    let decoded = request.encoding.decode(&request.request)?;
    run.action(request.action, decoded.parameters()).await
}

/// What all actions need while they run.
struct Run<'a> {
    shared: &'a Shared,
    caller: &'a Caller,
    home: &'a str,
    deadline: Instant,
    request_id: &'a str,
}

impl Run<'_> {
    async fn action(
        &self,
        action: Action,
        body: RequestParameters<'_>,
    ) -> Result<HeldJson, ApiError> {
        let json = match action {
            Action::CreateDatahubTopic => self.create(body).await,
            Action::DescribeDatahubTopic => self.describe(body).await,
            Action::ModifyDatahubTopic => self.modify(body).await,
            Action::DeleteDatahubTopic => self.delete(body).await,
            Action::DescribeDatahubTopics => return self.list_datahub(body).await,
            Action::DescribeTopicDetail => return self.list_details(body).await,
            _ => return self.list(body).await,
        };
        json.map(HeldJson::from)
    }

    async fn create(&self, body: RequestParameters<'_>) -> Result<Vec<u8>, ApiError> {
        let request = CreateDatahubTopic::parse(body)?;
        self.check_change(Action::CreateDatahubTopic, &request.name)?;
        let (name, id) = (request.name.clone(), topic_id(self.home, &request.name));
        let new = TopicCreation {
            name: request.name,
            partitions: request.partition_num,
            retention_ms: request.retention_ms,
            max_message_bytes: request.max_message_bytes,
            note: request.note,
            tags: request.tags.into_iter().map(kept_tag).collect(),
        };
        self.change(self.shared.engine.create_topic(self.home, new))
            .await?;
        let created = CreateTopicAnswer {
            topic_name: &name,
            topic_id: &id,
        };
        Ok(answer::result(&created, self.request_id))
    }

    async fn modify(&self, body: RequestParameters<'_>) -> Result<Vec<u8>, ApiError> {
        let request = ModifyDatahubTopic::parse(body)?;
        self.check_change(Action::ModifyDatahubTopic, &request.name)?;
        let tags = request.tags;
        let change = TopicChange {
            name: request.name,
            retention_ms: Some(request.retention_ms),
            max_message_bytes: request.max_message_bytes,
            partitions: request.partition_num,
            note: request.note,
            tags: tags.map(|tags| tags.into_iter().map(kept_tag).collect()),
        };
        self.change(self.shared.engine.modify_topic(self.home, change))
            .await?;
        Ok(answer::result(&ChangedAnswer::DONE, self.request_id))
    }

    async fn delete(&self, body: RequestParameters<'_>) -> Result<Vec<u8>, ApiError> {
        let name = parse_topic_name(body)?;
        self.check_change(Action::DeleteDatahubTopic, &name)?;
        self.change(self.shared.engine.delete_topic(self.home, &name))
            .await?;
        Ok(answer::result(&ChangedAnswer::DONE, self.request_id))
    }

    async fn describe(&self, body: RequestParameters<'_>) -> Result<Vec<u8>, ApiError> {
        let name = parse_topic_name(body)?;
        self.caller.may(Action::DescribeDatahubTopic)?;
        check_open(self.shared, self.caller, self.home, &name)?;
        let engine = &self.shared.engine;
        let found = self.read(self.home, engine.describe_topic(self.home, &name));
        let (topic, settings) = shown(self.home, found.await?);
        let address = self
            .read(self.home, async { engine.bootstrap_address(self.home) })
            .await?;
        let answer = DatahubTopicAnswer::new(&topic, &settings, &address);
        Ok(answer::result(&answer, self.request_id))
    }

    async fn list_datahub(&self, body: RequestParameters<'_>) -> Result<HeldJson, ApiError> {
        let request = DescribeDatahubTopics::parse(body)?;
        self.caller.may(Action::DescribeDatahubTopics)?;
        let topics = self.topics(self.home).await?;
        let matching = topics.into_iter().filter(|(_, view)| request.matches(view));
        let matching: Vec<_> = matching.collect();
        let total = matching.len();
        let page = request.page.of(matching).into_iter();
        let page = self.settings(self.home, page.map(|(topic, _)| topic).collect());
        let answer = page.await?;
        let answer = DatahubTopicsAnswer::new(total, &answer);
        HeldJson::list(&answer, self.shared, self.request_id)
    }

    async fn list(&self, body: RequestParameters<'_>) -> Result<HeldJson, ApiError> {
        let request = DescribeTopic::parse(body)?;
        self.caller.may(Action::DescribeTopic)?;
        let topics = self.topics(&request.instance).await?;
        let views = topics.iter().map(|(_, view)| view);
        let matching: Vec<_> = views.filter(|view| request.matches(view)).collect();
        let total = matching.len();
        let answer = TopicsAnswer::new(total, request.page.of(matching));
        HeldJson::list(&answer, self.shared, self.request_id)
    }

    async fn list_details(&self, body: RequestParameters<'_>) -> Result<HeldJson, ApiError> {
        let request = DescribeTopicDetail::parse(body)?;
        self.caller.may(Action::DescribeTopicDetail)?;
        let mut topics = self.topics(&request.instance).await?;
        topics.retain(|(_, view)| request.matches(view));
        topics.sort_by(|(_, a), (_, b)| request.compare(a, b));
        let total = topics.len();
        let page = request.page.of(topics).into_iter();
        let page = page.map(|(topic, _)| topic).collect();
        let page = self.settings(&request.instance, page).await?;
        let answer = TopicDetailsAnswer::new(total, &page);
        HeldJson::list(&answer, self.shared, self.request_id)
    }

    /// The topics of an instance that the caller may see, by name.
    async fn topics(&self, instance: &str) -> Result<Vec<(TopicSummary, TopicView)>, ApiError> {
        let open: OpenTopics = open_topics(self.shared, self.caller, instance)?;
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.read(instance, self.shared.engine.list_topics(instance));
        let all = all.await?.into_iter();
        let seen = all.filter(|topic| open.hold(&topic.name));
        Ok(seen
            .map(|topic| {
                let view = view(instance, &topic);
                (topic, view)
            })
            .collect())
    }

    async fn settings(
        &self,
        instance: &str,
        page: Vec<TopicSummary>,
    ) -> Result<Vec<Shown>, ApiError> {
        let described = self.shared.engine.describe_topics(instance, page);
        let described = self.read(instance, described).await?;
        let shown = described.into_iter().map(|topic| shown(instance, topic));
        Ok(shown.collect())
    }

    /// Whether the caller may change the topic, and whether who uses it is
    /// known.
    fn check_change(&self, action: Action, topic: &str) -> Result<(), ApiError> {
        self.caller.may(action)?;
        check_open(self.shared, self.caller, self.home, topic)?;
        match self.shared.engine.registry_status().loaded {
            true => Ok(()),
            false => Err(error::not_stored(
                "the tasks have not been read from Kafka yet",
            )),
        }
    }

    async fn read<T>(
        &self,
        instance: &str,
        reading: impl Future<Output = Result<T, TopicAdminError>>,
    ) -> Result<T, ApiError> {
        match timeout_at(self.deadline, reading).await {
            Ok(read) => read.map_err(|refusal| error::topic_read(refusal, instance)),
            Err(_) => Err(error::unreadable_now("no answer within the deadline")),
        }
    }

    async fn change(
        &self,
        changing: impl Future<Output = Result<(), TopicAdminError>>,
    ) -> Result<(), ApiError> {
        match timeout_at(self.deadline, changing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(TopicAdminError::InUse { topic, tasks })) => {
                let ids = tasks.iter().map(|task| (task.as_str(), task.datahub_id()));
                let seen = ids.filter(|(_, datahub)| self.caller.sees(datahub.as_str()));
                let seen: Vec<_> = seen.map(|(task, _)| task).collect();
                Err(error::topic_in_use(&topic, &seen, tasks.len()))
            }
            Ok(Err(refusal)) => Err(error::topic_change(refusal, self.home)),
            Err(_) => Err(error::outcome_unknown("no answer within the deadline")),
        }
    }
}

fn kept_tag(tag: Tag) -> task::Tag {
    task::Tag {
        key: tag.key,
        value: tag.value,
    }
}

fn view(instance: &str, topic: &TopicSummary) -> TopicView {
    let tag = |tag: &task::Tag| Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    let notes = &topic.notes;
    TopicView {
        name: topic.name.clone(),
        topic_id: topic_id(instance, &topic.name),
        partitions: topic.partitions,
        replicas: topic.replicas,
        note: notes.note.clone(),
        tags: notes.tags.iter().map(tag).collect(),
        created_ms: notes.created_ms,
        retention_set_ms: notes.retention_set_ms,
    }
}

fn shown(instance: &str, topic: TopicDescription) -> Shown {
    let text = |name: &str| topic.settings.get(name).cloned();
    let settings = TopicSettings {
        retention_ms: topic.number("retention.ms"),
        min_insync_replicas: topic.number("min.insync.replicas"),
        cleanup_policy: text("cleanup.policy"),
        segment_ms: topic.number("segment.ms"),
        segment_bytes: topic.number("segment.bytes"),
        retention_bytes: topic.number("retention.bytes"),
        max_message_bytes: topic.number("max.message.bytes"),
        unclean_leader_election: text("unclean.leader.election.enable")
            .map(|value| value == "true"),
        timestamp_type: text("message.timestamp.type"),
    };
    (view(instance, &topic.summary), settings)
}
