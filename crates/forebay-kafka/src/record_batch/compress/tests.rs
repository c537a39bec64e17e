use proptest::prelude::*;

use super::*;
use crate::record_batch::{
    decode::decode_batches,
    encode::{BatchEncoder, ProducerStamp},
    header::BatchHeader,
};

const STAMP: ProducerStamp = ProducerStamp {
    producer_id: 4711,
    epoch: 3,
    base_sequence: 9,
};

type Message = (i64, Option<Vec<u8>>, Vec<u8>);

fn encode(messages: &[Message]) -> BatchEncoder {
    let mut records = BatchEncoder::default();
    for (time, key, value) in messages {
        records.push(*time, key.as_deref(), Some(value));
    }
    records
}

/// Freezes them compressed, or as they are where that is shorter; checks the
/// header and what decodes.
fn round_trip(codec: Codec, messages: &[Message]) -> BatchHeader {
    let records = encode(messages);
    let plain_len = records.encoded_len();
    let packed = compress(codec, records.records());
    let compression = packed.as_ref().map_or(Compression::None, |_| codec.into());
    let frozen = records.freeze_as(packed, STAMP);
    assert_eq!(frozen.count() as usize, messages.len());
    let bytes = bytes::Bytes::copy_from_slice(frozen.bytes());
    let header = BatchHeader::read(&bytes).unwrap().unwrap();
    assert_eq!(header.len, bytes.len());
    assert_eq!(header.compression(), compression);
    assert_eq!(header.len < plain_len, compression != Compression::None);
    assert_eq!(header.last_offset_delta as usize, messages.len() - 1);
    assert_eq!(header.record_count as usize, messages.len());
    assert_eq!(header.base_sequence, STAMP.base_sequence);
    let times = messages.iter().map(|(time, ..)| *time);
    assert_eq!(header.max_timestamp, times.max().unwrap());
    let found = decode_batches(bytes, 0).unwrap().records;
    let found: Vec<Message> = found
        .into_iter()
        .map(|record| {
            (
                record.timestamp_ms,
                record.key.map(Vec::from),
                record.value.unwrap().to_vec(),
            )
        })
        .collect();
    assert_eq!(found, messages, "{codec}");
    header
}

fn message(value: Vec<u8>) -> Message {
    (1_000, Some(b"key".to_vec()), value)
}

/// Bytes that no codec makes fewer of.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn what_repeats_is_compressed_whatever_its_size() {
    for codec in Codec::ALL {
        // Around the sizes of lz4's blocks and of xerial's pieces, and of
        // several of them.
        for len in [200, 32_700, 32_768, 65_400, 65_536, 65_600, 900_000] {
            let text = b"all work and no play. ".iter().copied().cycle();
            let header = round_trip(codec, &[message(text.take(len).collect())]);
            assert_eq!(header.compression(), codec.into());
            assert!(
                header.len < 150 + len / 10,
                "{codec}: {} of {len}",
                header.len
            );
        }
    }
}

#[test]
fn what_does_not_shrink_stays_as_it_is() {
    for codec in Codec::ALL {
        for len in [0, 1, 500, 32_768, 65_536, 500_000] {
            let header = round_trip(codec, &[message(noise(len))]);
            assert_eq!(header.compression(), Compression::None, "{codec}, {len}");
        }
        assert!(compress(codec, &[]).is_none());
        // After that it still compresses: contexts are used again.
        let header = round_trip(codec, &[message(vec![b'a'; 10_000])]);
        assert_eq!(header.compression(), codec.into());
    }
}

#[test]
fn one_byte_less_is_shorter_and_as_many_are_not() {
    // Compressible text followed by noise, at the very edge.
    for codec in Codec::ALL {
        for repeated in 0..400 {
            let mut value = noise(3_000);
            value.extend(std::iter::repeat_n(b'a', repeated));
            round_trip(codec, &[message(value)]);
        }
    }
}

#[test]
fn names_are_kafkas() {
    for codec in Codec::ALL {
        assert_eq!(codec.name().parse(), Ok(codec));
    }
    let error = "LZ4".parse::<Codec>().unwrap_err().to_string();
    assert_eq!(error, "expected lz4, zstd, gzip or snappy, got LZ4");
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        "[ab]{0,300}".prop_map(String::into_bytes),
        (0..70_000usize).prop_map(|len| b"{\"a\":1}".repeat(len / 7)),
    ];
    let key = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
    proptest::collection::vec((0i64..4_000_000_000_000, key, value), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_compressed_decodes_as_it_was(messages in messages()) {
        for codec in Codec::ALL {
            round_trip(codec, &messages);
        }
    }
}
