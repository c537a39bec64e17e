//! Batches and requests that are refused, and leave nothing behind.

use bytes::BytesMut;

use crate::batches::{NO_PRODUCER, batch, batch_at, batch_without_keys, now_ms};
use crate::target::Target;
use crate::wire::produce_request;

const CORRUPT: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const TOO_LARGE: i16 = 10;
const INVALID_ACKS: i16 = 21;
const INVALID_TIMESTAMP: i16 = 32;
const INVALID_RECORD: i16 = 87;

on_both!(
    damaged_batches,
    batches_beyond_max_message_bytes,
    records_without_a_key_in_a_compacted_topic,
    records_from_the_future,
    other_numbers_of_acknowledgements,
    topics_and_partitions_that_are_not_there,
    no_answer_is_sent_where_none_is_asked_for,
);

fn damaged_batches(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let mut damaged = BytesMut::from(&batch(NO_PRODUCER, &["value"])[..]);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let row = client.produce(&topic, 0, damaged.freeze());
    assert_eq!(row.error_code, CORRUPT);
    assert_eq!(client.list_offset(&topic, 0, -1).0, 0);
    let row = client.produce(&topic, 0, batch(NO_PRODUCER, &["value"]));
    assert_eq!((row.error_code, row.base_offset), (0, 0));
}

fn batches_beyond_max_message_bytes(target: &Target) {
    let topic = target.create_topic(1, &[("max.message.bytes", "300")]);
    let mut client = target.connect();
    let of_size = |bytes: usize| {
        let empty = batch(NO_PRODUCER, &[&"x".repeat(100)]).len() - 100;
        let sent = batch(NO_PRODUCER, &[&"x".repeat(bytes - empty)]);
        assert_eq!(sent.len(), bytes);
        sent
    };
    // The limit is the whole batch's, header and all.
    assert_eq!(client.produce(&topic, 0, of_size(300)).error_code, 0);
    assert_eq!(
        client.produce(&topic, 0, of_size(301)).error_code,
        TOO_LARGE
    );
    assert_eq!(client.list_offset(&topic, 0, -1).0, 1);
}

fn records_without_a_key_in_a_compacted_topic(target: &Target) {
    let topic = target.create_topic(1, &[("cleanup.policy", "compact")]);
    let mut client = target.connect();
    let row = client.produce(&topic, 0, batch_without_keys(&["value"]));
    assert_eq!(row.error_code, INVALID_RECORD);
    let row = client.produce(&topic, 0, batch(NO_PRODUCER, &["value"]));
    assert_eq!((row.error_code, row.base_offset), (0, 0));
}

fn records_from_the_future(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let minute = 60_000;
    let late = batch_at(NO_PRODUCER, &[(now_ms() + 70 * minute, "v")]);
    let row = client.produce(&topic, 0, late);
    assert_eq!(row.error_code, INVALID_TIMESTAMP);
    let soon = batch_at(NO_PRODUCER, &[(now_ms() + 50 * minute, "v")]);
    assert_eq!(client.produce(&topic, 0, soon).error_code, 0);
}

fn other_numbers_of_acknowledgements(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let mut request = produce_request(&topic, 0, batch(NO_PRODUCER, &["v"]));
    for (acks, code) in [(2, INVALID_ACKS), (-2, INVALID_ACKS), (1, 0), (-1, 0)] {
        request.acks = acks;
        let response = client.call(8, &request);
        let row = &response.responses[0].partition_responses[0];
        assert_eq!(row.error_code, code, "acks {acks}");
    }
}

fn topics_and_partitions_that_are_not_there(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    for (topic, partition) in [("no-such-topic", 0), (&topic, 1), (&topic, -1)] {
        let row = client.produce(topic, partition, batch(NO_PRODUCER, &["v"]));
        assert_eq!(row.error_code, UNKNOWN_TOPIC_OR_PARTITION);
    }
}

fn no_answer_is_sent_where_none_is_asked_for(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let request = |value: &'static str| produce_request(&topic, 0, batch(NO_PRODUCER, &[value]));
    client.send(8, &request("unanswered").with_acks(0));
    let response = client.call(8, &request("answered"));
    let row = &response.responses[0].partition_responses[0];
    assert_eq!((row.error_code, row.base_offset), (0, 1));
}
