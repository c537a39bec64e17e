//! The embedded broker's disk is full: refused at once, and clearly.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::Duration;

use forebay_testkit::{SmallDisk, await_condition};
use harness::{LIMIT, Replica, one_message};
use serde_json::json;

const QUICKSTART: &str = "datahub-forebay0";

#[actix_web::test]
async fn messages_are_not_stored_for_certain_until_there_is_space() {
    let Some(disk) = SmallDisk::mount_or_skip(24) else {
        return;
    };
    let folder = tempfile::tempdir_in(disk.path()).unwrap();
    let replica = Replica::start_embedded_in(folder, |config| {
        config.delivery.deadline = Duration::from_secs(2);
    })
    .await;
    replica.await_ready().await;
    let small = one_message(QUICKSTART);
    let stored = replica.call("SendMessage", &small).await.response();
    assert!(stored.get("Error").is_none(), "{stored}");

    disk.fill_up("rest", 100_000);
    let large = "v".repeat(500_000);
    let large = json!({"DataHubId": QUICKSTART, "Message": [{"Body": large}]}).to_string();
    // Of the first ones nobody can say more than that they are not acknowledged.
    await_condition(LIMIT, "the disk is found to be full", async || {
        let (code, message) = replica.call("SendMessage", &large).await.error();
        match code.as_str() {
            "FailedOperation" => assert!(message.starts_with("delivery unknown: "), "{message}"),
            _ => assert_eq!(code, "ResourceUnavailable.KafkaStorageError", "{message}"),
        }
        message.starts_with("not stored: the disk of the embedded broker is full")
    })
    .await
    .unwrap();
    let (code, message) = replica.call("SendMessage", &small).await.error();
    assert_eq!(code, "ResourceUnavailable.KafkaStorageError", "{message}");
    assert_eq!(replica.admin("/readyz").await.status, 503);
    // Tasks can be looked at and topics deleted nevertheless.
    let task = json!({"TaskId": "task-forebay0"}).to_string();
    let described = replica.call("DescribeDatahubTask", &task).await.response();
    assert_eq!(described["Result"]["Status"], 1, "{described}");

    disk.free("rest");
    await_condition(LIMIT, "messages are stored again", async || {
        let response = replica.call("SendMessage", &large).await.response();
        response.get("Error").is_none()
    })
    .await
    .unwrap();
    replica.await_ready().await;
    replica.stop().await;
}
