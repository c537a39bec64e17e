//! The genuine SDKs call every action there is, and their typed answers are
//! filled.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::collections::BTreeSet;

use forebay_api::Action;
use forebay_testkit::{Sdk, SdkSession, sdk_or_skip};
use harness::{Replica, SECRET_ID, SECRET_KEY};
use serde_json::{Value, json};

/// A session, and what was called in it.
struct Caller {
    session: SdkSession,
    called: BTreeSet<String>,
    /// Only the Python client tells which fields of a typed answer are empty.
    tells_unfilled: bool,
}

impl Caller {
    async fn call(&mut self, action: &str, parameters: Value) -> Value {
        self.called.insert(action.to_owned());
        let parameters = parameters.to_string();
        let line = self.session.call(action, &parameters).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// `Result`, whose typed fields are all there but for those named.
    async fn ok(&mut self, action: &str, parameters: Value, unfilled: &[&str]) -> Value {
        let answer = self.call(action, parameters).await;
        let ok = answer.get("ok");
        let ok = ok.unwrap_or_else(|| panic!("{action}: {answer}"));
        let id = ok["RequestId"].as_str();
        assert_eq!(id.map(str::len), Some(36), "{action}: {answer}");
        if self.tells_unfilled {
            assert_eq!(answer["unfilled"], json!(unfilled), "{action}: {answer}");
        }
        match action {
            "SendMessage" => ok["MessageId"].clone(),
            _ => ok["Result"].clone(),
        }
    }

    async fn refused(&mut self, action: &str, parameters: Value) -> String {
        let answer = self.call(action, parameters).await;
        let code = answer["error"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{action}: {answer}"))
            .to_owned()
    }
}

/// Null in the vendor's own samples of an HTTP task.
const NO_OTHER_RESOURCE: [&str; 17] = [
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
    "MariaDBParam",
    "SQLServerParam",
    "CtsdbParam",
    "ScfParam",
    "MqttParam",
    "IcebergParam",
    "TopicParam",
];

fn same(value: &Value, expected: Value) {
    assert_eq!(value, &expected);
}

async fn topics(sdk: &mut Caller) {
    let new = json!({"Name": "orders", "PartitionNum": 2, "RetentionMs": 3_600_000,
        "Note": "of-all-shops", "Tags": [{"TagKey": "team", "TagValue": "shop"}]});
    let created = sdk.ok("CreateDatahubTopic", new.clone(), &[]).await;
    same(&created["TopicName"], json!("orders"));
    let id = created["TopicId"].clone();
    let code = sdk.refused("CreateDatahubTopic", new).await;
    assert_eq!(code, "InvalidParameter.TopicExist");
    let name = json!({"Name": "orders"});
    let found = sdk.ok("DescribeDatahubTopic", name.clone(), &[]).await;
    for (field, expected) in [
        ("Name", json!("orders")),
        ("TopicName", json!("orders")),
        ("TopicId", id.clone()),
        ("PartitionNum", json!(2)),
        ("RetentionMs", json!(3_600_000)),
        ("Note", json!("of-all-shops")),
        ("Status", json!(1)),
    ] {
        assert_eq!(found[field], expected, "{field}: {found}");
    }
    let change = json!({"Name": "orders", "RetentionMs": 7_200_000, "Note": "changed"});
    let changed = sdk.ok("ModifyDatahubTopic", change, &["Result.Data"]).await;
    same(&changed["ReturnCode"], json!("0"));
    let listed = json!({"SearchWord": "orde", "Limit": 5, "Offset": 0});
    let listed = sdk.ok("DescribeDatahubTopics", listed, &[]).await;
    same(&listed["TotalCount"], json!(1));
    same(&listed["TopicList"][0]["RetentionMs"], json!(7_200_000));
    let on_instance = json!({"InstanceId": "ckafka-forebay0", "SearchWord": "orders"});
    let listed = sdk.ok("DescribeTopic", on_instance.clone(), &[]).await;
    same(&listed["TopicList"][0]["Note"], json!("changed"));
    let listed = sdk.ok("DescribeTopicDetail", on_instance, &[]).await;
    let detail = &listed["TopicList"][0];
    same(&detail["TopicId"], id);
    same(&detail["ReplicaNum"], json!(1));
    same(&detail["Config"]["Retention"], json!(7_200_000));
    same(&detail["RetentionTimeConfig"]["Current"], json!(120));
    same(&detail["Tags"][0]["TagKey"], json!("team"));
}

/// A task on the topic; its TaskId and DatahubId.
async fn task(sdk: &mut Caller) -> (Value, Value) {
    let new = json!({
        "TaskName": "orders", "TaskType": "SOURCE", "SourceResource": {"Type": "HTTP"},
        "TargetResource": {"Type": "KAFKA", "KafkaParam":
            {"SelfBuilt": false, "Resource": "ckafka-forebay0", "Topic": "orders",
                "QpsLimit": 50}},
        "Description": "of all shops",
    });
    let created = sdk.ok("CreateDatahubTask", new, &[]).await;
    let (task, datahub) = (created["TaskId"].clone(), created["DatahubId"].clone());
    let by_id = json!({ "TaskId": task });
    let described = sdk.call("DescribeDatahubTask", by_id.clone()).await;
    let found = &described["ok"]["Result"];
    same(&found["TaskName"], json!("orders"));
    same(&found["Status"], json!(1));
    same(
        &found["TargetResource"]["KafkaParam"]["QpsLimit"],
        json!(50),
    );
    if sdk.tells_unfilled {
        // What HTTP access does not have is null, as in the vendor's samples;
        // everything else is filled.
        let unfilled: Vec<String> = serde_json::from_value(described["unfilled"].clone()).unwrap();
        let allowed = |path: &String| {
            let name = path.rsplit('.').next().unwrap();
            let of_source = path == "Result.SourceResource.KafkaParam";
            let of_kafka = path.starts_with("Result.TargetResource.KafkaParam.");
            let transform = name == "TransformParam" || name == "TransformsParam";
            of_source || of_kafka || transform || NO_OTHER_RESOURCE.contains(&name)
        };
        let more: Vec<_> = unfilled.iter().filter(|path| !allowed(path)).collect();
        assert!(more.is_empty(), "{more:?}");
    }
    let change = json!({"TaskId": task, "Description": "changed"});
    sdk.ok("ModifyDatahubTask", change, &[]).await;
    let search = json!({"SearchWord": "orders"});
    let listed = sdk.call("DescribeDatahubTasks", search).await;
    let listed = &listed["ok"]["Result"];
    same(&listed["TaskList"][0]["Description"], json!("changed"));
    same(&listed["TaskList"][0]["DatahubId"], datahub.clone());
    for action in [
        "PauseDatahubTask",
        "ResumeDatahubTask",
        "RestartDatahubTask",
    ] {
        let changed = sdk.ok(action, by_id.clone(), &[]).await;
        // Java's model of that has no DatahubId.
        assert_eq!(changed["TaskId"], task, "{action}");
    }
    let used = json!({"Name": "orders"});
    let code = sdk.refused("DeleteDatahubTopic", used).await;
    assert_eq!(code, "ResourceInUse");
    (task, datahub)
}

async fn messages(sdk: &mut Caller, datahub: &Value) {
    let send = json!({"DataHubId": datahub, "Message":
        [{"Key": "k", "Body": "one"}, {"Key": "k", "Body": "zwölf"}]});
    let ids = sdk.ok("SendMessage", send, &[]).await;
    let id = ids[1].as_str().unwrap().to_owned();
    let fields: Vec<_> = id.split(':').collect();
    assert_eq!(
        (fields.len(), fields[1], fields[3]),
        (6, "orders", "1"),
        "{id}"
    );
    let partition: i64 = fields[2].parse().unwrap();
    let received: i64 = fields[4].parse().unwrap();
    let of = |more: Value| {
        let mut body = json!({"Partition": partition});
        let fields = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(fields);
        body
    };
    let on_instance = |more: Value| {
        let mut body = of(more);
        body["InstanceId"] = json!("ckafka-forebay0");
        body["Topic"] = json!("orders");
        body
    };
    let by_name = |more: Value| {
        let mut body = of(more);
        body["Name"] = json!("orders");
        body
    };
    let start = json!({"StartTime": received, "SinglePartitionRecordNumber": 20});
    for (action, parameters) in [
        ("FetchMessageByOffset", on_instance(json!({"Offset": 1}))),
        ("FetchDatahubMessageByOffset", by_name(json!({"Offset": 1}))),
        (
            "FetchMessageListByOffset",
            on_instance(json!({"Offset": 0})),
        ),
        ("FetchMessageListByTimestamp", on_instance(start)),
        (
            "FetchLatestDatahubMessageList",
            by_name(json!({"MessageCount": 5})),
        ),
    ] {
        let found = sdk.ok(action, parameters, &[]).await;
        let last = match found.as_array() {
            Some(list) => {
                assert_eq!(list.len(), 2, "{action}: {found}");
                &list[1]
            }
            None => &found,
        };
        for (field, expected) in [
            ("Topic", json!("orders")),
            ("Partition", json!(partition)),
            ("Offset", json!(1)),
            ("Key", json!("k")),
            ("Value", json!("zwölf")),
            ("Timestamp", json!(received)),
            ("Headers", json!("[]")),
        ] {
            assert_eq!(last[field], expected, "{action} {field}: {found}");
        }
    }
}

/// As the SDK signs by default.
async fn every_action(sdk: Sdk) {
    every_action_by(sdk, "TC3-HMAC-SHA256", "POST").await;
}

async fn every_action_by(sdk: Sdk, sign_method: &str, http_method: &str) {
    let Some(home) = sdk_or_skip(sdk) else { return };
    let replica = Replica::start_embedded().await;
    replica.await_ready().await;
    let endpoint = replica.running.api.to_string();
    let mut caller = Caller {
        session: home
            .session_by(sign_method, http_method, &endpoint, SECRET_ID, SECRET_KEY)
            .unwrap(),
        called: BTreeSet::new(),
        tells_unfilled: matches!(sdk, Sdk::Python),
    };
    topics(&mut caller).await;
    let (task, datahub) = task(&mut caller).await;
    messages(&mut caller, &datahub).await;
    let by_id = json!({ "TaskId": task });
    caller.ok("DeleteDatahubTask", by_id, &[]).await;
    let name = json!({"Name": "orders"});
    let deleted = caller.ok("DeleteDatahubTopic", name.clone(), &["Result.Data"]);
    same(&deleted.await["ReturnCode"], json!("0"));
    let code = caller.refused("DescribeDatahubTopic", name).await;
    assert_eq!(code, "ResourceNotFound");
    let all = Action::ALL.iter().map(|action| action.as_str().to_owned());
    assert_eq!(caller.called, all.collect(), "every action was called");
    replica.stop().await;
}

#[actix_web::test]
async fn by_the_python_sdk() {
    every_action(Sdk::Python).await;
}

#[actix_web::test]
async fn by_the_python_sdk_with_parameters_in_the_query() {
    every_action_by(Sdk::Python, "TC3-HMAC-SHA256", "GET").await;
}

#[actix_web::test]
async fn by_the_python_sdk_with_parameters_in_a_form() {
    every_action_by(Sdk::Python, "HmacSHA1", "POST").await;
}

#[actix_web::test]
async fn by_the_node_sdk() {
    every_action(Sdk::Node).await;
}

#[actix_web::test]
async fn by_the_java_sdk() {
    every_action(Sdk::Java).await;
}

#[actix_web::test]
async fn by_the_go_sdk() {
    every_action(Sdk::Go).await;
}
