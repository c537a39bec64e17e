//! Hashing and partitioning of keys against Apache Kafka's own Java code.

use std::{fmt::Write as _, io::Write as _, path::Path, process::Stdio};

use forebay_engine::route::{murmur2, partition_for_key};
use forebay_testkit::kafka_or_skip;
use proptest::{
    collection::vec,
    prelude::any,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

const RANDOM_KEYS: usize = 4_000;
const PARTITION_COUNTS: [usize; 9] = [1, 2, 3, 5, 6, 12, 64, 1_000, 100_003];

/// All lengths from 0 to 50 bytes; also each byte alone, and 1 to 4 times at
/// the end of a word, where sign extension would show.
fn keys() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::default();
    let random = vec(any::<u8>(), 0..=50);
    let mut keys: Vec<Vec<u8>> = (0..RANDOM_KEYS)
        .map(|_| {
            random
                .new_tree(&mut runner)
                .expect("never rejects")
                .current()
        })
        .collect();
    keys.extend((0..=50).map(|len| vec![0xff; len]));
    for byte in 0..=255 {
        keys.extend(
            (0..=4).map(|words| [b"key-".repeat(words), vec![byte; 1 + words % 4]].concat()),
        );
    }
    keys
}

/// What Kafka says, a line for each key.
fn ask_kafka(mut java: std::process::Command, keys: &[Vec<u8>]) -> String {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/kafka/Murmur2Oracle.java");
    let mut process = java
        .arg(oracle)
        .args(PARTITION_COUNTS.map(|count| count.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("java starts");
    let mut lines = String::new();
    for key in keys {
        for byte in key {
            write!(lines, "{byte:02x}").expect("strings take everything");
        }
        lines.push('\n');
    }
    let mut stdin = process.stdin.take().expect("it is piped");
    // It answers after the last key only, so neither waits for the other.
    let sent = stdin.write_all(lines.as_bytes());
    drop(stdin);
    let output = process.wait_with_output().expect("java ends");
    assert!(output.status.success(), "java ended with {}", output.status);
    sent.expect("it reads all keys");
    String::from_utf8(output.stdout).expect("numbers are ASCII")
}

fn numbers(line: &str) -> Vec<i64> {
    line.split(' ')
        .map(|number| number.parse().expect("a number"))
        .collect()
}

#[test]
fn keys_are_hashed_and_partitioned_as_kafka_does() {
    let Some(home) = kafka_or_skip() else { return };
    let keys = keys();
    let answer = ask_kafka(home.broker_java(&[]), &keys);
    assert_eq!(answer.lines().count(), keys.len());
    for (key, line) in keys.iter().zip(answer.lines()) {
        let hash = murmur2(key);
        let mut ours = vec![i64::from(hash as i32), i64::from(hash & 0x7fff_ffff)];
        ours.extend(PARTITION_COUNTS.map(|count| partition_for_key(key, count) as i64));
        assert_eq!(ours, numbers(line), "key {key:02x?}");
    }
}
