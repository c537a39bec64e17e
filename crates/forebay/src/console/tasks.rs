//! Tasks with what they do now: the table, one task, and its charts.

use std::cmp::Ordering;

use actix_web::{HttpResponse, web};
use forebay_api::Action;
use forebay_engine::Engine;
use forebay_engine::activity::{BUCKET_MS, BUCKETS, Rates, Slice, Stage};
use forebay_engine::clock::unix_millis;
use forebay_engine::task::{RunState, Tag, Task};
use serde::{Deserialize, Serialize};

use super::Console;
use super::answer::{Refused, json};
use super::guard::SignedIn;

const MAX_PAGE: usize = 100;

/// Which tasks, in which order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// Part of a name, an id, a topic; in any case.
    #[serde(default)]
    search: String,
    status: Option<Status>,
    #[serde(default)]
    sort: Sort,
    #[serde(default)]
    descending: bool,
    #[serde(default)]
    offset: usize,
    limit: usize,
}

#[derive(Clone, Copy, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Status {
    Running,
    Paused,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sort {
    Name,
    Status,
    Target,
    Rate,
    P99,
    #[default]
    Created,
}

#[derive(Serialize)]
struct Page {
    /// Of those that were searched for.
    total: usize,
    /// Of all that the credential sees.
    running: usize,
    paused: usize,
    /// The tasks have been read from Kafka.
    loaded: bool,
    tasks: Vec<Row>,
}

/// A task, as the table shows it.
#[derive(Serialize)]
struct Row {
    task_id: String,
    datahub_id: String,
    name: String,
    description: String,
    status: Status,
    instance: String,
    topic: String,
    created_ms: i64,
    qps_limit: u64,
    warning: Option<String>,
    messages_per_second: f64,
    bytes_per_second: f64,
    p99_ms: Option<f64>,
}

impl Row {
    fn of(task: &Task, engine: &Engine, now_ms: i64) -> Self {
        let spec = &task.spec;
        let target = &spec.target;
        let metrics = engine.telemetry().known_task(spec.task_id.as_str());
        let rates = metrics.map_or_else(Rates::default, |task| task.activity.now(now_ms));
        Self {
            task_id: spec.task_id.to_string(),
            datahub_id: spec.datahub_id().to_string(),
            name: spec.name.clone(),
            description: spec.description.clone(),
            status: match task.run {
                RunState::Running => Status::Running,
                RunState::Paused => Status::Paused,
            },
            instance: target.instance.clone(),
            topic: target.topic.clone(),
            created_ms: spec.created_ms,
            qps_limit: spec.qps_limit,
            warning: engine.durability_warning(&target.instance, &target.topic),
            messages_per_second: rates.messages_per_second,
            bytes_per_second: rates.bytes_per_second,
            p99_ms: rates.p99_ms,
        }
    }

    fn compare(&self, other: &Self, sort: Sort) -> Ordering {
        let name = || self.name.to_lowercase().cmp(&other.name.to_lowercase());
        let target = |row: &Self| (row.instance.clone(), row.topic.clone());
        let by = match sort {
            Sort::Name => name(),
            Sort::Status => self.status.cmp(&other.status),
            Sort::Target => target(self).cmp(&target(other)),
            Sort::Rate => self
                .messages_per_second
                .total_cmp(&other.messages_per_second),
            // Without requests there is nothing to be slow.
            Sort::P99 => self
                .p99_ms
                .unwrap_or(-1.0)
                .total_cmp(&other.p99_ms.unwrap_or(-1.0)),
            Sort::Created => self.created_ms.cmp(&other.created_ms),
        };
        by.then_with(name)
            .then_with(|| self.task_id.cmp(&other.task_id))
    }
}

fn matches(task: &Task, lower_case_word: &str) -> bool {
    let spec = &task.spec;
    let holds = |text: &str| text.to_lowercase().contains(lower_case_word);
    holds(&spec.name)
        || holds(spec.task_id.as_str())
        || holds(spec.datahub_id().as_str())
        || holds(&spec.target.topic)
        || holds(&spec.target.instance)
}

/// `GET /console/api/tasks`
pub(super) async fn list(
    signed_in: SignedIn,
    console: web::Data<Console>,
    listing: web::Query<Listing>,
) -> Result<HttpResponse, Refused> {
    signed_in.may(Action::DescribeDatahubTasks)?;
    let engine = &console.shared.engine;
    let mut tasks = engine.tasks().all();
    tasks.retain(|task| signed_in.caller.sees(task.spec.datahub_id().as_str()));
    let running = |task: &&Task| task.run == RunState::Running;
    let running = tasks.iter().filter(running).count();
    let paused = tasks.len() - running;
    let word = listing.search.trim().to_lowercase();
    let now_ms = unix_millis();
    let found = tasks.iter().filter(|task| matches(task, &word));
    let mut rows: Vec<_> = found.map(|task| Row::of(task, engine, now_ms)).collect();
    rows.retain(|row| listing.status.is_none_or(|status| status == row.status));
    rows.sort_by(|one, other| {
        let order = one.compare(other, listing.sort);
        if listing.descending {
            order.reverse()
        } else {
            order
        }
    });
    let total = rows.len();
    let limit = listing.limit.clamp(1, MAX_PAGE);
    Ok(json(&Page {
        total,
        running,
        paused,
        loaded: engine.registry_status().loaded,
        tasks: rows.into_iter().skip(listing.offset).take(limit).collect(),
    }))
}

#[derive(Serialize)]
struct Details {
    #[serde(flatten)]
    row: Row,
    target_kind: forebay_engine::task::TargetKind,
    tags: Vec<Tag>,
    /// Totals of each 5 s, oldest first; what is not there is nothing.
    history: Vec<Point>,
    bucket_ms: i64,
    buckets: usize,
    now_ms: i64,
}

/// One bucket of the charts; latencies in milliseconds.
#[derive(Serialize)]
struct Point {
    start_ms: i64,
    messages: u64,
    bytes: u64,
    refusals: [u32; forebay_engine::activity::REFUSALS],
    received_to_sent: [Option<f64>; 2],
    sent_to_acked: [Option<f64>; 2],
}

impl Point {
    fn of(slice: &Slice) -> Self {
        let median_and_p99 = |stage| [0.5, 0.99].map(|share| slice.quantile_ms(stage, share));
        Self {
            start_ms: slice.start_ms,
            messages: slice.messages,
            bytes: slice.bytes,
            refusals: slice.refusals,
            received_to_sent: median_and_p99(Stage::ReceivedToSent),
            sent_to_acked: median_and_p99(Stage::SentToAcked),
        }
    }
}

/// `GET /console/api/tasks/<TaskId>`: the task, and its last 15 minutes on this
/// replica.
pub(super) async fn one(
    signed_in: SignedIn,
    console: web::Data<Console>,
    task_id: web::Path<String>,
) -> Result<HttpResponse, Refused> {
    signed_in.may(Action::DescribeDatahubTask)?;
    let engine = &console.shared.engine;
    let task = super::visible_task(&console.shared, &signed_in, &task_id)?;
    let now_ms = unix_millis();
    let metrics = engine.telemetry().known_task(task.spec.task_id.as_str());
    let history = metrics.map_or_else(Vec::new, |task| task.activity.history(now_ms));
    Ok(json(&Details {
        row: Row::of(&task, engine, now_ms),
        target_kind: task.spec.target.kind,
        tags: task.spec.tags.clone(),
        history: history.iter().map(Point::of).collect(),
        bucket_ms: BUCKET_MS,
        buckets: BUCKETS,
        now_ms,
    }))
}
