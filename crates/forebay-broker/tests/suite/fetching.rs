//! Fetch: whole batches, every codec, limits, ranges, and the long poll.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::FetchRequest;

use crate::batches::{
    COMPRESSED, COMPRESSED_RECORDS, NO_PRODUCER, base_offset, batch, batch_bytes, content, decode,
};
use crate::target::Target;
use crate::wire::{PATIENCE, fetch_request};

on_both!(
    from_the_middle_of_a_batch_in_every_version,
    from_the_middle_of_a_batch_in_every_codec,
    of_less_than_a_batch_gives_one,
    out_of_range,
    waits_for_an_append,
    comes_back_empty_in_time,
);

fn from_the_middle_of_a_batch_in_every_version(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    for first in [0, 4, 8] {
        let sent = batch(NO_PRODUCER, &["a", "b", "c", "d"]);
        assert_eq!(client.produce(&topic, 0, sent).base_offset, first);
    }
    for version in 4..=11 {
        let part = client.fetch_as(version, &fetch_request(&topic, 0, 6, 0));
        let records = decode(part.records.unwrap());
        let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
        assert_eq!(offsets, (4..12).collect::<Vec<_>>(), "version {version}");
        assert_eq!((part.error_code, part.high_watermark), (0, 12));
    }
    assert_eq!(client.fetch("no-such-topic", 0, 0).error_code, 3);
    assert_eq!(client.fetch(&topic, 1, 0).error_code, 3);
}

fn from_the_middle_of_a_batch_in_every_codec(target: &Target) {
    // The batches are old.
    let topic = target.create_topic(1, &[("retention.ms", "-1")]);
    let mut client = target.connect();
    let mut next = 0;
    for (codec, sent) in COMPRESSED {
        for _ in 0..2 {
            let row = client.produce(&topic, 0, Bytes::from_static(sent));
            assert_eq!((row.error_code, row.base_offset), (0, next), "{codec}");
            next += COMPRESSED_RECORDS;
        }
    }
    for (n, (codec, sent)) in (0..).zip(COMPRESSED) {
        let first = n * 2 * COMPRESSED_RECORDS;
        for offset in first..first + COMPRESSED_RECORDS {
            let part = client.fetch(&topic, 0, offset);
            let found = part.records.unwrap();
            assert_eq!(base_offset(&found), first, "{codec} at {offset}");
            let found = found.slice(..batch_bytes(&found));
            assert_eq!(content(&found), content(sent), "{codec} at {offset}");
        }
    }
    assert_eq!(client.list_offset(&topic, 0, -1).0, next);
}

fn of_less_than_a_batch_gives_one(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let value = "v".repeat(1000);
    for _ in 0..3 {
        client.produce(&topic, 0, batch(NO_PRODUCER, &[&value, &value]));
    }
    let mut request = fetch_request(&topic, 0, 1, 0);
    request.topics[0].partitions[0].partition_max_bytes = 100;
    let records = decode(client.fetch_as(11, &request).records.unwrap());
    assert_eq!(records.len(), 2, "or no consumer would ever get past it");
    // One batch and a half: no part of a batch that could be taken for one.
    request.topics[0].partitions[0].partition_max_bytes = 3300;
    let found = client.fetch_as(11, &request).records.unwrap();
    assert_eq!(base_offset(&found), 0);
    assert!(found.len() <= 3300);
}

fn out_of_range(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    client.produce(&topic, 0, batch(NO_PRODUCER, &["a", "b"]));
    let at_the_end = client.fetch(&topic, 0, 2);
    assert_eq!(at_the_end.error_code, 0);
    assert!(at_the_end.records.unwrap_or_default().is_empty());
    for offset in [3, i64::MAX, -1] {
        assert_eq!(client.fetch(&topic, 0, offset).error_code, 1, "{offset}");
    }
}

fn waits_for_an_append(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let mut reader = target.connect();
    let wait_ms = 2 * PATIENCE.as_millis() as i32;
    for offset in 0..3 {
        // The reader gives up before the wait is over: only the append ends it.
        let waiting = reader.send(11, &fetch_request(&topic, 0, offset, wait_ms));
        client.produce(&topic, 0, batch(NO_PRODUCER, &["x"]));
        let part = reader.receive_fetched(11, waiting);
        let found = decode(part.records.unwrap());
        assert_eq!((found.len(), found[0].offset), (1, offset));
    }
    // More than there is so far: one append does not end it, the second does.
    let mut request = fetch_request(&topic, 0, 3, wait_ms);
    request.min_bytes = 1000;
    let waiting = reader.send(11, &request);
    client.produce(&topic, 0, batch(NO_PRODUCER, &["short"]));
    client.produce(&topic, 0, batch(NO_PRODUCER, &[&"long".repeat(300)]));
    let part = reader.receive_fetched(11, waiting);
    assert_eq!(decode(part.records.unwrap()).len(), 2);
}

fn comes_back_empty_in_time(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    client.produce(&topic, 0, batch(NO_PRODUCER, &["x"]));
    let began = Instant::now();
    let waiting = client.send::<FetchRequest>(11, &fetch_request(&topic, 0, 1, 300));
    let part = client.receive_fetched(11, waiting);
    // How long beyond that is the machine's affair; it may not be sooner, but
    // for the milliseconds in which brokers count.
    assert!(began.elapsed() >= Duration::from_millis(295));
    assert_eq!((part.error_code, part.high_watermark), (0, 1));
    assert!(part.records.unwrap_or_default().is_empty());
}
