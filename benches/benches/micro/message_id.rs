//! MessageIds to text and back.

use divan::{Bencher, black_box, counter::ItemsCount};
use forebay_api::{MessageId, write_message_id};

use crate::payload::{DATAHUB_ID, NOW_MS, TOPIC};

/// Ids that are worked on one after another, of 62 bytes each.
const IDS: i64 = 100;
const OFFSETS: std::ops::Range<i64> = 10_000_000..10_000_000 + IDS;

fn write(out: &mut Vec<u8>, offset: i64) {
    write_message_id(out, DATAHUB_ID, TOPIC, 5, offset, NOW_MS, NOW_MS + 3);
}

#[divan::bench]
fn write_100_ids_into_a_buffer(bencher: Bencher) {
    let mut out = Vec::with_capacity(100 * IDS as usize);
    bencher
        .counter(ItemsCount::new(IDS as usize))
        .bench_local(|| {
            out.clear();
            for offset in OFFSETS {
                write(&mut out, black_box(offset));
            }
            black_box(out.len())
        });
}

#[divan::bench]
fn parse_100_ids(bencher: Bencher) {
    let text = |offset| {
        let mut out = Vec::new();
        write(&mut out, offset);
        String::from_utf8(out).expect("made of str and digits only")
    };
    let texts: Vec<String> = OFFSETS.map(text).collect();
    bencher.counter(ItemsCount::new(IDS as usize)).bench(|| {
        for (text, offset) in texts.iter().zip(OFFSETS) {
            let id: MessageId = black_box(text).parse().expect("it was just written");
            assert_eq!(id.offset, offset);
        }
    });
}
