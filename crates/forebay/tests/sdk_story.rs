//! The story of the vendor's guide, told by the genuine Python SDK: create a
//! task, send, find the messages in Kafka, pause, resume, restart, delete.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use forebay_api::MessageId;
use forebay_testkit::{KafkaCluster, SdkSession, kafka_or_skip, python_sdk_or_skip};
use harness::{Replica, SECRET_ID, SECRET_KEY, new_task};
use serde_json::{Value, json};

async fn call(session: &SdkSession, action: &str, parameters: Value) -> Value {
    let line = session.call(action, &parameters.to_string()).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

async fn ok(session: &SdkSession, action: &str, parameters: Value) -> Value {
    let answer = call(session, action, parameters).await;
    assert!(answer.get("ok").is_some(), "{action}: {answer}");
    answer["ok"].clone()
}

async fn refused(session: &SdkSession, action: &str, parameters: Value) -> (String, String) {
    let answer = call(session, action, parameters).await;
    let error = answer
        .get("error")
        .unwrap_or_else(|| panic!("{action} was not refused: {answer}"));
    assert_eq!(
        error["requestId"].as_str().map(str::len),
        Some(36),
        "{answer}"
    );
    (
        error["code"].as_str().unwrap().to_owned(),
        error["message"].as_str().unwrap().to_owned(),
    )
}

fn session(replica: &Replica, python: &forebay_testkit::PythonSdk) -> SdkSession {
    python
        .session(&replica.running.api.to_string(), SECRET_ID, SECRET_KEY)
        .unwrap()
}

#[actix_web::test]
async fn the_guides_story_told_by_the_genuine_sdk() {
    let (Some(home), Some(python)) = (kafka_or_skip(), python_sdk_or_skip()) else {
        return;
    };
    let cluster = KafkaCluster::shared(&home).await;
    let topic = "topicDev";
    cluster.create_topic(topic, 5, 1, &[]).await.unwrap();
    let registry = |config: &mut forebay::config::Config| {
        config.registry.topic = "__sdk_story_tasks".to_owned();
    };
    let replica = Replica::start_on(&cluster.bootstrap(), registry).await;
    replica.await_ready().await;
    let sdk = session(&replica, &python);

    let parameters: Value = serde_json::from_str(&new_task("story", topic)).unwrap();
    let created = ok(&sdk, "CreateDatahubTask", parameters.clone()).await;
    let task = created["Result"]["TaskId"].as_str().unwrap().to_owned();
    let datahub = created["Result"]["DatahubId"].as_str().unwrap().to_owned();
    assert_eq!(task.replace("task-", "datahub-"), datahub);
    let (code, _) = refused(&sdk, "CreateDatahubTask", parameters).await;
    assert_eq!(code, "InvalidParameterValue.RepetitionValue");

    // Text that each SDK escapes its own way, keys, and an empty body.
    let bodies = [
        "plain",
        "json {\"a\": \"<b>&c\"}",
        "你好 é 🦀 \u{7f}\n\t\"",
        "",
    ];
    let messages: Vec<_> = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| match index % 2 {
            0 => json!({"Body": body, "Key": format!("键-{index}")}),
            _ => json!({"Body": body, "Key": ""}),
        })
        .collect();
    let send = json!({"DataHubId": datahub, "Message": messages});
    let sent = ok(&sdk, "SendMessage", send.clone()).await;
    let ids: Vec<MessageId> = sent["MessageId"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids.len(), bodies.len());
    let stored = python
        .dump_topic(&cluster.direct_bootstrap(), topic)
        .await
        .unwrap();
    assert_eq!(stored.len(), bodies.len());
    for (index, (id, body)) in ids.iter().zip(bodies).enumerate() {
        assert_eq!(
            (id.datahub_id.as_str(), id.topic.as_str()),
            (datahub.as_str(), topic)
        );
        let record = stored
            .iter()
            .find(|record| (record.partition, record.offset) == (id.partition, id.offset))
            .unwrap_or_else(|| panic!("nothing at {id}"));
        assert_eq!(record.value.as_deref(), Some(body.as_bytes()));
        let key = (index % 2 == 0).then(|| format!("键-{index}").into_bytes());
        assert_eq!(
            record.key.as_deref(),
            key.as_deref(),
            "an empty key is no key"
        );
        assert_eq!(record.timestamp, id.received_ms);
        assert!(id.received_ms <= id.sent_ms);
    }

    let by_id = json!({"TaskId": task});
    ok(&sdk, "PauseDatahubTask", by_id.clone()).await;
    let suspended = (
        "FailedOperation".to_owned(),
        format!("task status suspended [{datahub}]"),
    );
    assert_eq!(refused(&sdk, "SendMessage", send.clone()).await, suspended);
    ok(&sdk, "PauseDatahubTask", by_id.clone()).await;
    let described = ok(&sdk, "DescribeDatahubTask", by_id.clone()).await;
    assert_eq!(described["Result"]["Status"], 6, "{described}");

    // A restart keeps the state.
    drop(sdk);
    replica.stop().await;
    let replica = Replica::start_on(&cluster.bootstrap(), registry).await;
    replica.await_ready().await;
    let sdk = session(&replica, &python);
    assert_eq!(refused(&sdk, "SendMessage", send.clone()).await, suspended);

    ok(&sdk, "ResumeDatahubTask", by_id.clone()).await;
    let sent = ok(&sdk, "SendMessage", send.clone()).await;
    assert_eq!(sent["MessageId"].as_array().unwrap().len(), bodies.len());
    ok(&sdk, "RestartDatahubTask", by_id.clone()).await;
    let changed = json!({"TaskId": task, "TaskName": "renamed", "Description": "二"});
    ok(&sdk, "ModifyDatahubTask", changed).await;
    let listed = ok(&sdk, "DescribeDatahubTasks", json!({"SearchWord": "renam"})).await;
    let list = &listed["Result"];
    assert_eq!(
        (&list["TotalCount"], &list["TaskList"][0]["Status"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(list["TaskList"][0]["Description"], "二");

    ok(&sdk, "DeleteDatahubTask", by_id.clone()).await;
    let (code, message) = refused(&sdk, "SendMessage", send).await;
    assert_eq!(code, "ResourceNotFound");
    assert!(message.contains(&datahub), "{message}");
    let stored = python
        .dump_topic(&cluster.direct_bootstrap(), topic)
        .await
        .unwrap();
    assert_eq!(
        stored.len(),
        2 * bodies.len(),
        "refused messages are not stored"
    );
    replica.stop().await;
}
