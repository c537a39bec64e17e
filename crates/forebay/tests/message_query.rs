//! Messages read back through the API: what is answered is what lies in the
//! log, and whoever may not look learns nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use forebay::config::ByteSize;
use forebay_testkit::{
    KafkaCluster, NewRecord, WireClient, await_condition, free_port, kafka_or_skip,
    python_sdk_or_skip,
};
use harness::{
    Answer, LIMIT, Replica, SECRET_ID, SECRET_KEY, credential, now, signed_head, with_body,
};
use serde_json::{Value, json};

const TIME: i64 = 1_795_412_115_123;

/// May use one access point only.
const SCOPED_ID: &str = "AKIDscoped";
const SCOPED_KEY: &str = "scoped-key";

fn place(topic: &str, partition: i64, offset: i64) -> Value {
    json!({"InstanceId": "ckafka-forebay0", "Topic": topic, "Partition": partition, "Offset": offset})
}

async fn get(replica: &Replica, topic: &str, partition: i64, offset: i64) -> Answer {
    let body = place(topic, partition, offset).to_string();
    replica.call("FetchMessageByOffset", &body).await
}

async fn refused(replica: &Replica, topic: &str, partition: i64, offset: i64) -> (String, String) {
    get(replica, topic, partition, offset).await.error()
}

async fn found(replica: &Replica, action: &str, body: Value) -> Value {
    let response = replica.call(action, &body.to_string()).await.response();
    assert!(response.get("Error").is_none(), "{action}: {response}");
    response["Result"].clone()
}

fn offsets(list: &Value) -> Vec<(i64, i64)> {
    let list = list.as_array().unwrap();
    let place = |one: &Value| {
        let number = |name: &str| one[name].as_i64().unwrap();
        (number("Partition"), number("Offset"))
    };
    list.iter().map(place).collect()
}

/// A replica with its embedded broker, and where that listens.
async fn embedded() -> (Replica, SocketAddr) {
    let listen: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::start_embedded_in(folder, |config| {
        config.broker.listen = listen;
        let scope = "datahubs = [\"datahub-forebay0\"]";
        let both =
            credential(SECRET_ID, SECRET_KEY, "") + &credential(SCOPED_ID, SCOPED_KEY, scope);
        std::fs::write(config.auth.credentials.as_ref().unwrap(), both).unwrap();
    })
    .await;
    replica.await_ready().await;
    (replica, listen)
}

async fn produce(kafka: SocketAddr, topic: &str, partition: i32, records: &[NewRecord]) -> i64 {
    let mut client = WireClient::connect(kafka).await.unwrap();
    let written = client.produce_records(topic, partition, TIME, records);
    written.await.unwrap()
}

fn record(key: Option<&'static [u8]>, value: Option<&'static [u8]>) -> NewRecord {
    NewRecord {
        key: key.map(Bytes::from_static),
        value: value.map(Bytes::from_static),
        headers: Vec::new(),
    }
}

/// Everything about one topic, `partitions` of them, that is empty before.
async fn read_back(replica: &Replica, kafka: SocketAddr, topic: &str, partitions: i64) {
    let header =
        |name: &str, value: Option<&'static [u8]>| (name.to_owned(), value.map(Bytes::from_static));
    let with_headers = NewRecord {
        headers: vec![
            header("trace", Some(b"a\"b")),
            header("none", None),
            header("bytes", Some(b"\xfe")),
        ],
        ..record(None, Some(b"\xff\x00"))
    };
    let records = [
        record(Some(b"k"), Some("text \u{1F980}\n".as_bytes())),
        with_headers,
        record(Some(b"\xc3"), None),
        record(Some(b""), Some(b"")),
    ];
    assert_eq!(produce(kafka, topic, 1, &records).await, 0);

    let expected = |offset: i64, fields: Value| {
        let mut whole = json!({
            "Topic": topic, "Partition": 1, "Offset": offset, "Timestamp": TIME, "Headers": "[]",
        });
        let fields = fields.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(fields);
        whole
    };
    let headers = r#"[{"Key":"trace","Value":"a\"b"},{"Key":"none","Value":null},{"Key":"bytes","Value":"/g==","ValueEncoding":"base64"}]"#;
    let expected = [
        expected(0, json!({"Key": "k", "Value": "text \u{1F980}\n"})),
        expected(
            1,
            json!({"Key": null, "Value": "/wA=", "ValueEncoding": "base64", "Headers": headers}),
        ),
        expected(
            2,
            json!({"Key": "ww==", "KeyEncoding": "base64", "Value": null}),
        ),
        expected(3, json!({"Key": "", "Value": ""})),
    ];
    for (offset, expected) in (0..).zip(&expected) {
        let response = get(replica, topic, 1, offset).await.response();
        assert_eq!(&response["Result"], expected);
    }

    let from = |offset: i64, count: usize| {
        let mut body = place(topic, 1, offset);
        body["SinglePartitionRecordNumber"] = json!(count);
        body
    };
    let list = found(replica, "FetchMessageListByOffset", from(1, 2)).await;
    assert_eq!(list, json!(expected[1..3]));
    let list = found(replica, "FetchMessageListByOffset", from(4, 20)).await;
    assert_eq!(list, json!([]), "whoever pages comes to the end");
    let by_name = json!({"Name": topic, "Partition": 1, "Offset": 3});
    let one = found(replica, "FetchDatahubMessageByOffset", by_name).await;
    assert_eq!(one, expected[3]);
    let latest = json!({"Name": topic, "Partition": 1, "MessageCount": 3});
    let latest = found(replica, "FetchLatestDatahubMessageList", latest).await;
    assert_eq!(latest, json!(expected[1..]));
    produce(kafka, topic, 0, &records[..1]).await;
    let since =
        |start: i64| json!({"InstanceId": "ckafka-forebay0", "Topic": topic, "StartTime": start});
    let list = found(replica, "FetchMessageListByTimestamp", since(TIME)).await;
    assert_eq!(offsets(&list), [(0, 0), (1, 0), (1, 1), (1, 2), (1, 3)]);
    let list = found(replica, "FetchMessageListByTimestamp", since(TIME + 1)).await;
    assert_eq!(list, json!([]));

    for (partition, offset, code, message) in [
        (
            1,
            4,
            "FailedOperation",
            "offset 4 is out of range: the log holds offsets 0 to 3".to_owned(),
        ),
        (
            1,
            i64::MAX,
            "FailedOperation",
            format!("offset {} is out of range", i64::MAX),
        ),
        (
            1,
            -1,
            "FailedOperation",
            "offset -1 is out of range".to_owned(),
        ),
        (
            2,
            0,
            "FailedOperation",
            "the log is empty, its next message gets offset 0".to_owned(),
        ),
        (
            partitions,
            0,
            "InvalidParameterValue",
            format!(
                "expected a partition from 0 to {}, got {partitions}",
                partitions - 1
            ),
        ),
        (-1, 0, "InvalidParameterValue", "got -1".to_owned()),
        (
            1 << 40,
            0,
            "InvalidParameterValue",
            "got 1099511627776".to_owned(),
        ),
    ] {
        let error = refused(replica, topic, partition, offset).await;
        assert_eq!(error.0, code, "{error:?}");
        assert!(error.1.contains(&message), "{error:?}");
    }
    await_condition(LIMIT, "queries give their memory back", async || {
        replica.metric("forebay_inflight_bytes").await == Some(0.0)
    })
    .await
    .unwrap();
}

#[actix_web::test]
async fn what_lies_in_the_embedded_broker_is_read_back() {
    let (replica, kafka) = embedded().await;
    read_back(&replica, kafka, "quickstart", 4).await;
    replica.stop().await;
}

#[actix_web::test]
async fn what_lies_in_apache_kafka_is_read_back() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    // As its disks would see it from any writer that compresses.
    let zstd = [("compression.type", "zstd")];
    cluster.create_topic("queried", 3, 1, &zstd).await.unwrap();
    let replica = on_cluster(&cluster.bootstrap(), "__tasks_queried").await;
    let kafka = cluster.bootstrap()[0].parse().unwrap();
    read_back(&replica, kafka, "queried", 3).await;
    replica.stop().await;
}

async fn on_cluster(bootstrap: &[String], registry: &str) -> Replica {
    let replica = Replica::start_on(bootstrap, |config| {
        config.registry.topic = registry.to_owned();
    })
    .await;
    replica.await_ready().await;
    replica
}

#[actix_web::test]
async fn refusals_before_kafka_is_asked() {
    let (replica, _) = embedded().await;
    let call = async |body: Value| {
        let body = body.to_string();
        replica.call("FetchMessageByOffset", &body).await.error()
    };
    let mut body = place("quickstart", 0, 0);
    body["InstanceId"] = json!("ckafka-other");
    assert_eq!(call(body).await.0, "InvalidParameterValue.InstanceNotExist");
    for (topic, code) in [
        ("__forebay_tasks", "UnsupportedOperation"),
        ("no-such-topic", "ResourceNotFound"),
        ("a b", "InvalidParameterValue"),
    ] {
        let (told, message) = call(place(topic, 0, 0)).await;
        assert_eq!(told, code);
        assert!(message.contains(topic), "{message}");
    }
    let (code, message) = call(json!({"InstanceId": "ckafka-forebay0"})).await;
    assert_eq!(code, "MissingParameter");
    assert!(message.contains("Topic"), "{message}");
    replica.stop().await;
}

#[actix_web::test]
async fn a_scope_opens_its_tasks_topics_and_says_nothing_of_others() {
    let (replica, kafka) = embedded().await;
    let more = json!({"UseAutoCreateTopic": true, "PartitionNum": 1});
    replica.create_task_with("other", "others", &more).await;
    let record = [record(None, Some(b"seen"))];
    produce(kafka, "quickstart", 0, &record).await;
    produce(kafka, "others", 0, &record).await;
    let as_scoped = async |topic: &str, instance: &str| {
        let mut body = place(topic, 0, 0);
        body["InstanceId"] = json!(instance);
        let body = body.to_string();
        let action = "FetchMessageByOffset";
        let head = signed_head(action, body.as_bytes(), now(), SCOPED_ID, SCOPED_KEY);
        replica.send(&with_body(head, body.as_bytes())).await
    };
    let own = as_scoped("quickstart", "ckafka-forebay0").await.response();
    assert_eq!(own["Result"]["Value"], "seen");
    let mut told = Vec::new();
    for (topic, instance) in [
        ("others", "ckafka-forebay0"),
        ("absent", "ckafka-forebay0"),
        ("quickstart", "ckafka-absent"),
    ] {
        let (code, message) = as_scoped(topic, instance).await.error();
        assert_eq!(
            code, "AuthFailure.UnauthorizedOperation",
            "{topic} {instance}"
        );
        told.push(message.replace(topic, "…"));
    }
    told.dedup();
    assert_eq!(told.len(), 1, "one text for what is there and what is not");
    replica.stop().await;
}

#[actix_web::test]
async fn a_query_that_never_fits_says_so_and_takes_no_memory_from_senders() {
    let listen: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::start_embedded_in(folder, |config| {
        config.broker.listen = listen;
        config.delivery.memory_limit = ByteSize(2 << 20);
    })
    .await;
    replica.await_ready().await;
    produce(listen, "quickstart", 0, &[record(None, Some(b"x"))]).await;
    // Asking again would never help.
    let (code, message) = refused(&replica, "quickstart", 0, 0).await;
    assert_eq!(code, "FailedOperation");
    assert!(
        message.contains("the limit is 1048576 bytes") && message.contains("fewer messages"),
        "{message}"
    );
    assert_eq!(
        replica
            .metric("forebay_shed_total{reason=\"memory\"}")
            .await,
        Some(0.0)
    );
    let message = harness::one_message("datahub-forebay0");
    let sent = replica.call("SendMessage", &message);
    assert!(sent.await.response()["MessageId"].is_array());
    replica.stop().await;
}

#[actix_web::test]
async fn values_that_grow_in_json_come_whole() {
    let (replica, kafka) = embedded().await;
    // Six characters of JSON for each byte.
    let control: &'static [u8] = Box::leak(vec![1; 600_000].into_boxed_slice());
    produce(kafka, "quickstart", 2, &[record(None, Some(control))]).await;
    let response = get(&replica, "quickstart", 2, 0).await.response();
    let value = response["Result"]["Value"].as_str().unwrap();
    assert_eq!(value.as_bytes(), control);
    // A list ends at 4 MiB of messages.
    let many = vec![record(None, Some(control)); 1];
    for _ in 0..9 {
        produce(kafka, "quickstart", 2, &many).await;
    }
    let list = found(
        &replica,
        "FetchMessageListByOffset",
        place("quickstart", 2, 1),
    )
    .await;
    assert_eq!(list.as_array().unwrap().len(), (4 << 20) / 600_000);
    replica.stop().await;
}

#[actix_web::test]
async fn without_kafka_the_answer_comes_in_time() {
    let replica = Replica::start(|config| {
        config.delivery.deadline = Duration::from_secs(2);
    })
    .await;
    let started = Instant::now();
    let (code, message) = refused(&replica, "t", 0, 0).await;
    assert_eq!(code, "ResourceUnavailable.KafkaStorageError");
    assert!(message.starts_with("cannot read now: "), "{message}");
    assert!(started.elapsed() < LIMIT / 2, "{:?}", started.elapsed());
    replica.stop().await;
}

/// More at once than may run: each one ends with its deadline.
#[actix_web::test]
async fn queries_of_a_silent_kafka_end_in_time() {
    // The system accepts connections for it; nobody reads.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let replica = Replica::start_on(&[address], |config| {
        config.delivery.deadline = Duration::from_secs(2);
    })
    .await;
    let started = Instant::now();
    let queries = (0..12).map(|_| refused(&replica, "t", 0, 0));
    for (code, message) in futures_util::future::join_all(queries).await {
        match code.as_str() {
            "ResourceUnavailable.KafkaStorageError" => {}
            "RequestLimitExceeded" => assert!(message.contains("too many queries"), "{message}"),
            other => panic!("{other}: {message}"),
        }
    }
    assert!(started.elapsed() < LIMIT / 2, "{:?}", started.elapsed());
    drop(silent);
    replica.stop().await;
}

/// What the refusal of an offset in a gap begins with.
const GAP: &str = "there is no message at offset 0: the next message is at offset ";

#[actix_web::test]
async fn a_gap_names_the_next_offset() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("max.compaction.lag.ms", "100"),
    ];
    cluster.create_topic("gaps", 1, 1, &configs).await.unwrap();
    let kafka: SocketAddr = cluster.bootstrap()[0].parse().unwrap();
    let replica = on_cluster(&cluster.bootstrap(), "__tasks_gaps").await;
    let mut client = WireClient::connect(kafka).await.unwrap();
    let mut time = TIME;
    // The active segment is never compacted: each look writes one more record,
    // younger than `segment.ms`, which rolls it.
    await_condition(LIMIT * 3, "offset 0 is compacted away", async || {
        time += 1000;
        let same_key = [record(Some(b"same key"), Some(b"value"))];
        let written = client.produce_records("gaps", 0, time, &same_key);
        written.await.unwrap();
        // While Kafka exchanges the segments, it may have nothing to give.
        let answer = get(&replica, "gaps", 0, 0).await;
        answer.text().contains(GAP)
    })
    .await
    .unwrap();
    // Compaction goes on for a while, and the gap grows: what counts is that
    // all agree once it rests.
    await_condition(LIMIT, "refusal, message and list agree", async || {
        let (code, message) = refused(&replica, "gaps", 0, 0).await;
        assert_eq!(code, "FailedOperation");
        let next = message.strip_prefix(GAP);
        let next = next.unwrap_or_else(|| panic!("{message}"));
        let next: i64 = next.parse().unwrap();
        let response = get(&replica, "gaps", 0, next).await.response();
        let list = found(&replica, "FetchMessageListByOffset", place("gaps", 0, 0)).await;
        response["Result"]["Offset"] == next && offsets(&list)[0] == (0, next)
    })
    .await
    .unwrap();
    replica.stop().await;
}

#[actix_web::test]
async fn the_genuine_sdk_reads_a_message() {
    let Some(python) = python_sdk_or_skip() else {
        return;
    };
    let (replica, kafka) = embedded().await;
    produce(
        kafka,
        "quickstart",
        3,
        &[record(None, Some("für dich".as_bytes()))],
    )
    .await;
    let session = python
        .session(&replica.running.api.to_string(), SECRET_ID, SECRET_KEY)
        .unwrap();
    let call = async |offset| -> Value {
        let body = place("quickstart", 3, offset).to_string();
        let line = session.call("FetchMessageByOffset", &body).await.unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let answer = call(0).await;
    let record = &answer["ok"]["Result"];
    assert_eq!(record["Value"], "für dich", "{answer}");
    assert_eq!(record["Key"], Value::Null);
    assert_eq!(record["Timestamp"], TIME);
    let answer = call(1).await;
    assert_eq!(answer["error"]["code"], "FailedOperation", "{answer}");
    replica.stop().await;
}
