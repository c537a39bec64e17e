//! The limits of a message and of a request, at their very edge, and a Kafka
//! that is stopped. Against a real one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::{Duration, Instant};

use forebay_api::MessageId;
use forebay_testkit::{KafkaCluster, Options, await_condition, kafka_or_skip};
use harness::{
    LIMIT, Replica, SECRET_ID, SECRET_KEY, new_task, now, one_message, signed_head, with_chunks,
};
use serde_json::{Value, json};

/// Kafka's default of `max.message.bytes`.
const MAX_MESSAGE_BYTES: usize = 1_048_588;

/// What a batch of one keyless record needs beside a value of about a MiB:
/// 61 bytes of header, 3 of length, 1 of attributes, 1 of timestamp and 1 of
/// offset, 1 for the null key, 3 of the value's length, 1 for no headers.
const OVERHEAD: usize = 72;

fn send(datahub: &str, bodies: &[String]) -> String {
    let messages: Vec<Value> = bodies.iter().map(|body| json!({ "Body": body })).collect();
    json!({"DataHubId": datahub, "Message": messages}).to_string()
}

fn ids(response: &Value) -> Vec<MessageId> {
    let list = response["MessageId"].as_array();
    let list = list.unwrap_or_else(|| panic!("not accepted: {response}"));
    list.iter()
        .map(|id| id.as_str().unwrap().parse().unwrap())
        .collect()
}

#[actix_web::test]
async fn a_message_may_fill_its_topics_limit_and_a_request_several_batches() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    cluster.create_topic("limits", 3, 1, &[]).await.unwrap();
    let replica = Replica::start_on(&cluster.bootstrap(), |config| {
        config.registry.topic = "__tasks_limits".to_owned();
    })
    .await;
    replica.await_ready().await;
    let (_, datahub) = replica.create_task("limits", "limits").await;

    let largest = "x".repeat(MAX_MESSAGE_BYTES - OVERHEAD);
    let sent = replica
        .call(
            "SendMessage",
            &send(&datahub, std::slice::from_ref(&largest)),
        )
        .await;
    assert_eq!(ids(&sent.response()).len(), 1);
    let larger = format!("{largest}x");
    let (code, message) = replica
        .call("SendMessage", &send(&datahub, &[larger]))
        .await
        .error();
    assert_eq!(code, "InvalidParameterValue", "{message}");
    assert!(
        message.contains("1048588") && message.contains("1048589"),
        "{message}"
    );

    // All keyless: one partition, more than one batch, offsets in order.
    let bodies: Vec<String> = (0..7)
        .map(|index| format!("{index}{}", "y".repeat(700_000)))
        .collect();
    let sent = ids(&replica
        .call("SendMessage", &send(&datahub, &bodies))
        .await
        .response());
    assert_eq!(sent.len(), bodies.len());
    let records = cluster.read_all("limits").await.unwrap();
    assert_eq!(
        records.len(),
        1 + bodies.len(),
        "what was refused is not stored"
    );
    for (index, (id, body)) in sent.iter().zip(&bodies).enumerate() {
        assert_eq!(id.partition, sent[0].partition);
        assert_eq!(id.offset, sent[0].offset + index as i64);
        let record = records
            .iter()
            .find(|record| (record.partition, record.offset) == (id.partition, id.offset));
        assert_eq!(record.unwrap().value.as_deref(), Some(body.as_bytes()));
    }
    replica.stop().await;
}

#[actix_web::test]
async fn chunked_bodies_are_stored_and_the_qps_limit_holds() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    cluster.create_topic("limited", 1, 1, &[]).await.unwrap();
    let replica = Replica::start_on(&cluster.bootstrap(), |config| {
        config.registry.topic = "__tasks_limited".to_owned();
    })
    .await;
    replica.await_ready().await;
    let (_, free) = replica.create_task("free", "limited").await;
    let body = one_message(&free);
    let head = signed_head("SendMessage", body.as_bytes(), now(), SECRET_ID, SECRET_KEY);
    let chunked = replica.send(&with_chunks(head, body.as_bytes(), 7)).await;
    assert_eq!(ids(&chunked.response()).len(), 1);

    let mut limited: Value = serde_json::from_str(&new_task("limited", "limited")).unwrap();
    limited["TargetResource"]["KafkaParam"]["QpsLimit"] = json!(1);
    let created = replica
        .call("CreateDatahubTask", &limited.to_string())
        .await
        .response();
    let datahub = created["Result"]["DatahubId"].as_str().unwrap();
    let begun = Instant::now();
    let mut accepted = 0;
    let mut refused = 0;
    for _ in 0..20 {
        let answer = replica.call("SendMessage", &one_message(datahub)).await;
        if answer.response()["Error"].is_null() {
            accepted += 1;
            continue;
        }
        let (code, message) = answer.error();
        assert_eq!(code, "RequestLimitExceeded", "{message}");
        assert!(message.contains("QpsLimit of 1"), "{message}");
        refused += 1;
    }
    // Counts and sizes come before the limit.
    let too_large = send(datahub, &["x".repeat(MAX_MESSAGE_BYTES)]);
    let (code, _) = replica.call("SendMessage", &too_large).await.error();
    assert_eq!(code, "InvalidParameterValue");
    let seconds = begun.elapsed().as_secs();
    assert!(
        (1..=2 + seconds).contains(&accepted),
        "{accepted} in {seconds} s"
    );
    assert!(seconds >= 18 || refused > 0, "20 requests in {seconds} s");
    let stored = cluster.read_all("limited").await.unwrap().len() as u64;
    assert_eq!(stored, 1 + accepted, "what was refused is not stored");
    let shed = replica.metric("forebay_shed_total{reason=\"qps\"}").await;
    assert!(shed >= Some(f64::from(refused)), "{shed:?}");
    replica.stop().await;
}

#[actix_web::test]
async fn a_stopped_kafka_is_refused_within_the_deadline_and_used_again_when_back() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::start(&home, Options::one_node())
        .await
        .unwrap();
    cluster.create_topic("stopped", 2, 1, &[]).await.unwrap();
    let replica = Replica::start_on(&cluster.bootstrap(), |config| {
        config.delivery.deadline = Duration::from_secs(4);
    })
    .await;
    replica.await_ready().await;
    let (_, datahub) = replica.create_task("stopped", "stopped").await;
    let before = replica
        .call("SendMessage", &one_message(&datahub))
        .await
        .response();
    assert_eq!(ids(&before).len(), 1);

    cluster.term(0).await.unwrap();
    let begun = Instant::now();
    let (code, message) = replica
        .call("SendMessage", &one_message(&datahub))
        .await
        .error();
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(code, "ResourceUnavailable.KafkaStorageError", "{message}");
    assert!(message.starts_with("not stored: "), "{message}");
    let (code, message) = replica
        .call("PauseDatahubTask", r#"{"TaskId":"task-aaaaaaaa"}"#)
        .await
        .error();
    assert!(!code.is_empty() && !message.is_empty());

    cluster.restart(0).unwrap();
    cluster.await_ready().await.unwrap();
    await_condition(LIMIT, "messages to flow again", async || {
        let answer = replica.call("SendMessage", &one_message(&datahub)).await;
        answer.response()["Error"].is_null()
    })
    .await
    .unwrap();
    let stored = cluster.read_all("stopped").await.unwrap().len();
    assert_eq!(stored, 2, "one before, one after, none of those refused");
    replica.stop().await;
    cluster.shutdown().await.unwrap();
}
