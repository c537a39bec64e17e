//! Idempotent producing (KIP-98): duplicates, gaps and epochs.

use crate::batches::batch;
use crate::target::Target;
use crate::wire::Client;

const DUPLICATE_KNOWN: i16 = 0;
const OUT_OF_ORDER: i16 = 45;
const STALE_EPOCH: i16 = 47;

on_both!(
    duplicates_of_the_last_five_batches_are_acknowledged_where_they_are,
    gaps_are_refused_and_the_next_in_order_is_not,
    a_new_epoch_begins_at_zero_and_ends_the_old_one,
    an_unknown_producer_begins_anywhere,
    sequences_wrap_to_zero,
    producers_and_partitions_do_not_mix,
);

/// One batch of `records` records; answers error code and base offset.
fn send(client: &mut Client, topic: &str, producer: (i64, i16, i32), records: usize) -> (i16, i64) {
    let row = client.produce(topic, 0, batch(producer, &vec!["v"; records]));
    (row.error_code, row.base_offset)
}

fn duplicates_of_the_last_five_batches_are_acknowledged_where_they_are(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let id = client.producer_id();
    for n in 0..6 {
        let sent = send(&mut client, &topic, (id, 0, n * 2), 2);
        assert_eq!(sent, (0, i64::from(n) * 2));
    }
    for n in [5, 1, 3, 5] {
        let again = send(&mut client, &topic, (id, 0, n * 2), 2);
        assert_eq!(again, (DUPLICATE_KNOWN, i64::from(n) * 2));
    }
    // The sixth-newest is forgotten, and half of a known batch is not that batch.
    assert_eq!(send(&mut client, &topic, (id, 0, 0), 2).0, OUT_OF_ORDER);
    assert_eq!(send(&mut client, &topic, (id, 0, 10), 1).0, OUT_OF_ORDER);
    assert_eq!(client.list_offset(&topic, 0, -1).0, 12);
    assert_eq!(send(&mut client, &topic, (id, 0, 12), 1), (0, 12));
}

fn gaps_are_refused_and_the_next_in_order_is_not(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let id = client.producer_id();
    assert_eq!(send(&mut client, &topic, (id, 0, 0), 3), (0, 0));
    for sequence in [4, 1, 100, i32::MAX] {
        let refused = send(&mut client, &topic, (id, 0, sequence), 1);
        assert_eq!(refused.0, OUT_OF_ORDER, "{sequence}");
    }
    assert_eq!(client.list_offset(&topic, 0, -1).0, 3);
    assert_eq!(send(&mut client, &topic, (id, 0, 3), 1), (0, 3));
}

fn a_new_epoch_begins_at_zero_and_ends_the_old_one(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let id = client.producer_id();
    assert_eq!(send(&mut client, &topic, (id, 0, 0), 1), (0, 0));
    assert_eq!(send(&mut client, &topic, (id, 1, 1), 1).0, OUT_OF_ORDER);
    assert_eq!(send(&mut client, &topic, (id, 1, 0), 1), (0, 1));
    // The old epoch is over, for its next batch and for its duplicates.
    assert_eq!(send(&mut client, &topic, (id, 0, 1), 1).0, STALE_EPOCH);
    assert_eq!(send(&mut client, &topic, (id, 0, 0), 1).0, STALE_EPOCH);
    assert_eq!(send(&mut client, &topic, (id, 1, 0), 1), (0, 1));
    assert_eq!(send(&mut client, &topic, (id, 5, 0), 1), (0, 2));
    assert_eq!(client.list_offset(&topic, 0, -1).0, 3);
}

fn an_unknown_producer_begins_anywhere(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let id = client.producer_id();
    assert_eq!(send(&mut client, &topic, (id, 3, 77), 2), (0, 0));
    assert_eq!(send(&mut client, &topic, (id, 3, 79), 1), (0, 2));
    assert_eq!(send(&mut client, &topic, (id, 3, 77), 2), (0, 0));
}

fn sequences_wrap_to_zero(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    let id = client.producer_id();
    assert_eq!(send(&mut client, &topic, (id, 0, i32::MAX), 1), (0, 0));
    assert_eq!(send(&mut client, &topic, (id, 0, 0), 2), (0, 1));
    assert_eq!(send(&mut client, &topic, (id, 0, i32::MAX), 1), (0, 0));
    assert_eq!(send(&mut client, &topic, (id, 0, 3), 1).0, OUT_OF_ORDER);
}

fn producers_and_partitions_do_not_mix(target: &Target) {
    let topic = target.create_topic(2, &[]);
    let mut client = target.connect();
    let (one, two) = (client.producer_id(), client.producer_id());
    assert_ne!(one, two);
    assert_eq!(send(&mut client, &topic, (one, 0, 0), 1), (0, 0));
    assert_eq!(send(&mut client, &topic, (two, 0, 0), 1), (0, 1));
    let other = client.produce(&topic, 1, batch((one, 0, 0), &["v"]));
    assert_eq!((other.error_code, other.base_offset), (0, 0));
    assert_eq!(send(&mut client, &topic, (one, 0, 1), 1), (0, 2));
}
