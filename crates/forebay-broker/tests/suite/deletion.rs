//! Topics that go, and records that go.

use std::time::Instant;

use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::{DeleteRecordsRequest, TopicName};

use crate::batches::{NO_PRODUCER, batch};
use crate::target::{Target, unique_name};
use crate::wire::{Client, PATIENCE, fetch_request, text};

on_both!(
    of_one_of_two_topics_leaves_the_other,
    of_a_topic_ends_a_long_poll,
    of_records_moves_the_log_start,
    of_what_is_not_there,
);

fn of_one_of_two_topics_leaves_the_other(target: &Target) {
    let mut client = target.connect();
    let id = client.producer_id();
    let [one, two] = [(); 2].map(|()| target.create_topic(2, &[]));
    for topic in [&one, &two] {
        let row = client.produce(topic, 1, batch((id, 0, 0), &["a", "b"]));
        assert_eq!((row.error_code, row.base_offset), (0, 0));
    }
    target.delete_topic(&one);
    assert_eq!(client.read_all(&two, 1).len(), 2);
    let next = client.produce(&two, 1, batch((id, 0, 2), &["c"]));
    assert_eq!((next.error_code, next.base_offset), (0, 2));
    assert_eq!(client.create_topic(&one, 2, &[]), 0);
    target.await_topic(&one, 2);
    assert_eq!(client.list_offset(&one, 1, -1).0, 0);
    // A fresh log: the same batch is no duplicate here.
    let row = client.produce(&one, 1, batch((id, 0, 0), &["new"]));
    assert_eq!((row.error_code, row.base_offset), (0, 0));
    assert_eq!(client.read_all(&one, 1), [(0, "new".to_owned())]);
}

fn of_a_topic_ends_a_long_poll(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut reader = target.connect();
    let began = Instant::now();
    // Apache Kafka lets the reader wait to its end; the embedded broker does not.
    let wait = if target.is_embedded() {
        2 * PATIENCE
    } else {
        PATIENCE / 60
    };
    let request = fetch_request(&topic, 0, 0, wait.as_millis() as i32);
    let waiting = reader.send(11, &request);
    target.delete_topic(&topic);
    let part = reader.receive_fetched(11, waiting);
    if target.is_embedded() {
        assert_eq!(part.error_code, 3);
        assert!(began.elapsed() < wait);
    }
    assert_eq!(reader.fetch(&topic, 0, 0).error_code, 3);
}

fn delete_before(client: &mut Client, topic: &str, offset: i64) -> (i16, i64) {
    let partition = DeleteRecordsPartition::default().with_offset(offset);
    let topic = DeleteRecordsTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(30_000);
    let response = client.call(2, &request);
    let row = &response.topics[0].partitions[0];
    (row.error_code, row.low_watermark)
}

fn of_records_moves_the_log_start(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    client.produce(&topic, 0, batch(NO_PRODUCER, &["a", "b", "c"]));
    assert_eq!(delete_before(&mut client, &topic, 2), (0, 2));
    assert_eq!(client.list_offset(&topic, 0, -2).0, 2);
    assert_eq!(client.fetch(&topic, 0, 1).error_code, 1);
    assert_eq!(client.read_all(&topic, 0), [(2, "c".to_owned())]);
    // Never backwards, never beyond the end.
    assert_eq!(delete_before(&mut client, &topic, 1), (0, 2));
    assert_eq!(delete_before(&mut client, &topic, 4).0, 1);
    assert_eq!(delete_before(&mut client, &topic, -1), (0, 3));
    assert_eq!(client.list_offset(&topic, 0, -2).0, 3);
    let row = client.produce(&topic, 0, batch(NO_PRODUCER, &["d"]));
    assert_eq!((row.base_offset, row.log_start_offset), (3, 3));
}

fn of_what_is_not_there(target: &Target) {
    let mut client = target.connect();
    assert_eq!(client.delete_topic(&unique_name()), 3);
    assert_eq!(delete_before(&mut client, "no-such-topic", 0).0, 3);
}
