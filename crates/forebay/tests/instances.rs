//! Several instances: what happens to one is not felt by the tasks of another.
//!
//! The clusters are embedded brokers of processes of their own, which can be
//! stopped, and a Kafka that wants TLS and a login.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::{Duration, Instant};

use forebay::config::{ByteSize, Config, InstanceConfig};
use forebay_engine::security::{
    PasswordSource, SaslLogin, SaslMechanism, Secret, TlsFiles, TrustedRoots,
};
use forebay_testkit::{KafkaCluster, Options, await_condition, kafka_or_skip};
use futures_util::future::join_all;
use harness::process::Forebay;
use harness::{Answer, Client, LIMIT, NO_KAFKA, Replica, signed};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Home of the registry.
const GOOD: &str = "ckafka-aaaaaaaa";
const OTHER: &str = "ckafka-bbbbbbbb";

/// A small cluster in a process of its own.
struct SmallKafka {
    process: Forebay,
    address: String,
    _folder: TempDir,
}

impl SmallKafka {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Forebay::start(folder.path(), &["--broker-listen", "127.0.0.1:0"]);
        let mut lines = process.welcome.lines();
        let line = lines.find_map(|line| line.strip_prefix("Kafka"));
        let address = line.and_then(|line| line.split_whitespace().next());
        Self {
            address: address.unwrap().to_owned(),
            process,
            _folder: folder,
        }
    }
}

fn instances(config: &mut Config, others: &[(&str, &str)]) {
    let instance =
        |(id, address): &(&str, &str)| InstanceConfig::plain(id, vec![(*address).to_owned()]);
    config.instances = others.iter().map(instance).collect();
    // The clusters are other replicas' homes already.
    config.registry.topic = "__tasks_of_test".to_owned();
}

/// Creates a task on an instance; its DatahubId.
async fn task_on(replica: &Replica, name: &str, instance: &str) -> String {
    let more = json!({"Resource": instance, "UseAutoCreateTopic": true, "PartitionNum": 2});
    replica.create_task_with(name, "events", &more).await.1
}

fn message(datahub: &str, body: &str) -> String {
    json!({"DataHubId": datahub, "Message": [{"Body": body}]}).to_string()
}

async fn send(replica: &Replica, datahub: &str, body: &str) -> Answer {
    replica.call("SendMessage", &message(datahub, body)).await
}

/// Sends one message; its MessageId.
async fn stored(replica: &Replica, datahub: &str, body: &str) -> String {
    let response = send(replica, datahub, body).await.response();
    let id = response["MessageId"][0].as_str();
    id.unwrap_or_else(|| panic!("not stored: {response}"))
        .to_owned()
}

async fn connect_and_send(replica: &Replica, request: &[u8]) -> Client {
    let mut client = replica.connect().await;
    client.send(request).await;
    client
}

/// FetchMessageByOffset of the message with this id.
fn place(instance: &str, id: &str) -> String {
    let fields: Vec<&str> = id.split(':').collect();
    let number = |index: usize| fields[index].parse::<i64>().unwrap();
    let place = json!({
        "InstanceId": instance, "Topic": "events", "Partition": number(2), "Offset": number(3),
    });
    place.to_string()
}

async fn fetch(replica: &Replica, instance: &str, id: &str) -> Value {
    let place = place(instance, id);
    let answer = replica.call("FetchMessageByOffset", &place).await;
    answer.response()
}

/// What `/readyz` says of an instance.
async fn health(replica: &Replica, id: &str) -> Value {
    let text = replica.admin("/readyz").await.text();
    let json: Value = serde_json::from_str(&text).unwrap();
    let all = json["instances"].as_array().unwrap();
    let found = all.iter().find(|one| one["id"] == id);
    found.unwrap_or_else(|| panic!("no {id}: {text}")).clone()
}

#[actix_web::test]
async fn an_instance_that_is_silent_is_not_felt_by_the_tasks_of_another() {
    let (good, other) = (SmallKafka::start(), SmallKafka::start());
    let replica = Replica::start_on(&[], |config| {
        instances(config, &[(GOOD, &good.address), (OTHER, &other.address)]);
        config.delivery.memory_limit = ByteSize(16 << 20);
        config.delivery.deadline = Duration::from_secs(50);
    })
    .await;
    replica.await_ready().await;
    let on_good = task_on(&replica, "good", GOOD).await;
    let on_other = task_on(&replica, "other", OTHER).await;
    let here = stored(&replica, &on_good, "here").await;
    let there = stored(&replica, &on_other, "there").await;
    // The same topic, on each instance another.
    for (instance, id, body) in [(GOOD, &here, "here"), (OTHER, &there, "there")] {
        let found = fetch(&replica, instance, id).await;
        assert_eq!(found["Result"]["Value"], body, "{found}");
    }

    other.process.signal("-STOP");
    // As much as may wait for the silent one, and more: a share of 8 MiB does
    // not hold 24 requests of more than 512 KiB.
    let large = "x".repeat(512 << 10);
    let mut waiting = Vec::new();
    for _ in 0..24 {
        let request = signed("SendMessage", message(&on_other, &large).as_bytes());
        waiting.push(connect_and_send(&replica, &request).await);
    }
    let query = signed("FetchMessageByOffset", place(OTHER, &there).as_bytes());
    let mut queries = Vec::new();
    for _ in 0..6 {
        queries.push(connect_and_send(&replica, &query).await);
    }
    let until = Instant::now() + LIMIT;
    while waiting.len() > 16 {
        assert!(Instant::now() < until, "{} still wait", waiting.len());
        let mut silent = Vec::new();
        for mut client in waiting {
            if client.silent(Duration::from_millis(20)).await {
                silent.push(client);
                continue;
            }
            let (code, text) = client.answer().await.error();
            assert_eq!(code, "RequestLimitExceeded", "{text}");
            assert!(text.contains(OTHER), "{text}");
        }
        waiting = silent;
    }
    // While they wait, the other instance's tasks have all that they need.
    for round in 0..20 {
        let sent =
            (0..4).map(|index| stored(&replica, &on_good, if index == 0 { &large } else { "s" }));
        let ids = join_all(sent).await;
        let found = fetch(&replica, GOOD, &ids[1]).await;
        assert_eq!(found["Result"]["Value"], "s", "round {round}: {found}");
    }
    for client in waiting.iter_mut().chain(&mut queries) {
        assert!(client.silent(Duration::ZERO).await, "its deadline is far");
    }
    assert_eq!(replica.admin("/readyz").await.status, 200);
    await_condition(LIMIT, "the silent instance is shown", async || {
        health(&replica, OTHER).await["problem"].is_string()
    })
    .await
    .unwrap();
    assert_eq!(health(&replica, GOOD).await["reachable"], true);
    assert!(health(&replica, GOOD).await["problem"].is_null());

    other.process.signal("-CONT");
    await_condition(LIMIT, "the silent instance is back", async || {
        let answer = send(&replica, &on_other, "again").await.response();
        answer["MessageId"].is_array()
    })
    .await
    .unwrap();
    replica.stop().await;
}

#[actix_web::test]
async fn an_instance_that_is_away_at_the_start_is_told_and_waited_for() {
    let good = SmallKafka::start();
    let replica = Replica::start_on(&[], |config| {
        instances(config, &[(GOOD, &good.address), (OTHER, NO_KAFKA)]);
        config.delivery.deadline = Duration::from_secs(5);
    })
    .await;
    replica.await_ready().await;
    let on_good = task_on(&replica, "good", GOOD).await;
    stored(&replica, &on_good, "here").await;

    let new = |instance: &str| {
        let more = json!({"Resource": instance});
        harness::new_task_with("other", "events", &more)
    };
    let answer = replica.call("CreateDatahubTask", &new(OTHER)).await;
    assert_eq!(answer.error().0, "ResourceUnavailable.KafkaStorageError");
    let answer = replica
        .call("CreateDatahubTask", &new("ckafka-cccccccc"))
        .await;
    let (code, text) = answer.error();
    assert_eq!(code, "InvalidParameterValue.InstanceNotExist");
    assert!(text.contains("ckafka-cccccccc"), "{text}");
    let found = fetch(&replica, "ckafka-cccccccc", "d:t:0:0:0:0").await;
    assert_ne!(found["Error"], Value::Null);

    let other = health(&replica, OTHER).await;
    assert_eq!(other["reachable"], false);
    assert!(
        other["problem"].as_str().unwrap().contains(NO_KAFKA),
        "{other}"
    );
    replica.stop().await;
}

/// A Kafka that wants TLS and SCRAM, and the file with its certificate.
async fn secured(folder: &TempDir) -> Option<(KafkaCluster, TrustedRoots)> {
    let home = kafka_or_skip()?;
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let cert = params.self_signed(&key).unwrap().pem();
    let one_line = |pem: &str| pem.replace('\r', "").replace('\n', "\\n");
    let options = Options::one_node()
        .scram_user("ann", "geheim")
        .listener("SECURED", "SASL_SSL", "localhost")
        .property("listener.name.secured.ssl.keystore.type", "PEM")
        .property(
            "listener.name.secured.ssl.keystore.key",
            one_line(&key.serialize_pem()),
        )
        .property(
            "listener.name.secured.ssl.keystore.certificate.chain",
            one_line(&cert),
        )
        .property(
            "listener.name.secured.sasl.enabled.mechanisms",
            "SCRAM-SHA-512",
        )
        .property(
            "listener.name.secured.scram-sha-512.sasl.jaas.config",
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        );
    let path = folder.path().join("kafka.pem");
    std::fs::write(&path, cert).unwrap();
    let kafka = KafkaCluster::start(&home, options).await.unwrap();
    Some((kafka, TrustedRoots::File(path)))
}

#[actix_web::test]
async fn a_task_of_an_instance_with_tls_and_a_login_stores_and_tells_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let Some((kafka, ca)) = secured(&folder).await else {
        return;
    };
    let good = SmallKafka::start();
    let start = async |password: &str| {
        Replica::start_on(&[], |config| {
            let secured = &kafka.listener("SECURED")[0];
            instances(config, &[(GOOD, &good.address), (OTHER, secured)]);
            config.instances[1].tls = Some(TlsFiles {
                ca: ca.clone(),
                identity: None,
            });
            config.instances[1].sasl = Some(SaslLogin {
                mechanism: SaslMechanism::ScramSha512,
                username: "ann".to_owned(),
                password: PasswordSource::Inline(Secret::new(password)),
            });
        })
        .await
    };
    let replica = start("geheim").await;
    replica.await_ready().await;
    let datahub = task_on(&replica, "secured", OTHER).await;
    let id = stored(&replica, &datahub, "over TLS").await;
    let found = fetch(&replica, OTHER, &id).await;
    assert_eq!(found["Result"]["Value"], "over TLS", "{found}");
    let records = kafka.read_all("events").await.unwrap();
    assert_eq!(records.len(), 1);
    replica.stop().await;

    let replica = start("falsch").await;
    replica.await_ready().await;
    let (code, text) = send(&replica, &datahub, "lost").await.error();
    assert_eq!(code, "ResourceUnavailable.KafkaStorageError");
    assert!(text.starts_with("not stored: "), "{text}");
    assert!(text.contains("SCRAM-SHA-512 failed"), "{text}");
    let on_good = task_on(&replica, "good", GOOD).await;
    stored(&replica, &on_good, "here").await;
    let other = health(&replica, OTHER).await;
    assert!(
        other["problem"]
            .as_str()
            .unwrap()
            .contains("SCRAM-SHA-512 failed"),
        "{other}"
    );
    replica.stop().await;
}

#[actix_web::test]
async fn a_file_that_cannot_be_used_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = harness::config(&folder, &[NO_KAFKA.to_owned()]);
    let missing = folder.path().join("missing.pem");
    config.instances[0].tls = Some(TlsFiles {
        ca: TrustedRoots::File(missing.clone()),
        identity: None,
    });
    let error = match forebay::start(config).await {
        Ok(_) => panic!("it starts"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("ckafka-forebay0"), "{error}");
    assert!(error.contains(missing.to_str().unwrap()), "{error}");
}

#[actix_web::test]
async fn what_is_wrong_with_an_instance_stands_in_the_answer_after_a_deadline() {
    let kafka = SmallKafka::start();
    let replica = Replica::start_on(&[], |config| {
        instances(config, &[(GOOD, &kafka.address)]);
        config.delivery.deadline = Duration::from_secs(8);
    })
    .await;
    replica.await_ready().await;
    let datahub = task_on(&replica, "one", GOOD).await;
    stored(&replica, &datahub, "here").await;
    kafka.process.stop();
    let told = format!("; instance {GOOD}: no broker of the cluster is reachable");
    await_condition(LIMIT, "the reason is told", async || {
        let (_, text) = send(&replica, &datahub, "lost").await.error();
        let honest = text.starts_with("not stored: ") || text.starts_with("delivery unknown: ");
        assert!(honest, "{text}");
        text.contains(&told)
    })
    .await
    .unwrap();
    replica.stop().await;
}
