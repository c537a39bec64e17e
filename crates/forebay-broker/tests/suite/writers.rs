//! Many at once.

use crate::batches::{NO_PRODUCER, batch};
use crate::target::Target;
use crate::wire::produce_request;
use kafka_protocol::messages::{MetadataRequest, ProduceRequest};

const WRITERS: usize = 8;
const BATCHES: i32 = 40;
const RECORDS: usize = 3;

on_both!(
    eight_writers_get_an_offset_for_each_record,
    pipelined_requests_are_answered_in_order,
);

fn eight_writers_get_an_offset_for_each_record(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let address = target.address();
    let mut acked: Vec<(i64, String)> = std::thread::scope(|scope| {
        let start = |writer| {
            let topic = &topic;
            scope.spawn(move || write(crate::wire::Client::connect(address), topic, writer))
        };
        let writers: Vec<_> = (0..WRITERS).map(start).collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect()
    });
    acked.sort_unstable();
    let total = WRITERS * BATCHES as usize * RECORDS;
    let offsets: Vec<i64> = acked.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (0..total as i64).collect::<Vec<_>>());
    assert_eq!(target.connect().read_all(&topic, 0), acked);
}

/// Writes as a producer of its own; answers where each value is said to be.
fn write(mut client: crate::wire::Client, topic: &str, writer: usize) -> Vec<(i64, String)> {
    let id = client.producer_id();
    let mut acked = Vec::new();
    for n in 0..BATCHES {
        let values: Vec<String> = (0..RECORDS)
            .map(|record| format!("writer {writer}, batch {n}, record {record}"))
            .collect();
        let texts: Vec<&str> = values.iter().map(String::as_str).collect();
        let producer = (id, 0, n * RECORDS as i32);
        let row = client.produce(topic, 0, batch(producer, &texts));
        assert_eq!(row.error_code, 0);
        acked.extend((row.base_offset..).zip(values));
    }
    acked
}

fn pipelined_requests_are_answered_in_order(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let mut send = |n: i64| {
        let sent = batch(NO_PRODUCER, &[&n.to_string()]);
        client.send(8, &produce_request(&topic, 0, sent))
    };
    let sent: Vec<i32> = (0..50).map(&mut send).collect();
    let all = MetadataRequest::default()
        .with_topics(None)
        .with_allow_auto_topic_creation(false);
    let metadata = client.send(4, &all);
    for (offset, correlation) in (0..).zip(sent) {
        let response = client.receive::<ProduceRequest>(8, correlation);
        let row = &response.responses[0].partition_responses[0];
        assert_eq!((row.error_code, row.base_offset), (0, offset));
    }
    client.receive::<MetadataRequest>(4, metadata);
    let written = client.read_all(&topic, 0);
    assert!(
        (0..)
            .zip(&written)
            .all(|(n, (_, value))| *value == n.to_string())
    );
    assert_eq!(written.len(), 50);
}
