//! Decompressing a batch's records, in bounded memory.
//!
//! A kilobyte can unpack to a gigabyte, so nothing is unpacked before its size
//! is known and paid for: the first pass only measures, and stops beyond the
//! limit; the second one writes into a buffer of exactly that size. That costs
//! the work twice, where records are read one by one and never in bulk.
//!
//! Codecs are those of Kafka's v2 batches (KIP-98, KIP-110). Snappy comes in
//! two framings: raw, and that of the xerial Java library, which Kafka's own
//! clients write.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::header::Compression;

/// What unpacking may take.
pub struct InflateBudget<'b> {
    /// Longest batch that is unpacked, in bytes.
    pub limit: usize,
    /// Reserves that many bytes, or says that they are not to be had. Called
    /// before they are allocated; what it gave is never given back through it.
    pub take: &'b mut dyn FnMut(usize) -> bool,
}

/// Why a batch was not unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InflateError {
    /// It is longer than the limit.
    OverLimit,
    /// The budget does not hold that many bytes.
    NoMemory(usize),
    /// Not what its codec writes.
    Malformed(String),
}

impl From<io::Error> for InflateError {
    fn from(error: io::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Unpacks `packed`, which must not be uncompressed or of an unknown codec.
pub(crate) fn inflate(
    codec: Compression,
    packed: &[u8],
    budget: &mut InflateBudget<'_>,
) -> Result<Bytes, InflateError> {
    let of_decoder = decoder_bytes(codec, packed, budget.limit)?;
    reserve(of_decoder, budget)?;
    let mut len = 0usize;
    unpack(codec, packed, budget.limit, &mut |piece| {
        len = len.saturating_add(piece.len());
        len <= budget.limit
    })?;
    if len > budget.limit {
        return Err(InflateError::OverLimit);
    }
    reserve(len, budget)?;
    let mut out = Vec::with_capacity(len);
    unpack(codec, packed, budget.limit, &mut |piece| {
        out.extend_from_slice(piece);
        true
    })?;
    Ok(out.into())
}

fn reserve(bytes: usize, budget: &mut InflateBudget<'_>) -> Result<(), InflateError> {
    if (budget.take)(bytes) {
        Ok(())
    } else {
        Err(InflateError::NoMemory(bytes))
    }
}

/// Receives pieces; `false` ends the unpacking.
type Sink<'s> = dyn FnMut(&[u8]) -> bool + 's;

fn unpack(
    codec: Compression,
    packed: &[u8],
    limit: usize,
    sink: &mut Sink<'_>,
) -> Result<(), InflateError> {
    match codec {
        Compression::Gzip => drain(MultiGzDecoder::new(packed), sink).map(drop),
        Compression::Lz4 => drain(lz4_flex::frame::FrameDecoder::new(packed), sink).map(drop),
        Compression::Zstd => zstd_frames(packed, sink),
        Compression::Snappy => snappy(packed, limit, sink),
        Compression::None | Compression::Unknown => {
            Err(InflateError::Malformed("no such codec".to_owned()))
        }
    }
}

/// Length of the pieces that decoders write.
const PIECE: usize = 32 << 10;

/// Whether the sink wants more.
fn drain(mut from: impl Read, sink: &mut Sink<'_>) -> Result<bool, InflateError> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(true),
            Ok(len) => {
                if !sink(&piece[..len]) {
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

const ZSTD_MAGIC: u32 = 0xFD2F_B528;
/// RFC 8878 §3.1.2: skippable frames, whose last four bits may be anything.
const ZSTD_SKIPPABLE: u32 = 0x184D_2A50;

/// Window that is granted where the first frame does not say what it needs.
const ZSTD_WINDOW: u64 = 8 << 20;

/// All frames, one after another (RFC 8878 §3.1). None gets a larger window
/// than the first one, which is what was paid for; writers for Kafka make one.
fn zstd_frames(packed: &[u8], sink: &mut Sink<'_>) -> Result<(), InflateError> {
    let malformed = |what: &str| InflateError::Malformed(what.to_owned());
    let window = zstd_window(packed).unwrap_or(ZSTD_WINDOW);
    let mut rest = packed;
    while !rest.is_empty() {
        let magic = rest
            .first_chunk()
            .map(|magic| u32::from_le_bytes(*magic))
            .ok_or_else(|| malformed("frame cut off"))?;
        if magic & !0xF == ZSTD_SKIPPABLE {
            let len = rest
                .get(4..8)
                .and_then(|len| <[u8; 4]>::try_from(len).ok())
                .and_then(|len| usize::try_from(u32::from_le_bytes(len)).ok())
                .ok_or_else(|| malformed("skippable frame cut off"))?;
            rest = rest
                .get(8..)
                .and_then(|rest| rest.get(len..))
                .ok_or_else(|| malformed("skippable frame cut off"))?;
            continue;
        }
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(window);
        let frame = StreamingDecoder::new_with_decoder(&mut rest, &mut decoder)
            .map_err(|error| InflateError::Malformed(error.to_string()))?;
        if !drain(frame, sink)? {
            return Ok(());
        }
        let (wanted, found) = (
            decoder.get_checksum_from_data(),
            decoder.get_calculated_checksum(),
        );
        if wanted.is_some() && wanted != found {
            return Err(malformed("wrong checksum of the frame"));
        }
    }
    Ok(())
}

/// What a decoder allocates for itself, roughly and rather too much.
fn decoder_bytes(codec: Compression, packed: &[u8], limit: usize) -> Result<usize, InflateError> {
    const SMALL: usize = 256 << 10;
    let own = match codec {
        // Source, target twice for linked blocks.
        Compression::Lz4 => 3 * lz4_block_bytes(packed),
        // A ring that grows in powers of two beyond the window.
        Compression::Zstd => {
            let window = zstd_window(packed).unwrap_or(ZSTD_WINDOW);
            let window = usize::try_from(window)
                .ok()
                .filter(|window| *window <= limit);
            2 * window.ok_or(InflateError::OverLimit)?
        }
        // Pieces are unpacked one at a time; their lengths are checked there.
        Compression::Snappy => largest_snappy_piece(packed, limit)?,
        Compression::Gzip | Compression::None | Compression::Unknown => 0,
    };
    Ok(own + SMALL)
}

/// The block size of an lz4 frame, from its descriptor's second byte.
fn lz4_block_bytes(packed: &[u8]) -> usize {
    match packed.get(5).map(|descriptor| (descriptor >> 4) & 7) {
        Some(4) => 64 << 10,
        Some(5) => 256 << 10,
        Some(6) => 1 << 20,
        _ => 4 << 20,
    }
}

/// The window of the frame that begins the data (RFC 8878 §3.1.1.1).
fn zstd_window(packed: &[u8]) -> Option<u64> {
    if u32::from_le_bytes(*packed.first_chunk()?) != ZSTD_MAGIC {
        return None;
    }
    let descriptor = *packed.get(4)?;
    let single_segment = descriptor & 0x20 != 0;
    if !single_segment {
        let window = *packed.get(5)?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    let dictionary_len = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size_len = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let mut size = [0; 8];
    size[..size_len].copy_from_slice(packed.get(5 + dictionary_len..)?.get(..size_len)?);
    let base = if size_len == 2 { 256 } else { 0 };
    u64::from_le_bytes(size).checked_add(base)
}

/// What the xerial library begins with; two numbers follow, of 4 bytes each.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER: usize = XERIAL_MAGIC.len() + 8;

/// The raw pieces inside either framing.
fn snappy_pieces(packed: &[u8]) -> impl Iterator<Item = Result<&[u8], InflateError>> {
    let framed = packed.starts_with(XERIAL_MAGIC);
    let mut rest = if framed {
        packed.get(XERIAL_HEADER..).unwrap_or_default()
    } else {
        packed
    };
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if !framed {
            return Some(Ok(std::mem::take(&mut rest)));
        }
        let cut = rest.split_first_chunk().and_then(|(len, after)| {
            let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
            after.split_at_checked(len)
        });
        let Some((piece, after)) = cut else {
            rest = &[];
            return Some(Err(InflateError::Malformed("piece cut off".to_owned())));
        };
        rest = after;
        Some(Ok(piece))
    })
}

fn snappy_len(piece: &[u8], limit: usize) -> Result<usize, InflateError> {
    let len = snap::raw::decompress_len(piece).map_err(snappy_error)?;
    if len > limit {
        return Err(InflateError::OverLimit);
    }
    Ok(len)
}

fn snappy_error(error: snap::Error) -> InflateError {
    InflateError::Malformed(error.to_string())
}

fn largest_snappy_piece(packed: &[u8], limit: usize) -> Result<usize, InflateError> {
    let mut largest = 0;
    for piece in snappy_pieces(packed) {
        largest = largest.max(snappy_len(piece?, limit)?);
    }
    Ok(largest)
}

fn snappy(packed: &[u8], limit: usize, sink: &mut Sink<'_>) -> Result<(), InflateError> {
    let mut decoder = snap::raw::Decoder::new();
    let mut unpacked = Vec::new();
    for piece in snappy_pieces(packed) {
        let piece = piece?;
        let len = snappy_len(piece, limit)?;
        if unpacked.len() < len {
            unpacked.resize(len, 0);
        }
        let len = decoder
            .decompress(piece, &mut unpacked[..len])
            .map_err(snappy_error)?;
        if !sink(&unpacked[..len]) {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
