use proptest::prelude::*;

use super::*;
use crate::record_batch::{
    encode::{BatchEncoder, ProducerStamp},
    header::{
        ATTRIBUTES, BASE_OFFSET, BATCH_LENGTH, CRC, LAST_OFFSET_DELTA, MAGIC, MAX_TIMESTAMP,
        RECORD_COUNT,
    },
};

const STAMP: ProducerStamp = ProducerStamp {
    producer_id: 9,
    epoch: 1,
    base_sequence: 5,
};

/// Three records at offsets `base`, `base + 1`, `base + 2`.
fn batch(base: i64) -> Vec<u8> {
    let mut encoder = BatchEncoder::default();
    encoder.push(1000, Some(b"k"), Some(b"first"));
    encoder.push(1001, None, Some(b""));
    encoder.push(999, Some(b""), Some(b"third"));
    let mut bytes = encoder.freeze(STAMP).bytes().to_vec();
    bytes[BASE_OFFSET].copy_from_slice(&base.to_be_bytes());
    bytes
}

fn sum_up(bytes: &mut [u8]) {
    let crc = crc32c::crc32c(&bytes[CRC.end..]);
    bytes[CRC].copy_from_slice(&crc.to_be_bytes());
}

/// A batch of one record with this body, offset 0.
fn batch_of(body: &[u8]) -> Vec<u8> {
    let mut bytes = batch(0);
    bytes.truncate(HEADER_LEN);
    assert!(body.len() < 64);
    bytes.push(body.len() as u8 * 2);
    bytes.extend_from_slice(body);
    bytes[RECORD_COUNT].copy_from_slice(&1i32.to_be_bytes());
    let len = (bytes.len() - BATCH_LENGTH.end) as i32;
    bytes[BATCH_LENGTH].copy_from_slice(&len.to_be_bytes());
    sum_up(&mut bytes);
    bytes
}

fn decode(bytes: Vec<u8>, from: i64) -> DecodedBatches {
    decode_batches(bytes.into(), from).unwrap()
}

fn offsets(found: &DecodedBatches) -> Vec<i64> {
    found.records.iter().map(|record| record.offset).collect()
}

#[test]
fn records_before_the_offset_and_a_cut_off_batch_are_left_out() {
    let mut bytes = [batch(10), batch(13), batch(16)].concat();
    bytes.pop();
    let found = decode(bytes, 12);
    assert_eq!(offsets(&found), [12, 13, 14, 15]);
    assert_eq!(found.next_offset, Some(16));
    assert_eq!(found.records[0].key.as_deref(), Some(&b""[..]));
    assert_eq!(found.records[0].timestamp_ms, 999);
    assert_eq!(found.records[2].key, None);
    assert_eq!(found.records[2].value.as_deref(), Some(&b""[..]));
    for len in 0..batch(0).len() {
        let found = decode(batch(0)[..len].to_vec(), 0);
        assert_eq!(found, DecodedBatches::default(), "{len} bytes");
    }
}

#[test]
fn what_compaction_leaves_keeps_the_batchs_end() {
    let mut bytes = batch(10);
    bytes[LAST_OFFSET_DELTA].copy_from_slice(&40i32.to_be_bytes());
    sum_up(&mut bytes);
    let found = decode(bytes.clone(), 13);
    assert_eq!((offsets(&found), found.next_offset), (vec![], Some(51)));
    let none_left = batch_of(&[]);
    let mut none_left = none_left[..HEADER_LEN].to_vec();
    none_left[RECORD_COUNT].fill(0);
    none_left[BATCH_LENGTH].copy_from_slice(&49i32.to_be_bytes());
    sum_up(&mut none_left);
    assert_eq!(decode(none_left, 0).next_offset, Some(3));
}

#[test]
fn control_batches_are_skipped() {
    let mut bytes = batch(10);
    bytes[ATTRIBUTES].copy_from_slice(&0x30i16.to_be_bytes());
    sum_up(&mut bytes);
    let found = decode([bytes, batch(13)].concat(), 10);
    assert_eq!(offsets(&found), [13, 14, 15]);
}

#[test]
fn the_time_of_the_append_overrides_that_of_the_records() {
    let mut bytes = batch(0);
    bytes[ATTRIBUTES].copy_from_slice(&0x08i16.to_be_bytes());
    bytes[MAX_TIMESTAMP].copy_from_slice(&7777i64.to_be_bytes());
    sum_up(&mut bytes);
    assert!(
        decode(bytes, 0)
            .records
            .iter()
            .all(|record| record.timestamp_ms == 7777)
    );
}

#[test]
fn null_values_and_odd_headers_are_read() {
    // Attributes, deltas; null key, null value; headers "\xff" = null, "" = "v".
    let body = [0, 0, 0, 1, 1, 4, 2, 0xff, 1, 0, 2, b'v'];
    let found = decode(batch_of(&body), 0);
    let headers = vec![
        (Bytes::from_static(b"\xff"), None),
        (Bytes::new(), Some(Bytes::from_static(b"v"))),
    ];
    let [record] = &found.records[..] else {
        panic!("one record: {found:?}")
    };
    assert_eq!(
        (&record.key, &record.value, record.headers.iter().collect()),
        (&None, &None, headers)
    );
}

#[test]
fn malformed_records_are_errors() {
    let too_many_headers = [0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f];
    let bodies: [&[u8]; 6] = [
        &[],
        &[0, 0, 0, 1, 1],         // ends before its headers
        &[0, 0, 0, 1, 1, 0, 0],   // goes on after its headers
        &[0, 0, 1, 1, 1, 0],      // an offset before the batch
        &[0, 0, 0, 200, 1, 1, 0], // a key beyond the record
        &too_many_headers,
    ];
    for body in bodies {
        let error = decode_batches(batch_of(body).into(), 0).unwrap_err();
        assert!(
            matches!(error, Error::CorruptBatch { offset: 0, .. }),
            "{body:?}: {error}"
        );
    }
    let mut more_than_there_are = batch(0);
    more_than_there_are[RECORD_COUNT].copy_from_slice(&i32::MAX.to_be_bytes());
    sum_up(&mut more_than_there_are);
    decode_batches(more_than_there_are.into(), 0).unwrap_err();
}

#[test]
fn damage_compression_and_old_formats_are_named() {
    let error = |bytes: Vec<u8>| decode_batches(bytes.into(), 0).unwrap_err().to_string();
    let mut damaged = batch(0);
    *damaged.last_mut().unwrap() ^= 1;
    assert!(error(damaged).contains("checksum"));
    let mut old = batch(0);
    old[MAGIC.start] = 1;
    assert!(error(old).contains("message format v1, expected v2"));
    for (codec, name) in [
        (1i16, "gzip: "),
        (2, "snappy: "),
        (3, "lz4: "),
        (4, "zstd: "),
    ] {
        let mut not_so = batch(0);
        not_so[ATTRIBUTES].copy_from_slice(&codec.to_be_bytes());
        sum_up(&mut not_so);
        let error = error(not_so);
        assert!(error.contains(name), "{error}");
    }
    let mut undefined = batch(0);
    undefined[ATTRIBUTES].copy_from_slice(&5i16.to_be_bytes());
    sum_up(&mut undefined);
    assert!(error(undefined).contains("compressed with"));
    for length in [-1, 0, 4, 48, i32::MIN] {
        let mut bytes = batch(0);
        bytes[BATCH_LENGTH].copy_from_slice(&i32::to_be_bytes(length));
        assert!(error(bytes).contains("impossible length"), "{length}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), from: i64) {
        drop(decode_batches(bytes.into(), from));
    }

    /// With a right checksum, so that the damage reaches the records.
    #[test]
    fn damaged_batches_never_panic(
        damage in proptest::collection::vec((17usize..84, any::<u8>()), 1..6),
        from: i64,
        base: i64,
    ) {
        let mut bytes = batch(base);
        for (place, byte) in damage {
            if let Some(place) = bytes.get_mut(place) {
                *place = byte;
            }
        }
        sum_up(&mut bytes);
        drop(decode_batches(bytes.into(), from));
    }
}
