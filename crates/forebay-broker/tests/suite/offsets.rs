//! ListOffsets: the ends, and by time.

use bytes::Bytes;

use crate::batches::{
    COMPRESSED, COMPRESSED_FROM_MS, COMPRESSED_RECORDS, NO_PRODUCER, batch, batch_at,
};
use crate::target::Target;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LATEST_IN_TIME: i64 = -3;
const NOWHERE: (i64, i64) = (-1, -1);

on_both!(
    of_both_ends,
    by_time_inside_batches,
    by_time_in_compressed_batches,
);

fn of_both_ends(target: &Target) {
    let topic = target.create_topic(2, &[]);
    let mut client = target.connect();
    for end in [EARLIEST, LATEST] {
        assert_eq!(client.list_offset(&topic, 0, end).0, 0);
    }
    for batches in 1..=3 {
        client.produce(&topic, 0, batch(NO_PRODUCER, &["a", "b", "c"]));
        assert_eq!(client.list_offset(&topic, 0, EARLIEST).0, 0);
        assert_eq!(client.list_offset(&topic, 0, LATEST).0, batches * 3);
        assert_eq!(client.list_offset(&topic, 1, LATEST).0, 0);
    }
    assert_eq!(client.try_list_offset(&topic, 2, LATEST), Err(3));
    assert_eq!(client.try_list_offset("no-such-topic", 0, LATEST), Err(3));
}

fn by_time_inside_batches(target: &Target) {
    let topic = target.create_topic(1, &[("retention.ms", "-1")]);
    let mut client = target.connect();
    assert_eq!(client.list_offset(&topic, 0, 0), NOWHERE);
    assert_eq!(client.list_offset(&topic, 0, LATEST_IN_TIME), NOWHERE);
    let t = 1_700_000_000_000;
    // Not in order: clients' clocks differ.
    let batches = [[t + 10, t + 30], [t + 20, t + 50], [t + 40, t + 40]];
    for [first, second] in batches {
        let sent = batch_at(NO_PRODUCER, &[(first, "a"), (second, "b")]);
        assert_eq!(client.produce(&topic, 0, sent).error_code, 0);
    }
    for (wanted, offset, found) in [
        (0, 0, 10),
        (t, 0, 10),
        (t + 10, 0, 10),
        (t + 11, 1, 30),
        (t + 31, 3, 50),
        (t + 50, 3, 50),
    ] {
        let answer = client.list_offset(&topic, 0, wanted);
        assert_eq!(answer, (offset, t + found), "{wanted}");
    }
    assert_eq!(client.list_offset(&topic, 0, t + 51), NOWHERE);
    let newest = client.list_offset(&topic, 0, LATEST_IN_TIME);
    assert_eq!(newest, (3, t + 50));
}

/// The embedded broker has no codecs: the batch's first offset stands for every
/// record in it, so that a consumer that starts there misses nothing.
fn by_time_in_compressed_batches(target: &Target) {
    let topic = target.create_topic(1, &[("retention.ms", "-1")]);
    let mut client = target.connect();
    for (_, sent) in COMPRESSED {
        client.produce(&topic, 0, Bytes::from_static(sent));
    }
    let fourth = COMPRESSED_FROM_MS + 3000;
    let (offset, _) = client.list_offset(&topic, 0, fourth);
    assert_eq!(offset, if target.is_embedded() { 0 } else { 3 });
    let newest = COMPRESSED_FROM_MS + (COMPRESSED_RECORDS - 1) * 1000;
    assert_eq!(client.list_offset(&topic, 0, newest + 1), NOWHERE);
}
