//! A service with `instance.compression`: what it says is stored is read back
//! as it was sent, by itself and by librdkafka.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use forebay_api::MessageId;
use forebay_engine::Codec;
use forebay_testkit::{KafkaCluster, WireClient, free_port, kafka_or_skip, kcat_or_skip};
use futures_util::future::join_all;
use harness::Replica;
use serde_json::{Value, json};

/// Requests of small and of large messages, whose batches are compressed at
/// once and on another thread, and of one that does not shrink.
fn requests() -> Vec<Vec<(String, String)>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |len: usize| -> String {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(33 + (state % 94) as u8)
        };
        (0..len).map(|_| next()).collect()
    };
    let words = |len: usize| "all work and no play. ".repeat(len / 22);
    vec![
        vec![("one".to_owned(), words(500))],
        (0..100)
            .map(|i| (format!("many-{i}"), words(300 + i)))
            .collect(),
        vec![("large".to_owned(), words(900_000))],
        (0..20)
            .map(|i| (format!("larger-{i}"), words(200_000)))
            .collect(),
        vec![("tiny".to_owned(), random(3))],
        vec![("random".to_owned(), random(300_000))],
    ]
}

fn ids(response: &Value) -> Vec<MessageId> {
    let list = response["MessageId"].as_array();
    let list = list.unwrap_or_else(|| panic!("{response}"));
    list.iter()
        .map(|id| id.as_str().unwrap().parse().unwrap())
        .collect()
}

/// Sends all requests at once; gives what is where.
async fn send_all(replica: &Replica, datahub: &str) -> BTreeMap<(i32, i64), (String, String)> {
    let sending = requests().into_iter().map(async |messages| {
        let list: Vec<_> = messages
            .iter()
            .map(|(key, body)| json!({"Key": key, "Body": body}))
            .collect();
        let body = json!({"DataHubId": datahub, "Message": list}).to_string();
        let response = replica.call("SendMessage", &body).await.response();
        let ids = ids(&response);
        assert_eq!(ids.len(), messages.len());
        for id in &ids {
            assert!(id.sent_ms >= id.received_ms, "{id}");
        }
        let places = ids.into_iter().map(|id| (id.partition, id.offset));
        places.zip(messages).collect::<Vec<_>>()
    });
    let sent: Vec<_> = join_all(sending).await.into_iter().flatten().collect();
    let count = sent.len();
    let places: BTreeMap<_, _> = sent.into_iter().collect();
    assert_eq!(places.len(), count, "each place once");
    places
}

async fn check(replica: &Replica, codec: Codec, kafka: SocketAddr, topic: &str, datahub: &str) {
    let sent = send_all(replica, datahub).await;
    for ((partition, offset), (key, value)) in &sent {
        let place = json!({
            "InstanceId": "ckafka-forebay0", "Topic": topic,
            "Partition": partition, "Offset": offset,
        });
        let place = place.to_string();
        let found = replica.call("FetchMessageByOffset", &place).await;
        let found = &found.response()["Result"];
        assert_eq!(found["Key"], **key, "{codec}");
        assert_eq!(found["Value"], **value, "{codec}");
    }
    // It reads no compressed batches.
    let mut plain = WireClient::connect(kafka).await.unwrap();
    let partition = sent.iter().find(|(_, (key, _))| key == "large").unwrap();
    let partition = partition.0.0;
    assert!(plain.read_partition(topic, partition, 0).await.is_err());

    let Some(kcat) = kcat_or_skip() else { return };
    let args = ["-C", "-t", topic, "-e", "-q", "-f", "%p %o %k %s\n"];
    let args = [&args[..], &["-X", "check.crcs=true"]].concat();
    let read = kcat.run(&kafka.to_string(), &args, "").unwrap();
    let mut lines: Vec<_> = read.lines().collect();
    let mut expected: Vec<_> = sent
        .iter()
        .map(|((partition, offset), (key, value))| format!("{partition} {offset} {key} {value}"))
        .collect();
    lines.sort_unstable();
    expected.sort_unstable();
    assert!(lines == expected, "kcat reads {codec} from {topic}");
}

#[actix_web::test]
async fn every_codec_reads_back_from_kafka() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    for codec in Codec::ALL {
        let replica = Replica::start_on(&cluster.bootstrap(), |config| {
            config.registry.topic = format!("__tasks_compressed_{codec}");
            config.instances[0].compression = Some(codec);
        })
        .await;
        replica.await_ready().await;
        let topic = format!("service-{codec}");
        let make = json!({"UseAutoCreateTopic": true, "PartitionNum": 2});
        let (_, datahub) = replica.create_task_with(&topic, &topic, &make).await;
        let kafka = cluster.bootstrap()[0].parse().unwrap();
        check(&replica, codec, kafka, &topic, &datahub).await;
        replica.stop().await;
    }
}

#[actix_web::test]
async fn every_codec_reads_back_from_the_embedded_broker() {
    for codec in Codec::ALL {
        let listen: SocketAddr = ([127, 0, 0, 1], free_port()).into();
        let folder = tempfile::tempdir().unwrap();
        let replica = Replica::start_embedded_in(folder, |config| {
            config.broker.listen = listen;
            config.embedded_compression = Some(codec);
        })
        .await;
        replica.await_ready().await;
        check(&replica, codec, listen, "quickstart", "datahub-forebay0").await;
        replica.stop().await;
    }
}
