use serde_json::{Value, json};

use super::*;

fn create(request: &Value) -> Result<CreateDatahubTask, ApiError> {
    CreateDatahubTask::parse(request.to_string().as_bytes())
}

fn kafka() -> Value {
    json!({
        "TaskName": "web-1.a_b", "TaskType": "SOURCE", "SourceResource": {"Type": "HTTP"},
        "TargetResource": {"Type": "KAFKA", "KafkaParam": {
            "SelfBuilt": false, "Resource": "ckafka-forebay0", "Topic": "topicDev", "PartitionNum": 3,
            "QpsLimit": 2000, "UseAutoCreateTopic": true}},
    })
}

fn topic() -> Value {
    json!({
        "TaskName": "t", "TaskType": "SOURCE", "SourceResource": {"Type": "HTTP"},
        "TargetResource": {"Type": "TOPIC", "TopicParam": {"Resource": "1250000000-logs"}},
    })
}

/// `request` with the value at a JSON pointer replaced or, by `None`, removed.
fn with(mut request: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = request
        .pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    request
}

#[test]
fn a_kafka_target() {
    let task = create(&kafka()).unwrap();
    assert_eq!((&*task.name, &*task.description), ("web-1.a_b", ""));
    assert_eq!(
        task.target,
        TaskTarget {
            kind: TargetKind::Kafka,
            instance: Some("ckafka-forebay0".to_owned()),
            topic: "topicDev".to_owned(),
            partition_num: Some(3),
            auto_create_topic: true,
            qps_limit: 2000,
        }
    );
    assert!(task.tags.is_empty());
}

#[test]
fn a_topic_target_with_description_and_tags() {
    let request = with(topic(), "/Description", Some(json!("é")));
    let tags = json!([{"TagKey": "k", "TagValue": "v"}, {"TagKey": "only"}]);
    let task = create(&with(request, "/Tags", Some(tags))).unwrap();
    assert_eq!(task.target.kind, TargetKind::Topic);
    assert_eq!(task.target.instance, None);
    assert_eq!(task.target.topic, "1250000000-logs");
    assert_eq!(task.target.partition_num, None);
    assert!(!task.target.auto_create_topic);
    assert_eq!(task.description, "é");
    let tags: Vec<_> = task.tags.iter().map(|t| (&*t.key, &*t.value)).collect();
    assert_eq!(tags, [("k", "v"), ("only", "")]);
}

#[test]
fn what_asks_for_nothing_is_accepted() {
    let mut request = kafka();
    for (pointer, value) in [
        ("/TransformParam", json!(null)),
        ("/TransformsParam", json!({"Content": "", "FieldChain": []})),
        ("/SchemaId", json!("")),
        ("/Tags", json!(null)),
        ("/Description", json!(null)),
        ("/Whatever", json!([1, {"a": 2}])),
        ("/TargetResource/KafkaParam/MsgMultiple", json!(1)),
        ("/TargetResource/KafkaParam/CompressionType", json!("none")),
        ("/TargetResource/KafkaParam/TopicList", json!([])),
        ("/TargetResource/KafkaParam/UseTableMapping", json!(false)),
        ("/TargetResource/KafkaParam/OffsetType", json!("latest")),
        ("/TargetResource/KafkaParam/SelfBuilt", json!(null)),
        ("/TargetResource/EsParam", json!(null)),
    ] {
        request = with(request, pointer, Some(value));
    }
    assert_eq!(create(&request), create(&kafka()));
}

#[track_caller]
fn assert_refused(request: &Value, code: ErrorCode, field: &str) {
    let error = create(request).expect_err("must be refused");
    assert_eq!(error.code, code, "{error}");
    assert!(error.message.contains(field), "{error} lacks {field}");
}

#[test]
fn required_fields_are_named() {
    for (request, pointer, field) in [
        (kafka(), "/TaskName", "TaskName"),
        (kafka(), "/TaskType", "TaskType"),
        (kafka(), "/SourceResource", "SourceResource"),
        (kafka(), "/SourceResource/Type", "SourceResource.Type"),
        (kafka(), "/TargetResource", "TargetResource"),
        (kafka(), "/TargetResource/Type", "TargetResource.Type"),
        (
            kafka(),
            "/TargetResource/KafkaParam",
            "TargetResource.KafkaParam",
        ),
        (
            kafka(),
            "/TargetResource/KafkaParam/Resource",
            "TargetResource.KafkaParam.Resource",
        ),
        (
            kafka(),
            "/TargetResource/KafkaParam/Topic",
            "TargetResource.KafkaParam.Topic",
        ),
        (
            topic(),
            "/TargetResource/TopicParam",
            "TargetResource.TopicParam",
        ),
        (
            topic(),
            "/TargetResource/TopicParam/Resource",
            "TargetResource.TopicParam.Resource",
        ),
    ] {
        for absent in [None, Some(json!(null))] {
            let request = with(request.clone(), pointer, absent);
            assert_refused(&request, ErrorCode::MissingParameter, field);
        }
        // Of the wrong type.
        let request = with(request, pointer, Some(json!(5)));
        assert_refused(&request, ErrorCode::InvalidParameter, field);
    }
}

#[test]
fn values_out_of_range_are_named() {
    let code = ErrorCode::InvalidParameterValue;
    for name in [
        "1a",
        "-a",
        "a b",
        "é",
        "a/b",
        &"a".repeat(65),
        &"a".repeat(1 << 19),
    ] {
        assert_refused(
            &with(kafka(), "/TaskName", Some(json!(name))),
            code,
            "TaskName",
        );
    }
    for topic in [".", "..", "a b", "a:b", &"x".repeat(250)] {
        let request = with(
            kafka(),
            "/TargetResource/KafkaParam/Topic",
            Some(json!(topic)),
        );
        assert_refused(&request, code, "KafkaParam.Topic");
    }
    for number in [0, -1, 501, i64::MAX] {
        let request = with(
            kafka(),
            "/TargetResource/KafkaParam/PartitionNum",
            Some(json!(number)),
        );
        assert_refused(&request, code, "PartitionNum: expected 1 to 500");
    }
    let long = json!("x".repeat(4097));
    assert_refused(
        &with(kafka(), "/Description", Some(long)),
        code,
        "Description",
    );
    let tags = json!(vec![json!({"TagKey": "k"}); 51]);
    assert_refused(&with(kafka(), "/Tags", Some(tags)), code, "Tags");
    let tags = json!([{"TagKey": "k", "TagValue": "v".repeat(256)}]);
    assert_refused(
        &with(kafka(), "/Tags", Some(tags)),
        code,
        "Tags[0].TagValue",
    );
}

#[test]
fn wrong_types_are_named() {
    let code = ErrorCode::InvalidParameter;
    for (pointer, value) in [
        ("/TargetResource/KafkaParam/QpsLimit", json!(-1)),
        ("/TargetResource/KafkaParam/QpsLimit", json!("2000")),
        ("/TargetResource/KafkaParam/PartitionNum", json!(1.5)),
        (
            "/TargetResource/KafkaParam/UseAutoCreateTopic",
            json!("true"),
        ),
        ("/TargetResource/KafkaParam/UseTableMapping", json!(1)),
        ("/Description", json!([])),
        ("/Tags", json!({})),
    ] {
        let field = pointer[1..].replace('/', ".");
        assert_refused(&with(kafka(), pointer, Some(value)), code, &field);
    }
    // Positional arrays, which derived serde shapes would take for objects.
    let request = with(kafka(), "/SourceResource", Some(json!(["HTTP"])));
    assert_refused(&request, code, "SourceResource");
}

#[test]
fn features_forebay_does_not_have_are_refused_by_name() {
    let code = ErrorCode::UnsupportedOperation;
    for (pointer, value) in [
        ("/TaskType", json!("SINK")),
        ("/SourceResource/Type", json!("KAFKA")),
        ("/TargetResource/Type", json!("ES")),
        ("/TransformParam", json!({"AnalysisFormat": "JSON"})),
        ("/TransformsParam", json!({"Content": "x"})),
        ("/SchemaId", json!("schema-1")),
        ("/TaskId", json!("task-aaaaaaaa")),
        ("/TargetResource/KafkaParam/SelfBuilt", json!(true)),
        ("/TargetResource/KafkaParam/UseTableMapping", json!(true)),
        ("/TargetResource/KafkaParam/EnableToleration", json!(true)),
        ("/TargetResource/KafkaParam/KeepPartition", json!(true)),
        ("/TargetResource/KafkaParam/TopicList", json!(["a"])),
        ("/TargetResource/KafkaParam/Topic", json!("a,b")),
        (
            "/TargetResource/KafkaParam/Topic",
            json!("__consumer_offsets"),
        ),
        ("/TargetResource/KafkaParam/CompressionType", json!("open")),
        ("/TargetResource/KafkaParam/MsgMultiple", json!(2)),
    ] {
        let field = pointer[1..].replace('/', ".");
        assert_refused(&with(kafka(), pointer, Some(value)), code, &field);
    }
    let internal = Some(json!("__forebay_tasks"));
    let request = with(topic(), "/TargetResource/TopicParam/Resource", internal);
    assert_refused(&request, code, "TopicParam.Resource");
}

#[test]
fn task_id_requests() {
    assert_eq!(
        parse_task_id(br#"{"TaskId":"task-aaaaaaaa","X":1}"#).unwrap(),
        "task-aaaaaaaa"
    );
    for (body, code) in [
        (&b"{}"[..], ErrorCode::MissingParameter),
        (br#"{"TaskId":""}"#, ErrorCode::MissingParameter),
        (br#"{"TaskId":null}"#, ErrorCode::MissingParameter),
        (br#"{"TaskId":7}"#, ErrorCode::InvalidParameter),
        (b"", ErrorCode::InvalidParameter),
    ] {
        assert_eq!(parse_task_id(body).unwrap_err().code, code);
    }
}

#[test]
fn modify_requests() {
    let parse = |body: Value| ModifyDatahubTask::parse(body.to_string().as_bytes());
    let task = parse(
        json!({"TaskId": "task-aaaaaaaa", "TaskName": "n", "Description": "",
        "TasksMax": 2, "SyncThrottleLimit": 5, "AutoExpandFlag": false}),
    )
    .unwrap();
    assert_eq!(task.name.as_deref(), Some("n"));
    assert_eq!(task.description.as_deref(), Some(""));
    assert_eq!(
        (task.tasks_max, task.sync_throttle_limit),
        (Some(2), Some(5))
    );
    assert_eq!(task.auto_expand, Some(false));
    let nothing = parse(json!({"TaskId": "t", "TaskName": "", "TasksMax": null})).unwrap();
    assert_eq!(
        (nothing.name, nothing.description, nothing.tasks_max),
        (None, None, None)
    );
    for (body, code) in [
        (json!({"TaskName": "n"}), ErrorCode::MissingParameter),
        (
            json!({"TaskId": "t", "TaskName": "1"}),
            ErrorCode::InvalidParameterValue,
        ),
        (
            json!({"TaskId": "t", "TasksMax": 0}),
            ErrorCode::InvalidParameterValue,
        ),
        (
            json!({"TaskId": "t", "AutoExpandFlag": "no"}),
            ErrorCode::InvalidParameter,
        ),
    ] {
        assert_eq!(parse(body).unwrap_err().code, code);
    }
}

fn view(task_id: &str, name: &str, request: &Value) -> TaskView {
    TaskView {
        task_id: task_id.to_owned(),
        datahub_id: task_id.replace("task-", "datahub-"),
        name: name.to_owned(),
        description: "d".to_owned(),
        status: TaskStatus::Running,
        target: create(request).unwrap().target,
        created_ms: 1_733_300_543_999,
        tags: vec![Tag {
            key: "k".to_owned(),
            value: "v".to_owned(),
        }],
        task_max: 1,
        sync_throttle_limit: 20,
        auto_expand: true,
        error_message: String::new(),
        warn_message: String::new(),
    }
}

#[test]
fn filters_and_pages() {
    let tasks = [
        view("task-aaaaaaa1", "Orders", &kafka()),
        view("task-aaaaaaa2", "border", &topic()),
        view("task-aaaaaaa3", "clicks", &kafka()),
    ];
    let found = |request: Value| {
        let request = DescribeDatahubTasks::parse(request.to_string().as_bytes()).unwrap();
        let (total, page) = request.page(&tasks);
        (
            total,
            page.iter()
                .map(|task| task.name.as_str())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(found(json!({})), (3, vec!["Orders", "border", "clicks"]));
    assert_eq!(
        found(json!({"SearchWord": "oRDER"})),
        (2, vec!["Orders", "border"])
    );
    assert_eq!(found(json!({"Limit": 1, "Offset": 1})), (3, vec!["border"]));
    assert_eq!(found(json!({"Limit": 0})), (3, vec![]));
    assert_eq!(found(json!({"Offset": 9})), (3, vec![]));
    assert_eq!(
        found(json!({"TargetType": "TOPIC", "SearchWord": ""})),
        (1, vec!["border"])
    );
    assert_eq!(
        found(json!({"Resource": "ckafka-forebay0"})),
        (2, vec!["Orders", "clicks"])
    );
    assert_eq!(found(json!({"TaskType": "SINK"})), (0, vec![]));
    assert_eq!(found(json!({"SourceType": "HTTP"})).0, 3);
    let capped = DescribeDatahubTasks::parse(br#"{"Limit":1000}"#).unwrap();
    assert_eq!(capped.limit, 100);
    let error = DescribeDatahubTasks::parse(br#"{"Offset":-1}"#).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidParameterValue);
}

const RESOURCE_PARAMS: [&str; 18] = [
    "KafkaParam",
    "EventBusParam",
    "MongoDBParam",
    "EsParam",
    "TdwParam",
    "DtsParam",
    "ClickHouseParam",
    "ClsParam",
    "CosParam",
    "MySQLParam",
    "PostgreSQLParam",
    "TopicParam",
    "MariaDBParam",
    "SQLServerParam",
    "CtsdbParam",
    "ScfParam",
    "MqttParam",
    "IcebergParam",
];

fn resource(kind: &str, param: &str, value: Value) -> Value {
    let mut resource = json!({ "Type": kind });
    for name in RESOURCE_PARAMS {
        resource[name] = Value::Null;
    }
    if !param.is_empty() {
        resource[param] = value;
    }
    resource
}

#[test]
fn the_full_description_to_the_letter() {
    let mut task = view("task-y9799wbn", "web", &kafka());
    task.status = TaskStatus::Paused;
    let kafka_param = json!({
        "SelfBuilt": false, "Resource": "ckafka-forebay0", "Topic": "topicDev", "OffsetType": null,
        "StartTime": null, "ResourceName": "ckafka-forebay0", "ZoneId": null, "TopicId": null,
        "PartitionNum": 3, "EnableToleration": null, "QpsLimit": 2000, "TableMappings": null,
        "UseTableMapping": false, "UseAutoCreateTopic": true, "CompressionType": "none",
        "MsgMultiple": 1, "ConnectorSyncType": "", "KeepPartition": false,
        "TopicRegularExpression": "", "Prefix": "", "Separator": "", "TopicList": [],
    });
    assert_eq!(
        serde_json::to_value(DescribeTaskAnswer::from(&task)).unwrap(),
        json!({
            "TaskId": "task-y9799wbn", "TaskName": "web", "TaskType": "SOURCE", "Status": 6,
            "SourceResource": resource("HTTP", "", Value::Null),
            "TargetResource": resource("KAFKA", "KafkaParam", kafka_param),
            "Connections": [], "CreateTime": "2024-12-04 08:22:23", "TransformParam": null,
            "DatahubId": "datahub-y9799wbn", "SchemaId": "", "SchemaName": "",
            "TransformsParam": null, "ErrorMessage": "",
            "Tags": [{"TagKey": "k", "TagValue": "v"}], "Description": "d", "IsolateStatus": 1,
            "TaskMax": 1, "SyncThrottleLimit": 20, "AutoExpandFlag": true, "WarnMessage": "",
        })
    );
}

#[test]
fn the_list_to_the_letter() {
    let task = view("task-y9799wbn", "web", &topic());
    let topic_param = json!({
        "Resource": "1250000000-logs", "OffsetType": null, "StartTime": null, "TopicId": "",
        "CompressionType": "none", "UseAutoCreateTopic": false, "MsgMultiple": 1,
    });
    assert_eq!(
        serde_json::to_value(DescribeTasksAnswer::new(7, [&task])).unwrap(),
        json!({"TotalCount": 7, "TaskList": [{
            "TaskId": "task-y9799wbn", "TaskName": "web", "TaskType": "SOURCE", "Status": 1,
            "SourceResource": resource("HTTP", "", Value::Null),
            "TargetResource": resource("TOPIC", "TopicParam", topic_param),
            "CreateTime": "2024-12-04 08:22:23", "ErrorMessage": "", "TaskProgress": 100.0,
            "TaskCurrentStep": "FINISH", "DatahubId": "datahub-y9799wbn", "StepList": [],
            "Description": "d", "TaskMax": 1, "SyncThrottleLimit": 20, "AutoExpandFlag": true,
            "WarnMessage": "",
        }]})
    );
    let task = view("task-y9799wbn", "web", &kafka());
    let in_list = serde_json::to_value(DescribeTasksAnswer::new(1, [&task])).unwrap();
    let param = &in_list["TaskList"][0]["TargetResource"]["KafkaParam"];
    assert_eq!(param["PartitionNum"], Value::Null, "as the vendor's list");
}

#[test]
fn ids_in_answers() {
    let ids = json!({"TaskId": "task-aaaaaaaa", "DatahubId": "datahub-aaaaaaaa"});
    let (task_id, datahub_id) = ("task-aaaaaaaa", "datahub-aaaaaaaa");
    assert_eq!(
        serde_json::to_value(CreateTaskAnswer {
            task_id,
            datahub_id
        })
        .unwrap(),
        ids
    );
    assert_eq!(
        serde_json::to_value(TaskIdAnswer {
            task_id,
            datahub_id
        })
        .unwrap(),
        ids
    );
}
