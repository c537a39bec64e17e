//! Compressing a batch's records, in bounded memory.
//!
//! The output has room for what the records take now, less one byte: records
//! that do not shrink stay as they are. A compressed batch is therefore never
//! longer than the topic's limit, which is compared before compressing.
//!
//! Codecs are those of Kafka's v2 batches (KIP-98, KIP-110), in the forms that
//! its Java client writes and every reader knows. Levels and costs were measured:
//! see `docs/adr/0006-compression-beside-the-workers.md`.

use std::{
    cell::RefCell,
    fmt,
    io::{self, Write},
    str::FromStr,
};

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use super::header::{Compression, HEADER_LEN};

/// Twice as fast as Kafka's default of 6, for 7 % more bytes.
const GZIP_LEVEL: flate2::Compression = flate2::Compression::new(3);

/// Up to 1.7 times as fast as Kafka's default of 3, for no more bytes.
const ZSTD_LEVEL: i32 = 1;

/// A codec that batches can be compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Deflate with gzip's frame.
    Gzip,
    /// Snappy in the framing of the xerial Java library.
    Snappy,
    /// An lz4 frame of independent blocks (KIP-57).
    Lz4,
    /// One zstd frame that tells its content's size (KIP-110).
    Zstd,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Lz4, Self::Zstd, Self::Gzip, Self::Snappy];

    /// Its name, as in Kafka's `compression.type`.
    pub fn name(self) -> &'static str {
        Compression::from(self).name()
    }

    /// Length of records, in bytes, above which compressing them takes longer
    /// than about a quarter of a millisecond, and other work on the thread
    /// had better not wait.
    pub(crate) fn inline_bytes(self) -> usize {
        match self {
            Self::Lz4 | Self::Snappy => 128 << 10,
            Self::Zstd => 64 << 10,
            Self::Gzip => 24 << 10,
        }
    }
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Gzip => Self::Gzip,
            Codec::Snappy => Self::Snappy,
            Codec::Lz4 => Self::Lz4,
            Codec::Zstd => Self::Zstd,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No codec has that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected lz4, zstd, gzip or snappy, got {0}")]
pub struct UnknownCodec(String);

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        let mut all = Self::ALL.into_iter();
        all.find(|codec| codec.name() == name)
            .ok_or_else(|| UnknownCodec(name.to_owned()))
    }
}

/// Compressed records, behind room for their batch's header.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(super) batch: Vec<u8>,
    pub(super) codec: Codec,
}

/// Compresses `records`, the part of a batch after its header; `None` if that
/// does not make them shorter. Takes no more memory than `records` has, and up
/// to about a mebibyte for the codec's tables.
pub(crate) fn compress(codec: Codec, records: &[u8]) -> Option<Packed> {
    let most = HEADER_LEN + records.len().checked_sub(1)?;
    // Room for half to begin with: what needs more grows.
    let mut batch = Vec::with_capacity(HEADER_LEN + records.len() / 2);
    batch.resize(HEADER_LEN, 0);
    let sink = Bounded { batch, most };
    let packed = match codec {
        Codec::Gzip => gzip(records, sink),
        Codec::Snappy => snappy(records, sink),
        Codec::Lz4 => lz4(records, sink),
        Codec::Zstd => zstd(records, sink),
    };
    // Writing to memory fails for nothing else than the bound.
    let mut batch = packed.ok()?.batch;
    // It is kept until it is acknowledged.
    batch.shrink_to_fit();
    Some(Packed { batch, codec })
}

/// Refuses what would make it longer than `most`.
struct Bounded {
    batch: Vec<u8>,
    most: usize,
}

impl Bounded {
    fn left(&self) -> usize {
        self.most - self.batch.len()
    }
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() > self.left() {
            return Err(does_not_shrink());
        }
        self.batch.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn does_not_shrink() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

fn gzip(records: &[u8], sink: Bounded) -> io::Result<Bounded> {
    let mut encoder = flate2::write::GzEncoder::new(sink, GZIP_LEVEL);
    encoder.write_all(records)?;
    encoder.finish()
}

/// Kafka's Java client reads independent blocks only, and writes 64 KiB ones.
fn lz4(records: &[u8], sink: Bounded) -> io::Result<Bounded> {
    let form = FrameInfo::new()
        .block_mode(BlockMode::Independent)
        .block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(form, sink);
    encoder.write_all(records)?;
    Ok(encoder.finish()?)
}

fn zstd(records: &[u8], mut sink: Bounded) -> io::Result<Bounded> {
    thread_local! {
        /// Making a context costs as much as compressing 10 kB.
        static CONTEXT: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    sink.batch.resize(sink.most, 0);
    let len = CONTEXT.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            None => context.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
        };
        context.compress_to_buffer(records, &mut sink.batch[HEADER_LEN..])
    })?;
    sink.batch.truncate(HEADER_LEN + len);
    Ok(sink)
}

/// What the xerial library begins with: its magic, its version, and the oldest
/// version that can read it.
const XERIAL_HEADER: &[u8] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// Length of its pieces before compressing.
const XERIAL_PIECE: usize = 32 << 10;

fn snappy(records: &[u8], mut sink: Bounded) -> io::Result<Bounded> {
    let mut encoder = snap::raw::Encoder::new();
    let longest = snap::raw::max_compress_len(XERIAL_PIECE.min(records.len()));
    let mut packed = vec![0; longest];
    sink.write_all(XERIAL_HEADER)?;
    for piece in records.chunks(XERIAL_PIECE) {
        let len = encoder.compress(piece, &mut packed)?;
        let prefix = u32::try_from(len).map_err(|_| does_not_shrink())?;
        sink.write_all(&prefix.to_be_bytes())?;
        sink.write_all(&packed[..len])?;
    }
    Ok(sink)
}

#[cfg(test)]
mod tests;
