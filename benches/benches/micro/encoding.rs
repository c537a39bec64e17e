//! Messages into a record batch.

use divan::{
    Bencher, black_box, black_box_drop,
    counter::{BytesCount, ItemsCount},
};
use forebay_kafka::record_batch::encode::{BatchEncoder, FrozenBatch, ProducerStamp};

use crate::payload::{NOW_MS, Sample, Text, samples};

const STAMP: ProducerStamp = ProducerStamp {
    producer_id: 4_001,
    epoch: 0,
    base_sequence: 77,
};

/// A batch of these records, as the queue of a partition makes it: room for
/// all of a request's messages at once, and the checksum at the end.
pub(crate) fn encode(samples: &[Sample]) -> FrozenBatch {
    push_all(samples).freeze(STAMP)
}

fn push_all(samples: &[Sample]) -> BatchEncoder {
    let mut encoder = BatchEncoder::default();
    let room = |sample: &Sample| {
        BatchEncoder::max_record_len(Some(sample.key.as_bytes()), Some(sample.value.as_bytes()))
    };
    encoder.reserve(samples.iter().map(room).sum());
    for Sample { key, value } in samples {
        encoder.push(NOW_MS, Some(key.as_bytes()), Some(value.as_bytes()));
    }
    encoder
}

#[divan::bench(args = [1, 100, 1000])]
fn push_n_records_of_216_bytes(bencher: Bencher, records: usize) {
    let samples = samples(records, Text::Plain);
    bencher
        .counter(ItemsCount::new(records))
        .counter(BytesCount::new(push_all(&samples).encoded_len()))
        .bench(|| black_box_drop(push_all(black_box(&samples))));
}

#[divan::bench(args = [1, 100, 1000])]
fn push_and_freeze_n_records_of_216_bytes(bencher: Bencher, records: usize) {
    let samples = samples(records, Text::Plain);
    bencher
        .counter(ItemsCount::new(records))
        .counter(BytesCount::of_slice(encode(&samples).bytes()))
        .bench(|| black_box_drop(encode(black_box(&samples))));
}
