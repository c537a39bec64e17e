//! Record batches to send, and what comes back.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

#[allow(clippy::disallowed_methods, reason = "a test's clock")]
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    since.as_millis() as i64
}

/// No idempotent producer.
pub(crate) const NO_PRODUCER: (i64, i16, i32) = (-1, -1, -1);

/// An uncompressed batch of these values; `producer` is id, epoch and first
/// sequence.
pub(crate) fn batch(producer: (i64, i16, i32), values: &[&str]) -> Bytes {
    let now = now_ms();
    let rows: Vec<_> = values.iter().map(|value| (now, *value)).collect();
    batch_at(producer, &rows)
}

/// As [`batch`], each value with its timestamp.
pub(crate) fn batch_at(producer: (i64, i16, i32), rows: &[(i64, &str)]) -> Bytes {
    let key = |n| Some(Bytes::from(format!("key{n}")));
    encode(producer, rows, key)
}

/// As [`batch`], without keys.
pub(crate) fn batch_without_keys(values: &[&str]) -> Bytes {
    let rows: Vec<_> = values.iter().map(|value| (now_ms(), *value)).collect();
    encode(NO_PRODUCER, &rows, |_| None)
}

fn encode(
    (producer_id, producer_epoch, sequence): (i64, i16, i32),
    rows: &[(i64, &str)],
    key: impl Fn(i64) -> Option<Bytes>,
) -> Bytes {
    let records: Vec<Record> = (0..)
        .zip(rows)
        .map(|(n, (timestamp, value))| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id,
            producer_epoch,
            timestamp_type: TimestampType::Creation,
            offset: n,
            // The encoder begins another batch where sequences do not go on.
            sequence: sequence + n as i32,
            timestamp: *timestamp,
            key: key(n),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: Default::default(),
        })
        .collect();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    let mut out = BytesMut::new();
    RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
    out.freeze()
}

/// The records of uncompressed batches.
pub(crate) fn decode(mut batches: Bytes) -> Vec<Record> {
    let sets = RecordBatchDecoder::decode_all(&mut batches).unwrap();
    sets.into_iter().flat_map(|set| set.records).collect()
}

/// Records in each of [`COMPRESSED`].
pub(crate) const COMPRESSED_RECORDS: i64 = 10;
/// Timestamp of the first record in each of [`COMPRESSED`]; the next ones
/// follow by the second.
pub(crate) const COMPRESSED_FROM_MS: i64 = 1_700_000_000_000;

/// The same batch in every codec, as the Java client writes it; made by
/// `tests/kafka/CompressedBatches.java`.
pub(crate) const COMPRESSED: &[(&str, &[u8])] = &[
    ("gzip", include_bytes!("compressed/gzip.batch")),
    ("snappy", include_bytes!("compressed/snappy.batch")),
    ("lz4", include_bytes!("compressed/lz4.batch")),
    ("zstd", include_bytes!("compressed/zstd.batch")),
];

/// A stored batch's first offset.
pub(crate) fn base_offset(batch: &[u8]) -> i64 {
    i64::from_be_bytes(*batch.first_chunk().unwrap())
}

/// Bytes of the batch that `batches` begins with.
pub(crate) fn batch_bytes(batches: &[u8]) -> usize {
    let length = batches[8..12].first_chunk().unwrap();
    12 + i32::from_be_bytes(*length) as usize
}

/// A batch from where producer and log have to agree: offset and leader epoch
/// before it are the log's to give.
pub(crate) fn content(batch: &[u8]) -> &[u8] {
    &batch[16..]
}
