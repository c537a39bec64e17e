//! The `Result` of the task actions.
//!
//! Every field of the SDKs' models is there, with the value that the vendor's samples show for an
//! HTTP task: typed models are then never missing one, and Go's strict decoder finds numbers where
//! it wants numbers.

use serde::Serialize;

use super::target::{TargetKind, TaskTarget};
use super::view::{Tag, TaskStatus, TaskView};
use crate::utc_time::format_utc;

/// `null`, for parameters of features that HTTP access does not have.
type Null = ();

/// A list that is always empty.
type Empty = [(); 0];

/// `CreateDatahubTaskRes`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateTaskAnswer<'t> {
    /// `task-xxxxxxxx`.
    pub task_id: &'t str,
    /// `datahub-xxxxxxxx`.
    pub datahub_id: &'t str,
}

/// `DatahubTaskIdRes`: the answer to Modify-, Delete-, Pause-, Resume- and RestartDatahubTask.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskIdAnswer<'t> {
    /// `task-xxxxxxxx`.
    pub task_id: &'t str,
    /// `datahub-xxxxxxxx`.
    pub datahub_id: &'t str,
}

/// `DescribeDatahubTaskRes`, made from a [`TaskView`].
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeTaskAnswer<'t> {
    task_id: &'t str,
    task_name: &'t str,
    task_type: &'static str,
    status: TaskStatus,
    source_resource: Resource<'t>,
    target_resource: Resource<'t>,
    connections: Empty,
    create_time: String,
    transform_param: Null,
    datahub_id: &'t str,
    schema_id: &'static str,
    schema_name: &'static str,
    transforms_param: Null,
    error_message: &'t str,
    tags: &'t [Tag],
    description: &'t str,
    isolate_status: i64,
    task_max: i64,
    sync_throttle_limit: i64,
    auto_expand_flag: bool,
    warn_message: &'t str,
}

impl<'t> From<&'t TaskView> for DescribeTaskAnswer<'t> {
    fn from(task: &'t TaskView) -> Self {
        Self {
            task_id: &task.task_id,
            task_name: &task.name,
            task_type: "SOURCE",
            status: task.status,
            source_resource: Resource::http(),
            target_resource: Resource::of(&task.target, task.target.partition_num),
            connections: [],
            create_time: create_time(task),
            transform_param: (),
            datahub_id: &task.datahub_id,
            schema_id: "",
            schema_name: "",
            transforms_param: (),
            error_message: &task.error_message,
            tags: &task.tags,
            description: &task.description,
            isolate_status: 1,
            task_max: task.task_max,
            sync_throttle_limit: task.sync_throttle_limit,
            auto_expand_flag: task.auto_expand,
            warn_message: &task.warn_message,
        }
    }
}

/// `DescribeDatahubTasksRes`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeTasksAnswer<'t> {
    total_count: usize,
    task_list: Vec<TaskInfo<'t>>,
}

impl<'t> DescribeTasksAnswer<'t> {
    /// The answer with this page; `total` counts the tasks of all pages.
    pub fn new(total: usize, page: impl IntoIterator<Item = &'t TaskView>) -> Self {
        Self {
            total_count: total,
            task_list: page.into_iter().map(TaskInfo::from).collect(),
        }
    }
}

/// `DatahubTaskInfo`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TaskInfo<'t> {
    task_id: &'t str,
    task_name: &'t str,
    task_type: &'static str,
    status: TaskStatus,
    source_resource: Resource<'t>,
    target_resource: Resource<'t>,
    create_time: String,
    error_message: &'t str,
    task_progress: f64,
    task_current_step: &'static str,
    datahub_id: &'t str,
    step_list: Empty,
    description: &'t str,
    task_max: i64,
    sync_throttle_limit: i64,
    auto_expand_flag: bool,
    warn_message: &'t str,
}

impl<'t> From<&'t TaskView> for TaskInfo<'t> {
    fn from(task: &'t TaskView) -> Self {
        Self {
            task_id: &task.task_id,
            task_name: &task.name,
            task_type: "SOURCE",
            status: task.status,
            source_resource: Resource::http(),
            // The vendor's list has no partition counts.
            target_resource: Resource::of(&task.target, None),
            create_time: create_time(task),
            error_message: &task.error_message,
            task_progress: 100.0,
            task_current_step: "FINISH",
            datahub_id: &task.datahub_id,
            step_list: [],
            description: &task.description,
            task_max: task.task_max,
            sync_throttle_limit: task.sync_throttle_limit,
            auto_expand_flag: task.auto_expand,
            warn_message: &task.warn_message,
        }
    }
}

fn create_time(task: &TaskView) -> String {
    format_utc(task.created_ms.div_euclid(1000))
}

/// `DatahubResource`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource<'t> {
    r#type: &'static str,
    kafka_param: Option<KafkaParam<'t>>,
    event_bus_param: Null,
    #[serde(rename = "MongoDBParam")]
    mongo_db_param: Null,
    es_param: Null,
    tdw_param: Null,
    dts_param: Null,
    click_house_param: Null,
    cls_param: Null,
    cos_param: Null,
    #[serde(rename = "MySQLParam")]
    my_sql_param: Null,
    #[serde(rename = "PostgreSQLParam")]
    postgre_sql_param: Null,
    topic_param: Option<TopicParam<'t>>,
    #[serde(rename = "MariaDBParam")]
    maria_db_param: Null,
    #[serde(rename = "SQLServerParam")]
    sql_server_param: Null,
    ctsdb_param: Null,
    scf_param: Null,
    mqtt_param: Null,
    iceberg_param: Null,
}

impl<'t> Resource<'t> {
    fn http() -> Self {
        Self {
            r#type: "HTTP",
            ..Self::default()
        }
    }

    fn of(target: &'t TaskTarget, partition_num: Option<i32>) -> Self {
        let mut resource = Self {
            r#type: target.kind.as_str(),
            ..Self::default()
        };
        match target.kind {
            TargetKind::Kafka => {
                resource.kafka_param = Some(KafkaParam::of(target, partition_num));
            }
            TargetKind::Topic => resource.topic_param = Some(TopicParam::of(target)),
        }
        resource
    }
}

/// `KafkaParam`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct KafkaParam<'t> {
    self_built: bool,
    resource: &'t str,
    topic: &'t str,
    offset_type: Null,
    start_time: Null,
    resource_name: &'t str,
    zone_id: Null,
    topic_id: Null,
    partition_num: Option<i32>,
    enable_toleration: Null,
    qps_limit: u64,
    table_mappings: Null,
    use_table_mapping: bool,
    use_auto_create_topic: bool,
    compression_type: &'static str,
    msg_multiple: i64,
    connector_sync_type: &'static str,
    keep_partition: bool,
    topic_regular_expression: &'static str,
    prefix: &'static str,
    separator: &'static str,
    topic_list: Empty,
}

impl<'t> KafkaParam<'t> {
    fn of(target: &'t TaskTarget, partition_num: Option<i32>) -> Self {
        let instance = target.instance.as_deref().unwrap_or_default();
        Self {
            self_built: false,
            resource: instance,
            topic: &target.topic,
            offset_type: (),
            start_time: (),
            // Instances have no display names here.
            resource_name: instance,
            zone_id: (),
            topic_id: (),
            partition_num,
            enable_toleration: (),
            qps_limit: target.qps_limit,
            table_mappings: (),
            use_table_mapping: false,
            use_auto_create_topic: target.auto_create_topic,
            compression_type: "none",
            msg_multiple: 1,
            connector_sync_type: "",
            keep_partition: false,
            topic_regular_expression: "",
            prefix: "",
            separator: "",
            topic_list: [],
        }
    }
}

/// `TopicParam`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TopicParam<'t> {
    resource: &'t str,
    offset_type: Null,
    start_time: Null,
    topic_id: &'static str,
    compression_type: &'static str,
    use_auto_create_topic: bool,
    msg_multiple: i64,
}

impl<'t> TopicParam<'t> {
    fn of(target: &'t TaskTarget) -> Self {
        Self {
            resource: &target.topic,
            offset_type: (),
            start_time: (),
            topic_id: "",
            compression_type: "none",
            use_auto_create_topic: target.auto_create_topic,
            msg_multiple: 1,
        }
    }
}
