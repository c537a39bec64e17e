use forebay_kafka::record_batch::encode::{BatchEncoder, ProducerStamp};

use super::*;
use crate::{admission::Admission, query::memory::QueryMemory};

const LIMIT: usize = 1 << 20;

/// A batch of values at `base` and on.
fn batch(base: i64, values: &[&str]) -> Vec<u8> {
    let mut encoder = BatchEncoder::default();
    for value in values {
        encoder.push(1000, None, Some(value.as_bytes()));
    }
    let stamp = ProducerStamp {
        producer_id: 1,
        epoch: 0,
        base_sequence: 0,
    };
    let mut bytes = encoder.freeze(stamp).bytes().to_vec();
    // The base offset is the broker's and not in the checksum.
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes
}

/// The same as a marker of a transaction's end: attributes are bytes 21–22,
/// under the checksum of bytes 17–20.
fn marker(base: i64) -> Vec<u8> {
    let mut bytes = batch(base, &["marker"]);
    bytes[21..23].copy_from_slice(&0x30i16.to_be_bytes());
    let sum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn scanned(fetched: Vec<u8>, offset: i64, wanted: Wanted) -> Scanned {
    let memory = QueryMemory::new(&Admission::new(64 << 20));
    let mut permit = memory.try_reserve(0).unwrap();
    scan(fetched.into(), offset, wanted, LIMIT, &mut permit).unwrap()
}

fn values(scanned: &Scanned) -> Vec<(i64, &str)> {
    let records = scanned.records.iter();
    records
        .map(|record| (record.offset, text(record)))
        .collect()
}

fn text(record: &DecodedRecord) -> &str {
    std::str::from_utf8(record.value.as_deref().unwrap()).unwrap()
}

#[test]
fn one_record_is_taken_from_the_middle_of_a_batch() {
    let fetched = [
        batch(0, &["a"]),
        batch(1, &["b", "c", "d"]),
        batch(4, &["e"]),
    ]
    .concat();
    let found = scanned(fetched, 2, Wanted::FIRST);
    assert_eq!(values(&found), [(2, "c")]);
    assert_eq!(found.next_offset, Some(3));
}

#[test]
fn nothing_after_the_last_wanted_record_is_looked_at() {
    let mut damaged = batch(3, &["z"]);
    *damaged.last_mut().unwrap() ^= 1;
    let fetched = [batch(0, &["a", "b", "c"]), damaged].concat();
    let found = scanned(fetched, 1, Wanted::list(2, 1000));
    assert_eq!(values(&found), [(1, "b"), (2, "c")]);
}

#[test]
fn markers_and_gaps_show_what_comes_next() {
    let fetched = [batch(0, &["a"]), marker(1), batch(7, &["h"])].concat();
    assert_eq!(values(&scanned(fetched, 1, Wanted::FIRST)), [(7, "h")]);
    let end = scanned([batch(0, &["a"]), marker(1)].concat(), 1, Wanted::FIRST);
    assert_eq!((end.records.len(), end.next_offset), (0, Some(2)));
    let mut cut_off = batch(0, &["a"]);
    cut_off.pop();
    assert_eq!(scanned(cut_off, 0, Wanted::FIRST).next_offset, None);
}

#[test]
fn a_list_ends_at_its_bytes_but_not_before_its_first_record() {
    let fetched = || batch(0, &["four", "four", "four"]);
    let found = scanned(fetched(), 0, Wanted::list(3, 9));
    assert_eq!((values(&found).len(), found.bytes_left), (2, 0));
    assert_eq!(
        found.next_offset,
        Some(2),
        "the third one is for another list"
    );
    let found = scanned(fetched(), 0, Wanted::list(3, 12));
    assert_eq!((values(&found).len(), found.bytes_left), (3, 0));
    let found = scanned(fetched(), 1, Wanted::list(3, 1));
    assert_eq!((values(&found), found.bytes_left), (vec![(1, "four")], 0));
    let begun = Wanted {
        begun: true,
        ..Wanted::list(3, 1)
    };
    let found = scanned(fetched(), 1, begun);
    assert_eq!((values(&found), found.next_offset), (vec![], Some(1)));
}

/// A batch of one value of `len` characters, in a thousandth of that.
fn gzip_batch(len: usize) -> Vec<u8> {
    use std::io::Write as _;
    let plain = batch(0, &[&"0".repeat(len)]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&plain[61..]).unwrap();
    let mut bytes = plain[..61].to_vec();
    bytes.extend(encoder.finish().unwrap());
    bytes[21..23].copy_from_slice(&1i16.to_be_bytes());
    let len = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&len.to_be_bytes());
    let sum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&sum.to_be_bytes());
    bytes
}

#[test]
fn a_bomb_is_refused_by_its_limit_and_by_memory() {
    let scan_in = |memory_limit, len| {
        let all = Admission::new(memory_limit);
        let mut permit = QueryMemory::new(&all).try_reserve(0).unwrap();
        let result = scan(gzip_batch(len).into(), 0, Wanted::FIRST, LIMIT, &mut permit);
        (result.map(|found| found.records.len()), all.in_flight())
    };
    let (small, held) = scan_in(64 << 20, 900_000);
    assert_eq!(small.unwrap(), 1);
    assert!((900_000..2_000_000).contains(&held), "{held}");
    let (bomb, held) = scan_in(64 << 20, 16 << 20);
    let error = bomb.unwrap_err();
    assert!(matches!(error, QueryError::Unreadable(_)), "{error:?}");
    assert!(
        error.to_string().contains("limit of 1048576 bytes"),
        "{error}"
    );
    assert!(held < 1 << 20, "{held}");
    let (no_memory, held) = scan_in(1 << 20, 900_000);
    assert!(matches!(no_memory, Err(QueryError::TooLarge { .. })));
    assert!(held <= 512 << 10, "{held}");
}
