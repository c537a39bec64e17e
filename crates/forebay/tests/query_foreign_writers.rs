//! Queries of what other clients wrote: every codec, transactions, and batches
//! made to burst whoever unpacks them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use forebay_testkit::{KafkaCluster, WireClient, kafka_or_skip, kcat_or_skip, python_sdk_or_skip};
use harness::process::Forebay;
use harness::{Replica, SECRET_ID, SECRET_KEY, credential};
use serde_json::{Value, json};

/// A record as its writer says it wrote it.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    offset: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

fn place(topic: &str, offset: i64) -> Value {
    json!({"InstanceId": "ckafka-forebay0", "Topic": topic, "Partition": 0, "Offset": offset})
}

/// A key or value of a ConsumerRecord.
fn field(record: &Value, name: &str) -> Option<Vec<u8>> {
    let text = record[name].as_str()?;
    match record[format!("{name}Encoding")].as_str() {
        None => Some(text.as_bytes().to_vec()),
        Some(encoding) => {
            assert_eq!(encoding, "base64");
            Some(BASE64_STANDARD.decode(text).unwrap())
        }
    }
}

fn found(record: &Value) -> Written {
    Written {
        offset: record["Offset"].as_i64().unwrap(),
        key: field(record, "Key"),
        value: field(record, "Value"),
    }
}

async fn result(replica: &Replica, action: &str, body: &Value) -> Value {
    let response = replica.call(action, &body.to_string()).await.response();
    assert!(
        response.get("Error").is_none(),
        "{action} {body}: {response}"
    );
    response["Result"].clone()
}

/// Everything in partition 0 is what was written, in lists and one by one, and
/// `markers` offsets hold nothing.
async fn assert_found(replica: &Replica, topic: &str, written: &[Written], markers: usize) {
    let mut next = 0;
    let mut all = Vec::new();
    loop {
        let list = result(replica, "FetchMessageListByOffset", &place(topic, next)).await;
        let list: Vec<_> = list.as_array().unwrap().iter().map(found).collect();
        let Some(last) = list.last() else { break };
        next = last.offset + 1;
        all.extend(list);
    }
    assert_eq!(all.len(), written.len(), "{topic}");
    for (found, written) in all.iter().zip(written) {
        assert_eq!(found, written, "{topic}");
    }
    let end = written.last().unwrap().offset;
    let mut gaps = 0;
    for offset in (0..=end).step_by(7).chain(end.saturating_sub(20)..=end) {
        let body = place(topic, offset).to_string();
        let answer = replica.call("FetchMessageByOffset", &body).await;
        let response = answer.response();
        match written.iter().find(|written| written.offset == offset) {
            Some(written) => assert_eq!(&found(&response["Result"]), written, "{response}"),
            None => {
                gaps += 1;
                let error = &response["Error"];
                assert_eq!(error["Code"], "FailedOperation", "{response}");
                let next = written
                    .iter()
                    .find(|written| written.offset > offset)
                    .unwrap();
                let named = format!("the next message is at offset {}", next.offset);
                assert!(
                    error["Message"].as_str().unwrap().contains(&named),
                    "{error}"
                );
            }
        }
    }
    assert!(
        gaps >= markers,
        "{gaps} of {markers} markers were looked at"
    );
}

async fn replica_of(cluster: &KafkaCluster) -> Replica {
    let replica = Replica::start_on(&cluster.bootstrap(), |config| {
        config.registry.topic = "__tasks_foreign_writers".to_owned();
    })
    .await;
    replica.await_ready().await;
    replica
}

#[actix_web::test]
async fn what_confluents_python_client_wrote_is_found() {
    let (Some(home), Some(python)) = (kafka_or_skip(), python_sdk_or_skip()) else {
        return;
    };
    let cluster = KafkaCluster::shared(&home).await;
    cluster.create_topic("by-python", 1, 1, &[]).await.unwrap();
    let bootstrap = cluster.direct_bootstrap().join(",");
    let args = ["--bootstrap", &bootstrap, "--topic", "by-python"];
    let out = python.run("write_records.py", &args, "").await.unwrap();
    let bytes = |value: &Value| {
        value
            .as_str()
            .map(|text| BASE64_STANDARD.decode(text).unwrap())
    };
    let lines = std::str::from_utf8(&out).unwrap().lines();
    let mut written: Vec<_> = lines
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            Written {
                offset: line["offset"].as_i64().unwrap(),
                key: bytes(&line["key"]),
                value: bytes(&line["value"]),
            }
        })
        .collect();
    written.sort_by_key(|record| record.offset);
    assert_eq!(written.len(), 5 * 40 + 9);
    let replica = replica_of(cluster).await;
    // A marker follows each of the two first transactions.
    assert_found(&replica, "by-python", &written, 2).await;
    let one = result(&replica, "FetchMessageByOffset", &place("by-python", 41)).await;
    let headers: Value = serde_json::from_str(one["Headers"].as_str().unwrap()).unwrap();
    let expected = json!([{"Key": "n", "Value": "1"}, {"Key": "none", "Value": null}]);
    assert_eq!(headers, expected);
    replica.stop().await;
}

#[actix_web::test]
async fn what_the_java_client_wrote_is_found() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    cluster.create_topic("by-java", 1, 1, &[]).await.unwrap();
    let bootstrap = cluster.direct_bootstrap().join(",");
    let run = move || home.run_client_scenario(&bootstrap, "write", &["by-java"]);
    let out = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let bytes = |text: &str| (text != "-").then(|| text.as_bytes().to_vec());
    let lines = out.lines().filter_map(|line| line.strip_prefix("wrote "));
    let mut written: Vec<_> = lines
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap();
            Written {
                offset: word().parse().unwrap(),
                key: bytes(word()),
                value: bytes(word()),
            }
        })
        .collect();
    written.sort_by_key(|record| record.offset);
    assert_eq!(written.len(), 5 * 40 + 9);
    let replica = replica_of(cluster).await;
    assert_found(&replica, "by-java", &written, 2).await;
    replica.stop().await;
}

#[actix_web::test]
async fn what_kcat_wrote_is_found() {
    let (Some(home), Some(kcat)) = (kafka_or_skip(), kcat_or_skip()) else {
        return;
    };
    let cluster = KafkaCluster::shared(&home).await;
    cluster.create_topic("by-kcat", 1, 1, &[]).await.unwrap();
    let bootstrap = cluster.direct_bootstrap().join(",");
    let write = move || {
        let mut written = Vec::new();
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let pair = |n: usize| {
                (
                    format!("{codec}-{n}"),
                    format!("{codec}/{n};").repeat(n + 1),
                )
            };
            let pairs: Vec<_> = (0..40).map(pair).collect();
            let lines = pairs.iter().map(|(key, value)| format!("{key}\t{value}\n"));
            let input: String = lines.collect();
            let args = ["-P", "-t", "by-kcat", "-p", "0", "-K", "\t", "-z", codec];
            let args = [&args[..], &["-X", "linger.ms=50"]].concat();
            kcat.run(&bootstrap, &args, &input).unwrap();
            written.extend(pairs);
        }
        written
    };
    let pairs = tokio::task::spawn_blocking(write).await.unwrap();
    let written: Vec<_> = (0..)
        .zip(pairs)
        .map(|(offset, (key, value))| Written {
            offset,
            key: Some(key.into_bytes()),
            value: Some(value.into_bytes()),
        })
        .collect();
    let replica = replica_of(cluster).await;
    assert_found(&replica, "by-kcat", &written, 0).await;
    replica.stop().await;
}

const GIB: usize = 1 << 30;

/// A zigzag varint.
fn varint(number: i64, out: &mut Vec<u8>) {
    let mut bits = ((number << 1) ^ (number >> 63)) as u64;
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// The start of a record whose value is a GiB of zeros, after which follow the
/// value and one zero more, for no headers.
fn record_of_a_gib() -> Vec<u8> {
    let mut rest = vec![0, 0, 0]; // attributes, time and offset as the batch's
    varint(-1, &mut rest); // no key
    varint(GIB as i64, &mut rest);
    let mut record = Vec::new();
    varint((rest.len() + GIB + 1) as i64, &mut record);
    record.extend(rest);
    record
}

/// gzip of a GiB, in seconds less: a stretch of zeros is packed once, so that
/// nothing after it refers to it, and repeated.
fn gzip_bomb() -> Vec<u8> {
    use flate2::{Compress, Compression, Crc, FlushCompress};
    const STRETCH: usize = 1 << 20;
    let packed = |plain: &[u8], flush| {
        let mut out = Vec::with_capacity(plain.len() + 100);
        let mut deflate = Compress::new(Compression::best(), false);
        deflate.compress_vec(plain, &mut out, flush).unwrap();
        out
    };
    let head = record_of_a_gib();
    let zeros = vec![0; STRETCH];
    let stretch = packed(&zeros, FlushCompress::Full);
    let mut sum = Crc::new();
    sum.update(&head);
    let mut of_stretch = Crc::new();
    of_stretch.update(&zeros);
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    out.extend(packed(&head, FlushCompress::Full));
    for _ in 0..GIB / STRETCH {
        out.extend(&stretch);
        sum.combine(&of_stretch);
    }
    out.extend(packed(&[0], FlushCompress::Finish));
    sum.update(&[0]);
    out.extend(sum.sum().to_le_bytes());
    out.extend(((head.len() + GIB + 1) as u32).to_le_bytes());
    out
}

/// zstd (RFC 8878) of the same: blocks that say "this byte, so many times".
fn zstd_bomb() -> Vec<u8> {
    const BLOCK: usize = 1 << 17;
    const RAW: usize = 0;
    const REPEATED: usize = 1;
    let block = |kind: usize, last: bool, len: usize, content: &[u8], out: &mut Vec<u8>| {
        let header = usize::from(last) | kind << 1 | len << 3;
        out.extend(&header.to_le_bytes()[..3]);
        out.extend(content);
    };
    // The magic number, no checksum or length, a window of 128 KiB.
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (17 - 10) << 3];
    let head = record_of_a_gib();
    block(RAW, false, head.len(), &head, &mut out);
    for _ in 0..GIB / BLOCK {
        block(REPEATED, false, BLOCK, &[0], &mut out);
    }
    block(RAW, true, 1, &[0], &mut out);
    out
}

/// A record batch of one record (KIP-98), packed by the codec of this number.
fn batch(codec: u16, packed: &[u8]) -> Bytes {
    let mut summed = Vec::new();
    summed.extend(codec.to_be_bytes());
    summed.extend(0_i32.to_be_bytes()); // offset of the last record, from the first
    summed.extend(1_795_412_115_123_i64.to_be_bytes());
    summed.extend(1_795_412_115_123_i64.to_be_bytes());
    summed.extend((-1_i64).to_be_bytes()); // no producer id
    summed.extend((-1_i16).to_be_bytes());
    summed.extend((-1_i32).to_be_bytes());
    summed.extend(1_i32.to_be_bytes()); // records
    summed.extend(packed);
    let mut batch = Vec::new();
    batch.extend(0_i64.to_be_bytes());
    batch.extend((4 + 1 + 4 + summed.len() as i32).to_be_bytes());
    batch.extend((-1_i32).to_be_bytes()); // leader epoch
    batch.push(2);
    batch.extend(crc32c::crc32c(&summed).to_be_bytes());
    batch.extend(summed);
    batch.into()
}

/// The most memory that a process has had, in bytes; where Linux tells it.
fn peak(pid: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// With time for a debug build on a busy machine.
fn forebay_on(folder: &Path, bootstrap: &str) -> Forebay {
    let credentials = folder.join("credentials.toml");
    std::fs::write(&credentials, credential(SECRET_ID, SECRET_KEY, "")).unwrap();
    let config = folder.join("forebay.toml");
    std::fs::write(&config, "[delivery]\ndeadline = \"50s\"\n").unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (credentials, config) = (path(&credentials), path(&config));
    let credentials = ["--credentials", &credentials];
    let args = ["--brokers", bootstrap, "--config", &config];
    Forebay::start(folder, &[&args[..], &credentials].concat())
}

#[actix_web::test]
async fn a_record_of_a_gib_when_unpacked_costs_an_error_and_little_memory() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    let large = [("max.message.bytes", "2000000")];
    let bombs = [
        ("bomb-gzip", batch(1, &gzip_bomb())),
        ("bomb-zstd", batch(4, &zstd_bomb())),
    ];
    let address = cluster.direct_bootstrap()[0].parse().unwrap();
    for (topic, bomb) in bombs {
        assert!(bomb.len() < 2_000_000, "{topic} is small: {}", bomb.len());
        cluster.create_topic(topic, 1, 1, &large).await.unwrap();
        // Kafka looks into every batch, and takes these.
        let mut client = WireClient::connect(address).await.unwrap();
        client.produce_batch(topic, 0, bomb).await.unwrap();
        let after = [(None, Some(Bytes::from_static(b"after")))];
        client
            .produce(topic, 0, 1_795_412_115_124, &after)
            .await
            .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let service = forebay_on(folder.path(), &cluster.bootstrap().join(","));
    let service = std::sync::Arc::new(service);
    let before = peak(service.pid());
    let ask = |action: &'static str, body: Value| {
        let service = std::sync::Arc::clone(&service);
        let asking = tokio::task::spawn_blocking(move || service.call(action, &body.to_string()));
        async { asking.await.unwrap() }
    };
    for topic in ["bomb-gzip", "bomb-zstd"] {
        // As many as run at once.
        let calls = (0..4).map(|number| {
            let action = ["FetchMessageByOffset", "FetchMessageListByOffset"][number % 2];
            ask(action, place(topic, 0))
        });
        for response in futures_util::future::join_all(calls).await {
            let error = &response["Error"];
            let message = error["Message"].as_str().unwrap_or_default();
            // Beside others there may be no memory even to begin.
            let refused = error["Code"] == "FailedOperation" && message.contains("limit of")
                || error["Code"] == "RequestLimitExceeded";
            assert!(refused, "{response}");
        }
        let alone = ask("FetchMessageByOffset", place(topic, 0)).await;
        let message = alone["Error"]["Message"].as_str().unwrap_or_default();
        assert!(
            message.contains("decompresses to more than the limit of"),
            "{alone}"
        );
        let next = ask("FetchMessageByOffset", place(topic, 1)).await;
        assert_eq!(next["Result"]["Value"], "after", "{next}");
    }
    let after = peak(service.pid());
    assert_eq!(after.is_some(), cfg!(target_os = "linux"));
    let grown = after.unwrap_or_default() - before.unwrap_or_default();
    assert!(
        grown < GIB / 4,
        "memory grew by {grown} bytes, more than delivery.memory_limit"
    );
    drop(service);
}
