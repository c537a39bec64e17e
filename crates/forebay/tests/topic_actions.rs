//! Topics made, changed, listed and deleted through the API.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::{Duration, Instant};

use forebay_testkit::{KafkaCluster, Options, kafka_or_skip};
use harness::{
    Answer, LIMIT, Replica, SECRET_ID, SECRET_KEY, credential, now, signed_head, with_body,
};
use serde_json::{Value, json};

/// May use one access point only.
const SCOPED_ID: &str = "AKIDscoped";
const SCOPED_KEY: &str = "scoped-key";

async fn call(replica: &Replica, action: &str, body: Value) -> Answer {
    replica.call(action, &body.to_string()).await
}

/// `Result` of an answer without an error.
async fn done(replica: &Replica, action: &str, body: Value) -> Value {
    let response = call(replica, action, body.clone()).await.response();
    assert!(
        response.get("Error").is_none(),
        "{action} {body}: {response}"
    );
    response["Result"].clone()
}

/// The code of the refusal, whose message names all of these.
async fn refused(replica: &Replica, action: &str, body: Value, named: &[&str]) -> String {
    let (code, message) = call(replica, action, body).await.error();
    for name in named {
        assert!(message.contains(name), "{name}: {message}");
    }
    code
}

async fn create(replica: &Replica, name: &str, partitions: i32) {
    let body = json!({"Name": name, "PartitionNum": partitions, "RetentionMs": 3_600_000});
    done(replica, "CreateDatahubTopic", body).await;
}

fn names(result: &Value, field: &str) -> Vec<String> {
    let list = result["TopicList"].as_array().unwrap().iter();
    list.map(|topic| topic[field].as_str().unwrap().to_owned())
        .collect()
}

async fn send(replica: &Replica, datahub: &str, count: usize, len: usize) -> Value {
    let body = "x".repeat(len);
    let message = |number| json!({"Key": format!("key-{number}"), "Body": body});
    let messages: Vec<_> = (0..count).map(message).collect();
    let request = json!({"DataHubId": datahub, "Message": messages});
    call(replica, "SendMessage", request).await.response()
}

fn partitions_of(sent: &Value) -> Vec<i64> {
    let ids = sent["MessageId"].as_array();
    let ids = ids.unwrap_or_else(|| panic!("not sent: {sent}")).iter();
    ids.map(|id| id.as_str().unwrap().split(':').nth(2).unwrap())
        .map(|partition| partition.parse().unwrap())
        .collect()
}

const JSON_OK: &str = r#"{"Data":null,"ReturnCode":"0","ReturnMessage":"ok"}"#;

/// From its creation to its deletion, with a task that uses it.
async fn a_topics_life(replica: &Replica, name: &str) {
    let body = json!({
        "Name": name, "PartitionNum": 3, "RetentionMs": 120_000, "MaxMessageBytes": 4096,
        "Note": "of-all-shops", "Tags": [{"TagKey": "team", "TagValue": "shop"}],
    });
    let before = now();
    let created = done(replica, "CreateDatahubTopic", body.clone()).await;
    assert_eq!(created["TopicName"], name);
    let id = created["TopicId"].as_str().unwrap().to_owned();
    assert!(
        id.starts_with("topic-") && id.len() == "topic-".len() + 8,
        "{id}"
    );
    let code = refused(replica, "CreateDatahubTopic", body, &[name]).await;
    assert_eq!(code, "InvalidParameter.TopicExist");

    // Usable at once, within its settings.
    let (task, datahub) = replica.create_task(&format!("task-of-{name}"), name).await;
    assert_eq!(
        partitions_of(&send(replica, &datahub, 1, 100).await).len(),
        1
    );
    let large = send(replica, &datahub, 1, 5000).await;
    assert_eq!(large["Error"]["Code"], "InvalidParameterValue", "{large}");
    let code = refused(
        replica,
        "DeleteDatahubTopic",
        json!({ "Name": name }),
        &[name, &task],
    )
    .await;
    assert_eq!(code, "ResourceInUse");

    let described = done(replica, "DescribeDatahubTopic", json!({ "Name": name })).await;
    let address = described["Address"].as_str().unwrap();
    assert!(address.contains(':'), "{address}");
    assert_eq!(
        described,
        json!({"Name": name, "TopicName": name, "TopicId": id, "PartitionNum": 3,
            "RetentionMs": 120_000, "Note": "of-all-shops", "UserName": "", "Password": "",
            "Status": 1, "Address": address, "MaxMessageBytes": 4096})
    );

    let fewer = json!({"Name": name, "RetentionMs": 60_000, "PartitionNum": 2});
    let code = refused(
        replica,
        "ModifyDatahubTopic",
        fewer,
        &["PartitionNum", "3", "2"],
    )
    .await;
    assert_eq!(code, "InvalidParameterValue");
    let unchanged = done(replica, "DescribeDatahubTopic", json!({ "Name": name })).await;
    assert_eq!(unchanged, described, "a refusal changes nothing");
    let more = json!({"Name": name, "RetentionMs": 60_000, "PartitionNum": 5,
        "MaxMessageBytes": 1_000_000, "Note": "now-larger"});
    for _ in 0..2 {
        let changed = done(replica, "ModifyDatahubTopic", more.clone()).await;
        assert_eq!(changed.to_string(), JSON_OK);
    }
    let sent = partitions_of(&send(replica, &datahub, 200, 5000).await);
    assert!(sent.iter().any(|partition| *partition >= 3), "{sent:?}");

    let request = json!({"InstanceId": "ckafka-forebay0", "SearchWord": name});
    let details = done(replica, "DescribeTopicDetail", request.clone()).await;
    assert_eq!(details["TotalCount"], 1, "{details}");
    let detail = &details["TopicList"][0];
    for (field, value) in [
        ("/TopicName", json!(name)),
        ("/TopicId", json!(id)),
        ("/PartitionNum", json!(5)),
        ("/ReplicaNum", json!(1)),
        ("/Note", json!("now-larger")),
        ("/Status", json!(0)),
        ("/Tags", json!([{"TagKey": "team", "TagValue": "shop"}])),
        ("/Config/Retention", json!(60_000)),
        ("/Config/MaxMessageBytes", json!(1_000_000)),
        ("/Config/CleanUpPolicy", json!("delete")),
        ("/Config/UncleanLeaderElectionEnable", json!(0)),
        ("/RetentionTimeConfig/Current", json!(1)),
    ] {
        assert_eq!(detail.pointer(field), Some(&value), "{field}: {detail}");
    }
    let created = detail["CreateTime"].as_i64().unwrap();
    assert!((before..=now()).contains(&created), "{created}");
    let changed = detail["RetentionTimeConfig"]["ModTimeStamp"].as_i64();
    assert!(changed.unwrap() / 1000 >= created, "{detail}");
    let listed = done(replica, "DescribeTopic", request).await;
    assert_eq!(
        listed,
        json!({"TotalCount": 1, "TopicList":
            [{"TopicId": id, "TopicName": name, "Note": "now-larger"}]})
    );

    done(replica, "DeleteDatahubTask", json!({ "TaskId": task })).await;
    let deleted = done(replica, "DeleteDatahubTopic", json!({ "Name": name })).await;
    assert_eq!(deleted.to_string(), JSON_OK);
    let again = json!({"Name": name, "RetentionMs": 60_000});
    for action in [
        "DescribeDatahubTopic",
        "ModifyDatahubTopic",
        "DeleteDatahubTopic",
    ] {
        let code = refused(replica, action, again.clone(), &[name]).await;
        assert_eq!(code, "ResourceNotFound", "{action}");
    }
    create(replica, name, 1).await;
    let anew = done(replica, "DescribeDatahubTopic", json!({ "Name": name })).await;
    assert_eq!(
        (&anew["Note"], &anew["PartitionNum"]),
        (&json!(""), &json!(1)),
        "nothing of its predecessor"
    );
}

/// Pages, orders, searches; `prefix` tells these topics from others.
async fn topics_are_listed(replica: &Replica, prefix: &str) {
    for (name, partitions) in [("c", 1), ("a", 3), ("b", 2)] {
        create(replica, &format!("{prefix}-{name}"), partitions).await;
    }
    let suffixes = |result: &Value, field: &str| {
        let names = names(result, field);
        let suffixes = names.iter().map(|name| name.rsplit('-').next().unwrap());
        suffixes.collect::<String>()
    };
    let datahub = async |more: Value| {
        let mut body = json!({ "SearchWord": prefix.to_uppercase() });
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        let result = done(replica, "DescribeDatahubTopics", body).await;
        let total = result["TotalCount"].as_i64().unwrap();
        (total, suffixes(&result, "Name"))
    };
    assert_eq!(datahub(json!({})).await, (3, "abc".to_owned()));
    let page = datahub(json!({"Offset": 1, "Limit": 1})).await;
    assert_eq!(page, (3, "b".to_owned()));
    assert_eq!(datahub(json!({"Offset": 3})).await, (3, String::new()));
    let pattern = datahub(json!({"TopicRegularExpression": "-[ac]$"})).await;
    assert_eq!(pattern, (2, "ac".to_owned()));

    let details = async |more: Value| {
        let mut body = json!({"InstanceId": "ckafka-forebay0", "SearchWord": prefix});
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        let result = done(replica, "DescribeTopicDetail", body).await;
        suffixes(&result, "TopicName")
    };
    let by_partitions = json!({"OrderBy": "PartitionNum", "OrderType": 1});
    assert_eq!(details(by_partitions).await, "abc");
    let by_partitions = json!({"OrderBy": "PartitionNum", "Limit": 2, "Offset": 1});
    assert_eq!(details(by_partitions).await, "ba");
    let three = json!({"Filters": [{"Name": "ReplicaNum", "Values": ["3"]}]});
    assert_eq!(details(three).await, "");
    let upper = prefix.to_uppercase();
    assert_eq!(details(json!({ "SearchWord": upper })).await, "");
    let ignoring = json!({"SearchWord": upper, "SearchWordIgnoreCaseFlag": true});
    assert_eq!(details(ignoring).await.len(), 3);

    for (action, limit) in [("DescribeTopic", 50), ("DescribeTopicDetail", 1000)] {
        let all = json!({"InstanceId": "ckafka-forebay0", "Limit": limit});
        let all = names(&done(replica, action, all).await, "TopicName");
        assert!(all.len() >= 3 && all.iter().all(|name| !name.starts_with("__")));
        let elsewhere = json!({"InstanceId": "ckafka-other"});
        let code = refused(replica, action, elsewhere, &["ckafka-other"]).await;
        assert_eq!(code, "InvalidParameterValue.InstanceNotExist");
    }
}

#[actix_web::test]
async fn topics_of_the_embedded_broker() {
    let replica = Replica::start_embedded().await;
    replica.await_ready().await;
    a_topics_life(&replica, "1250000000-orders").await;
    topics_are_listed(&replica, "listed").await;
    replica.stop().await;
}

#[actix_web::test]
async fn topics_of_apache_kafka() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    let replica = Replica::start_on(&cluster.bootstrap(), |config| {
        config.registry.topic = "__tasks_topics".to_owned();
    })
    .await;
    replica.await_ready().await;
    a_topics_life(&replica, "topics-orders").await;
    topics_are_listed(&replica, "topics-listed").await;
    replica.stop().await;
}

/// Where brokers learn of a change at different times.
#[actix_web::test]
async fn what_was_answered_holds_at_once_on_three_nodes() {
    let Some(home) = kafka_or_skip() else { return };
    let options = Options::three_nodes().property("default.replication.factor", 3);
    let cluster = KafkaCluster::start(&home, options).await.unwrap();
    let replica = Replica::start_on(&cluster.bootstrap(), |_| {}).await;
    replica.await_ready().await;
    for name in ["first", "second", "third"] {
        create(&replica, name, 6).await;
        let body = json!({ "Name": name });
        let found = done(&replica, "DescribeDatahubTopic", body.clone()).await;
        assert_eq!(found["PartitionNum"], 6);
        let search = json!({"InstanceId": "ckafka-forebay0", "SearchWord": name});
        let detail = done(&replica, "DescribeTopicDetail", search).await;
        assert_eq!(
            detail["TopicList"][0]["ReplicaNum"], 3,
            "as the cluster's default"
        );
        let (task, datahub) = replica.create_task(name, name).await;
        partitions_of(&send(&replica, &datahub, 100, 10).await);
        let more = json!({"Name": name, "RetentionMs": 60_000, "PartitionNum": 9});
        done(&replica, "ModifyDatahubTopic", more).await;
        let found = done(&replica, "DescribeDatahubTopic", body.clone()).await;
        let numbers = (&found["PartitionNum"], &found["RetentionMs"]);
        assert_eq!(numbers, (&json!(9), &json!(60_000)));
        let sent = partitions_of(&send(&replica, &datahub, 200, 10).await);
        assert!(sent.iter().any(|partition| *partition >= 6), "{sent:?}");
        done(&replica, "DeleteDatahubTask", json!({ "TaskId": task })).await;
        done(&replica, "DeleteDatahubTopic", body.clone()).await;
        let code = refused(&replica, "DescribeDatahubTopic", body, &[name]).await;
        assert_eq!(code, "ResourceNotFound");
    }
    replica.stop().await;
}

#[actix_web::test]
async fn notes_survive_a_restart() {
    let replica = Replica::start_embedded().await;
    replica.await_ready().await;
    let body = json!({"Name": "noted", "PartitionNum": 1, "RetentionMs": 60_000, "Note": "kept"});
    done(&replica, "CreateDatahubTopic", body).await;
    let request = json!({"InstanceId": "ckafka-forebay0", "SearchWord": "noted"});
    let before = done(&replica, "DescribeTopicDetail", request.clone()).await;
    assert_eq!(before["TopicList"][0]["Note"], "kept");
    let Replica { running, folder } = replica;
    running.stop().await;
    let replica = Replica::start_embedded_in(folder, |_| {}).await;
    replica.await_ready().await;
    let after = done(&replica, "DescribeTopicDetail", request).await;
    assert_eq!(after, before);
    replica.stop().await;
}

#[actix_web::test]
async fn internal_topics_are_there_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    // A name that does not say what it is.
    let replica = Replica::start_embedded_in(folder, |config| {
        config.registry.topic = "of-the-registry".to_owned();
    })
    .await;
    replica.await_ready().await;
    for name in ["__consumer_offsets", "__mine", "of-the-registry"] {
        let body = json!({"Name": name, "PartitionNum": 1, "RetentionMs": 60_000});
        for action in [
            "CreateDatahubTopic",
            "DescribeDatahubTopic",
            "ModifyDatahubTopic",
            "DeleteDatahubTopic",
        ] {
            let code = refused(&replica, action, body.clone(), &[name]).await;
            assert_eq!(code, "UnsupportedOperation", "{action} {name}");
        }
        let place = json!({"InstanceId": "ckafka-forebay0", "Topic": name, "Partition": 0,
            "Offset": 0});
        let code = refused(&replica, "FetchMessageByOffset", place, &[name]).await;
        assert_eq!(code, "UnsupportedOperation", "{name}");
        let task = harness::new_task("internal", name);
        let (code, _) = replica.call("CreateDatahubTask", &task).await.error();
        assert_eq!(code, "UnsupportedOperation", "{name}");
    }
    let listed = done(&replica, "DescribeDatahubTopics", json!({"Limit": 100})).await;
    assert_eq!(names(&listed, "Name"), ["quickstart"]);
    replica.stop().await;
}

#[actix_web::test]
async fn a_scope_opens_its_tasks_topics_only() {
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::start_embedded_in(folder, |config| {
        let scope = "datahubs = [\"datahub-forebay0\"]";
        let both =
            credential(SECRET_ID, SECRET_KEY, "") + &credential(SCOPED_ID, SCOPED_KEY, scope);
        std::fs::write(config.auth.credentials.as_ref().unwrap(), both).unwrap();
    })
    .await;
    replica.await_ready().await;
    create(&replica, "others", 1).await;
    let as_scoped = async |action: &str, body: Value| {
        let body = body.to_string();
        let head = signed_head(action, body.as_bytes(), now(), SCOPED_ID, SCOPED_KEY);
        let answer = replica.send(&with_body(head, body.as_bytes())).await;
        answer.response()
    };
    let instance = json!({"InstanceId": "ckafka-forebay0"});
    for (action, body, field) in [
        ("DescribeDatahubTopics", json!({}), "Name"),
        ("DescribeTopic", instance.clone(), "TopicName"),
        ("DescribeTopicDetail", instance, "TopicName"),
    ] {
        let listed = as_scoped(action, body).await;
        assert_eq!(names(&listed["Result"], field), ["quickstart"], "{action}");
        assert_eq!(listed["Result"]["TotalCount"], 1, "{action}");
    }
    // An instance none of its tasks writes to, known or not, has nothing for it.
    let other = as_scoped("DescribeTopic", json!({"InstanceId": "ckafka-x"})).await;
    assert_eq!(other["Result"], json!({"TopicList": [], "TotalCount": 0}));
    let own = json!({"Name": "quickstart", "RetentionMs": 7_200_000, "Note": "mine"});
    let changed = as_scoped("ModifyDatahubTopic", own).await;
    assert!(changed.get("Error").is_none(), "{changed}");
    let shown = as_scoped("DescribeDatahubTopic", json!({"Name": "quickstart"})).await;
    assert_eq!(shown["Result"]["Note"], "mine", "{shown}");
    for name in ["others", "absent"] {
        for action in [
            "CreateDatahubTopic",
            "DescribeDatahubTopic",
            "ModifyDatahubTopic",
            "DeleteDatahubTopic",
        ] {
            let body = json!({"Name": name, "PartitionNum": 1, "RetentionMs": 60_000});
            let told = as_scoped(action, body).await;
            let code = &told["Error"]["Code"];
            assert_eq!(
                code, "AuthFailure.UnauthorizedOperation",
                "{action} {name}: {told}"
            );
        }
    }
    let all = done(&replica, "DescribeDatahubTopics", json!({})).await;
    assert_eq!(names(&all, "Name"), ["others", "quickstart"]);
    replica.stop().await;
}

#[actix_web::test]
async fn without_kafka_the_answers_come_in_time() {
    let replica = Replica::start(|config| {
        config.delivery.deadline = Duration::from_secs(2);
    })
    .await;
    let started = Instant::now();
    let body = json!({"Name": "t", "PartitionNum": 1, "RetentionMs": 60_000,
        "InstanceId": "ckafka-forebay0"});
    for (action, start) in [
        ("CreateDatahubTopic", "not stored: "),
        ("ModifyDatahubTopic", "not stored: "),
        ("DeleteDatahubTopic", "not stored: "),
        ("DescribeDatahubTopic", "cannot read now: "),
        ("DescribeDatahubTopics", "cannot read now: "),
        ("DescribeTopic", "cannot read now: "),
        ("DescribeTopicDetail", "cannot read now: "),
    ] {
        let (code, message) = call(&replica, action, body.clone()).await.error();
        assert_eq!(
            code, "ResourceUnavailable.KafkaStorageError",
            "{action}: {message}"
        );
        assert!(message.starts_with(start), "{action}: {message}");
    }
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    replica.stop().await;
}
