//! What a task's description tells of its topic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use harness::Replica;
use serde_json::{Value, json};

async fn done(replica: &Replica, action: &str, body: Value) -> Value {
    let response = replica.call(action, &body.to_string()).await.response();
    assert!(response.get("Error").is_none(), "{action}: {response}");
    response["Result"].clone()
}

#[actix_web::test]
async fn a_task_shows_how_many_partitions_its_topic_has_now() {
    let replica = Replica::start_embedded().await;
    let topic = json!({"Name": "orders", "PartitionNum": 3, "RetentionMs": 3_600_000});
    done(&replica, "CreateDatahubTopic", topic).await;
    let (task_id, _) = replica.create_task("orders", "orders").await;
    let id = json!({"TaskId": task_id});
    let described = done(&replica, "DescribeDatahubTask", id.clone()).await;
    let target = &described["TargetResource"]["KafkaParam"];
    assert_eq!(target["PartitionNum"], 3, "{described}");
    assert_eq!(described["ErrorMessage"], "", "{described}");

    let more = json!({"Name": "orders", "PartitionNum": 5, "RetentionMs": 3_600_000});
    done(&replica, "ModifyDatahubTopic", more).await;
    let described = done(&replica, "DescribeDatahubTask", id).await;
    let target = &described["TargetResource"]["KafkaParam"];
    assert_eq!(target["PartitionNum"], 5, "{described}");

    // As the original leaves it out of the list.
    let search = json!({"SearchWord": "orders"});
    let listed = done(&replica, "DescribeDatahubTasks", search).await;
    let target = &listed["TaskList"][0]["TargetResource"]["KafkaParam"];
    assert_eq!(target["PartitionNum"], Value::Null, "{listed}");
    replica.stop().await;
}
