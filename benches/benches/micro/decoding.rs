//! Records read back, compressed ones too.

use std::{fmt, io::Write as _};

use bytes::Bytes;
use divan::{
    Bencher, black_box_drop,
    counter::{BytesCount, ItemsCount},
};
use forebay_kafka::record_batch::decode::decode_batches;

use crate::{
    encoding::encode,
    payload::{Text, samples},
};

/// Records of a batch.
const RECORDS: usize = 1000;

/// With its number in a batch's attributes.
#[derive(Clone, Copy, Debug)]
enum Codec {
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

fn pack(codec: Codec, plain: &[u8]) -> Vec<u8> {
    const FINE: &str = "packing into memory cannot fail";
    match codec {
        Codec::None => plain.to_vec(),
        Codec::Gzip => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(plain).expect(FINE);
            encoder.finish().expect(FINE)
        }
        Codec::Snappy => snap::raw::Encoder::new().compress_vec(plain).expect(FINE),
        Codec::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).expect(FINE);
            encoder.finish().expect(FINE)
        }
        Codec::Zstd => {
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            ruzstd::encoding::compress_to_vec(plain, level)
        }
    }
}

/// A batch as another client would have written it. Places of the header's
/// fields: <https://kafka.apache.org/documentation/#recordbatch>.
fn compressed(codec: Codec, batch: &[u8]) -> Bytes {
    let (header, records) = batch.split_at(61);
    let mut out = header.to_vec();
    out.extend(pack(codec, records));
    let length = i32::try_from(out.len() - 12).expect("a batch is small");
    out[8..12].copy_from_slice(&length.to_be_bytes());
    out[21..23].copy_from_slice(&(codec as i16).to_be_bytes());
    let checksum = crc32c::crc32c(&out[21..]);
    out[17..21].copy_from_slice(&checksum.to_be_bytes());
    out.into()
}

/// Bytes are those of the batch unpacked.
#[divan::bench(args = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd])]
fn decode_1000_records_of_216_bytes(bencher: Bencher, codec: Codec) {
    let batch = encode(&samples(RECORDS, Text::Document));
    let packed = compressed(codec, batch.bytes());
    let decode = || decode_batches(packed.clone(), 0).expect("the batch is right");
    assert_eq!(decode().records.len(), RECORDS, "{codec}");
    bencher
        .counter(ItemsCount::new(RECORDS))
        .counter(BytesCount::of_slice(batch.bytes()))
        .bench(|| black_box_drop(decode()));
}
