//! Answers of SendMessage.

use divan::{
    Bencher, black_box, black_box_drop,
    counter::{BytesCount, ItemsCount},
};
use forebay_api::answer::{MessageIds, PartlyStored, error};

use crate::payload::{DATAHUB_ID, NOW_MS, TOPIC};

const REQUEST_ID: &str = "0e3f7a52-6b1c-4f0d-9a77-52c1b8d4e690";

/// Partition and offset of each message, over eight partitions.
fn places(count: usize) -> Vec<(i32, i64)> {
    let place = |index: usize| ((index * 5 % 8) as i32, 10_000_000 + index as i64);
    (0..count).map(place).collect()
}

fn message_ids(places: &[(i32, i64)]) -> Vec<u8> {
    let mut ids = MessageIds::new(DATAHUB_ID, TOPIC, NOW_MS, places.len());
    for (partition, offset) in places {
        ids.push(*partition, *offset, NOW_MS + 3);
    }
    ids.finish(REQUEST_ID)
}

#[divan::bench(args = [1, 10, 100, 500])]
fn n_message_ids(bencher: Bencher, messages: usize) {
    let places = places(messages);
    bencher
        .counter(ItemsCount::new(messages))
        .counter(BytesCount::of_slice(&message_ids(&places)))
        .bench(|| black_box_drop(message_ids(black_box(&places))));
}

/// A third each is stored, not stored, unknown.
fn partly_stored(places: &[(i32, i64)]) -> Vec<u8> {
    let mut report = PartlyStored::new(DATAHUB_ID, TOPIC, NOW_MS);
    for (index, (partition, offset)) in places.iter().enumerate() {
        match index % 3 {
            0 => report.stored(index, *partition, *offset, NOW_MS + 3),
            1 => report.not_stored(index),
            _ => report.unknown(index),
        }
    }
    error(&report.into_error(), REQUEST_ID)
}

#[divan::bench(args = [10, 500])]
fn partly_stored_n_messages(bencher: Bencher, messages: usize) {
    let places = places(messages);
    bencher
        .counter(ItemsCount::new(messages))
        .counter(BytesCount::of_slice(&partly_stored(&places)))
        .bench(|| black_box_drop(partly_stored(black_box(&places))));
}
