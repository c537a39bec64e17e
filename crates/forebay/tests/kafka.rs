//! Against real Apache Kafka: what is answered is what is stored.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::{Duration, Instant};

use forebay_api::MessageId;
use forebay_testkit::{KafkaCluster, Mode, Options, StoredRecord, await_condition, kafka_or_skip};
use harness::{LIMIT, Replica, new_task_with, one_message};
use serde_json::{Value, json};

fn send(datahub: &str, messages: &Value) -> String {
    json!({"DataHubId": datahub, "Message": messages}).to_string()
}

fn ids(answer: &harness::Answer) -> Vec<MessageId> {
    let response = answer.response();
    let Some(list) = response["MessageId"].as_array() else {
        panic!("{}", answer.text());
    };
    list.iter()
        .map(|id| id.as_str().unwrap().parse().unwrap())
        .collect()
}

fn at<'r>(records: &'r [StoredRecord], id: &MessageId) -> &'r StoredRecord {
    records
        .iter()
        .find(|one| one.partition == id.partition && one.offset == id.offset)
        .unwrap_or_else(|| panic!("no record at {id}"))
}

#[actix_web::test]
async fn message_ids_tell_the_truth() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    let replica = Replica::start_on(&cluster.bootstrap(), |config| {
        config.registry.topic = "__tasks_truth".to_owned();
    })
    .await;
    replica.await_ready().await;
    let make = json!({"UseAutoCreateTopic": true, "PartitionNum": 3});
    let (_, datahub) = replica.create_task_with("truth", "truth", &make).await;
    let messages = json!([
        {"Body": "a", "Key": "k1"}, {"Body": "ü\u{1F600}\n", "Key": "k2"},
        {"Body": "", "Key": "k1"}, {"Body": "keyless"}, {"Body": "keyless too", "Key": ""},
    ]);
    let answer = replica
        .call("SendMessage", &send(&datahub, &messages))
        .await;
    let ids = ids(&answer);
    let records = cluster.read_all("truth").await.unwrap();
    assert_eq!(ids.len(), 5);
    assert_eq!(records.len(), 5);
    for (id, message) in ids.iter().zip(messages.as_array().unwrap()) {
        let record = at(&records, id);
        let value = record.value.as_deref().expect("never null");
        assert_eq!(value, message["Body"].as_str().unwrap().as_bytes());
        let key = message["Key"].as_str().filter(|key| !key.is_empty());
        assert_eq!(record.key.as_deref(), key.map(str::as_bytes));
        assert_eq!(record.timestamp, id.received_ms, "CreateTime is *received*");
        assert!(id.sent_ms >= id.received_ms);
        assert_eq!(
            (id.datahub_id.as_str(), id.topic.as_str()),
            (datahub.as_str(), "truth")
        );
    }
    assert_eq!(ids[0].partition, ids[2].partition, "one key, one partition");
    assert!(ids[0].offset < ids[2].offset, "in order");
    assert_eq!(
        ids[3].partition, ids[4].partition,
        "keyless ones stay together"
    );
    replica.stop().await;
}

#[actix_web::test]
async fn refusals_that_need_a_registry() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    let registry = |config: &mut forebay::config::Config| {
        config.registry.topic = "__tasks_refusals".to_owned();
    };
    let replica = Replica::start_on(&cluster.bootstrap(), registry).await;
    replica.await_ready().await;
    let none = json!({});
    let make = json!({"UseAutoCreateTopic": true});
    let (task, datahub) = replica.create_task_with("one", "refusals", &make).await;
    let call = async |action: &str, body: &str| replica.call(action, body).await;
    let elsewhere = json!({"Resource": "ckafka-zzzzzzzz"});
    for (body, code, text) in [
        (
            new_task_with("one", "x", &make),
            "InvalidParameterValue.RepetitionValue",
            "one",
        ),
        (
            new_task_with("two", "missing", &none),
            "ResourceNotFound",
            "missing",
        ),
        (
            new_task_with("two", "__consumer_offsets", &make),
            "UnsupportedOperation",
            "__",
        ),
        (
            new_task_with("two", "x", &elsewhere),
            "InvalidParameterValue.InstanceNotExist",
            "ckafka-zz",
        ),
    ] {
        let (actual, message) = call("CreateDatahubTask", &body).await.error();
        assert_eq!(actual, code, "{message}");
        assert!(message.contains(text), "{message}");
    }
    let (code, _) = call("SendMessage", &one_message("datahub-zzzzzzzz"))
        .await
        .error();
    assert_eq!(code, "ResourceNotFound");
    // On default broker settings a batch has 1048588 bytes.
    let big = json!([{"Body": "fits"}, {"Body": "x".repeat(1 << 20)}]);
    let (code, message) = call("SendMessage", &send(&datahub, &big)).await.error();
    assert_eq!(code, "InvalidParameterValue", "{message}");
    assert!(
        message.contains("Message[1]") && message.contains("1048588"),
        "{message}"
    );

    let id = json!({"TaskId": task}).to_string();
    for _ in 0..2 {
        call("PauseDatahubTask", &id).await.response();
        let (code, message) = call("SendMessage", &one_message(&datahub)).await.error();
        assert_eq!(code, "FailedOperation");
        assert_eq!(message, format!("task status suspended [{datahub}]"));
    }
    // The state is Kafka's: another replica has it, and so has a later one.
    let other = Replica::start_on(&cluster.bootstrap(), registry).await;
    other.await_ready().await;
    let (_, message) = other
        .call("SendMessage", &one_message(&datahub))
        .await
        .error();
    assert!(message.starts_with("task status suspended"), "{message}");
    other.call("ResumeDatahubTask", &id).await.response();
    assert_eq!(
        ids(&other.call("SendMessage", &one_message(&datahub)).await).len(),
        1
    );
    await_condition(LIMIT, "the first replica resumes too", async || {
        let answer = replica.call("SendMessage", &one_message(&datahub)).await;
        answer.response()["Error"].is_null()
    })
    .await
    .unwrap();
    other.stop().await;

    call("DeleteDatahubTask", &id).await.response();
    let (code, _) = call("SendMessage", &one_message(&datahub)).await.error();
    assert_eq!(code, "ResourceNotFound");
    replica.stop().await;
}

#[actix_web::test]
async fn a_topic_deleted_under_a_running_task_is_noticed() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    let replica = Replica::start_on(&cluster.bootstrap(), |config| {
        config.registry.topic = "__tasks_gone".to_owned();
        config.delivery.deadline = Duration::from_secs(5);
    })
    .await;
    replica.await_ready().await;
    let make = json!({"UseAutoCreateTopic": true, "PartitionNum": 1});
    let (task_id, datahub) = replica.create_task_with("gone", "gone", &make).await;
    assert_eq!(
        ids(&replica.call("SendMessage", &one_message(&datahub)).await).len(),
        1
    );
    cluster.delete_topic("gone").await.unwrap();
    await_condition(LIMIT, "the deletion is noticed", async || {
        let answer = replica.call("SendMessage", &one_message(&datahub)).await;
        let error = &answer.response()["Error"];
        error["Code"] == "ResourceNotFound"
    })
    .await
    .unwrap();
    let task = json!({"TaskId": task_id}).to_string();
    let described = replica.call("DescribeDatahubTask", &task).await.response();
    let trouble = described["Result"]["ErrorMessage"].as_str().unwrap();
    assert!(trouble.contains("the topic [gone] is gone"), "{described}");
    replica.stop().await;
}

#[actix_web::test]
async fn a_registry_topic_that_is_lost_leaves_the_last_state_until_there_is_one_again() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    let registry = "__tasks_lost";
    let replica = Replica::start_on(&cluster.bootstrap(), |config| {
        config.registry.topic = registry.to_owned();
    })
    .await;
    replica.await_ready().await;
    let make = json!({"UseAutoCreateTopic": true, "PartitionNum": 1});
    let (task, datahub) = replica.create_task_with("lost", "lost", &make).await;
    cluster.delete_topic(registry).await.unwrap();
    await_condition(LIMIT, "the replica is not ready", async || {
        replica.admin("/readyz").await.status == 503
    })
    .await
    .unwrap();
    // The tasks are known all the same; what would change them is not done.
    let sent = replica.call("SendMessage", &one_message(&datahub)).await;
    assert_eq!(ids(&sent).len(), 1);
    let id = json!({"TaskId": task}).to_string();
    let (_, message) = replica.call("PauseDatahubTask", &id).await.error();
    let started = ["not stored: ", "outcome unknown: "];
    assert!(
        started.iter().any(|start| message.starts_with(start)),
        "{message}"
    );
    let text = replica.admin("/readyz").await.text();
    assert!(text.contains(registry), "says what is wrong: {text}");

    // Somebody makes it anew, and empty: that is the truth from then on.
    let compact = [("cleanup.policy", "compact")];
    cluster
        .create_topic(registry, 1, 1, &compact)
        .await
        .unwrap();
    replica.await_ready().await;
    let (code, _) = replica
        .call("SendMessage", &one_message(&datahub))
        .await
        .error();
    assert_eq!(code, "ResourceNotFound");
    let (_, datahub) = replica.create_task("found", "lost").await;
    let sent = replica.call("SendMessage", &one_message(&datahub)).await;
    assert_eq!(ids(&sent).len(), 1);
    replica.stop().await;
}

#[actix_web::test]
async fn kafka_that_comes_late_and_falls_silent() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::start(&home, Options::one_node().proxied())
        .await
        .unwrap();
    cluster.proxy(0).set_mode(Mode::Refuse);
    let deadline = Duration::from_secs(5);
    let replica = Replica::start_on(&cluster.bootstrap(), |config| {
        config.delivery.deadline = deadline;
    })
    .await;
    assert_eq!(replica.admin("/readyz").await.status, 503);
    let (code, message) = replica
        .call("SendMessage", &one_message("datahub-aaaaaaaa"))
        .await
        .error();
    assert_eq!(code, "ResourceUnavailable.KafkaStorageError");
    assert!(message.starts_with("not stored: "), "{message}");
    cluster.proxy(0).set_mode(Mode::Pass);
    replica.await_ready().await;
    let make = json!({"UseAutoCreateTopic": true, "PartitionNum": 1});
    let (_, datahub) = replica.create_task_with("late", "late", &make).await;
    let mut acked = ids(&replica.call("SendMessage", &one_message(&datahub)).await);

    cluster.stop(0).unwrap();
    let started = Instant::now();
    let (code, message) = replica
        .call("SendMessage", &one_message(&datahub))
        .await
        .error();
    assert!(
        started.elapsed() < deadline + Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    assert!(
        message.starts_with("delivery unknown: ") || message.starts_with("not stored: "),
        "{code}: {message}"
    );
    cluster.cont(0).unwrap();
    await_condition(LIMIT, "writes flow again", async || {
        let answer = replica.call("SendMessage", &one_message(&datahub)).await;
        let flows = answer.response()["Error"].is_null();
        if flows {
            acked.extend(ids(&answer));
        }
        flows
    })
    .await
    .unwrap();
    let records = cluster.read_all("late").await.unwrap();
    for id in &acked {
        assert_eq!(at(&records, id).value.as_deref(), Some(&b"hello"[..]));
    }
    replica.stop().await;
}

#[actix_web::test]
async fn requests_under_way_are_answered_before_the_end() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::start(&home, Options::one_node().proxied())
        .await
        .unwrap();
    let replica = Replica::start_on(&cluster.bootstrap(), |_| {}).await;
    replica.await_ready().await;
    let make = json!({"UseAutoCreateTopic": true, "PartitionNum": 1});
    let (_, datahub) = replica.create_task_with("end", "end", &make).await;
    replica.call("SendMessage", &one_message(&datahub)).await;
    cluster.proxy(0).set_mode(Mode::HoldResponses);
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut client = replica.connect().await;
        let body = one_message(&datahub);
        client
            .send(&harness::signed("SendMessage", body.as_bytes()))
            .await;
        waiting.push(client);
    }
    // All 21 are in the log; 20 of them nobody has been told of.
    await_condition(LIMIT, "the records are written", async || {
        cluster.end_offsets("end").await.unwrap()[&0] >= 2
    })
    .await
    .unwrap();
    let Replica { running, folder } = replica;
    let stopping = actix_rt::spawn(running.stop());
    cluster.proxy(0).set_mode(Mode::Pass);
    let mut answered = 0;
    for mut client in waiting {
        let answer = client.answer().await;
        match answer.response()["Error"].as_object() {
            None => {
                ids(&answer);
                answered += 1;
            }
            // Its head came after the refusing had begun.
            Some(error) => assert_eq!(error["Code"], "RequestLimitExceeded", "{error:?}"),
        }
    }
    let stopped = tokio::time::timeout(LIMIT, stopping)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stopped.unanswered, 0);
    let stored = cluster.read_all("end").await.unwrap().len();
    assert_eq!(
        stored,
        answered + 1,
        "acknowledged is stored, once, and nothing else is"
    );
    drop(folder);
}
