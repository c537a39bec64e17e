use std::io::Write as _;

use proptest::prelude::*;

use super::*;

const CODECS: [Compression; 4] = [
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

/// Packs with the codec's own library; what other writers make of it stands in
/// the fixtures.
fn pack(codec: Compression, plain: &[u8]) -> Vec<u8> {
    match codec {
        Compression::Gzip => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Snappy => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => {
            ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
        }
        Compression::None | Compression::Unknown => unreachable!("not a codec"),
    }
}

/// The xerial library's framing, by its description.
fn xerial(pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = XERIAL_MAGIC.to_vec();
    out.extend_from_slice(&1u32.to_be_bytes());
    out.extend_from_slice(&1u32.to_be_bytes());
    for piece in pieces {
        let packed = pack(Compression::Snappy, piece);
        out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
        out.extend_from_slice(&packed);
    }
    out
}

/// What came of it, and what was taken from the budget.
fn unpacked(
    codec: Compression,
    packed: &[u8],
    limit: usize,
    memory: usize,
) -> (Result<Bytes, InflateError>, usize) {
    let mut taken = 0;
    let mut take = |bytes: usize| {
        let fits = taken + bytes <= memory;
        if fits {
            taken += bytes;
        }
        fits
    };
    let mut budget = InflateBudget {
        limit,
        take: &mut take,
    };
    let result = inflate(codec, packed, &mut budget);
    (result, taken)
}

fn plain(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 % 251) as u8).collect()
}

#[test]
fn every_codec_gives_back_what_was_packed() {
    for codec in CODECS {
        for len in [0, 1, PIECE - 1, PIECE, 300_000] {
            let plain = plain(len);
            let packed = pack(codec, &plain);
            let (result, taken) = unpacked(codec, &packed, 1 << 20, usize::MAX);
            assert_eq!(result.as_deref(), Ok(&plain[..]), "{codec:?} {len}");
            assert!(taken >= len);
        }
    }
}

#[test]
fn both_framings_of_snappy_are_read() {
    let plain = plain(100_000);
    let (head, tail) = plain.split_at(33_000);
    let packed = xerial(&[head, b"", tail]);
    let (result, _) = unpacked(Compression::Snappy, &packed, 1 << 20, usize::MAX);
    assert_eq!(result.as_deref(), Ok(&plain[..]));
    let (result, _) = unpacked(Compression::Snappy, &xerial(&[]), 10, usize::MAX);
    assert_eq!(result.as_deref(), Ok(&b""[..]));
}

#[test]
fn several_frames_and_members_are_one_text() {
    for codec in [Compression::Gzip, Compression::Zstd] {
        let mut packed = pack(codec, b"one, ");
        if codec == Compression::Zstd {
            packed.extend_from_slice(&(ZSTD_SKIPPABLE + 3).to_le_bytes());
            packed.extend_from_slice(&2u32.to_le_bytes());
            packed.extend_from_slice(b"??");
        }
        packed.extend(pack(codec, b"two"));
        let (result, _) = unpacked(codec, &packed, 1 << 20, usize::MAX);
        assert_eq!(result.as_deref(), Ok(&b"one, two"[..]), "{codec:?}");
    }
}

/// 64 MiB of zeros, in a few hundred kilobytes at most.
#[test]
fn a_bomb_is_measured_and_never_unpacked() {
    const LIMIT: usize = 1 << 20;
    let zeros = vec![0; 64 << 20];
    for codec in CODECS {
        let packed = pack(codec, &zeros);
        assert!(packed.len() < zeros.len() / 15, "{codec:?}");
        let (result, taken) = unpacked(codec, &packed, LIMIT, usize::MAX);
        assert_eq!(result, Err(InflateError::OverLimit), "{codec:?}");
        // Decoders' own buffers, before the size was known; of the text nothing.
        assert!(taken <= 17 << 20, "{codec:?} took {taken}");
    }
    // Many small pieces that are a bomb together.
    let piece = vec![0; 60_000];
    let packed = xerial(&vec![&piece[..]; 1000]);
    let (result, taken) = unpacked(Compression::Snappy, &packed, LIMIT, usize::MAX);
    assert_eq!(result, Err(InflateError::OverLimit));
    assert!(taken <= 1 << 20, "{taken}");
}

#[test]
fn a_limit_is_reached_exactly() {
    let plain = plain(50_000);
    for codec in CODECS {
        let packed = pack(codec, &plain);
        // Windows have sizes of their own, beyond that of a small text.
        let limit = match codec {
            Compression::Zstd => continue,
            _ => plain.len(),
        };
        let (result, _) = unpacked(codec, &packed, limit, usize::MAX);
        assert_eq!(result.as_deref(), Ok(&plain[..]), "{codec:?}");
        let (result, _) = unpacked(codec, &packed, limit - 1, usize::MAX);
        assert_eq!(result, Err(InflateError::OverLimit), "{codec:?}");
    }
}

#[test]
fn nothing_is_unpacked_without_memory() {
    let plain = plain(500_000);
    for codec in CODECS {
        let packed = pack(codec, &plain);
        let (_, all) = unpacked(codec, &packed, 1 << 20, usize::MAX);
        let (result, taken) = unpacked(codec, &packed, 1 << 20, all - 1);
        assert_eq!(
            result,
            Err(InflateError::NoMemory(plain.len())),
            "{codec:?}"
        );
        assert!(taken < all);
        let (result, taken) = unpacked(codec, &packed, 1 << 20, 0);
        assert!(
            matches!(result, Err(InflateError::NoMemory(_))),
            "{codec:?}"
        );
        assert_eq!(taken, 0);
    }
}

#[test]
fn a_window_beyond_the_limit_is_refused() {
    // Frames without content: a window of 2 GiB; a single segment of 4 GiB.
    let mut window = ZSTD_MAGIC.to_le_bytes().to_vec();
    window.extend_from_slice(&[0, 21 << 3, 1, 0, 0]);
    let mut segment = ZSTD_MAGIC.to_le_bytes().to_vec();
    segment.extend_from_slice(&[0xA0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0]);
    for packed in [window, segment] {
        let (result, taken) = unpacked(Compression::Zstd, &packed, 64 << 20, usize::MAX);
        assert_eq!((result, taken), (Err(InflateError::OverLimit), 0));
    }
    // In a later frame, where its size is not known beforehand.
    let mut later = pack(Compression::Zstd, b"small");
    later.extend_from_slice(&ZSTD_MAGIC.to_le_bytes());
    later.extend_from_slice(&[0, 16 << 3, 1, 0, 0]);
    let (result, _) = unpacked(Compression::Zstd, &later, 64 << 20, usize::MAX);
    assert!(
        matches!(result, Err(InflateError::Malformed(_))),
        "{result:?}"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_never_exceed(
        which in 0usize..4,
        head in 0usize..3,
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let codec = CODECS[which];
        // Beginnings that get further than noise would.
        let mut packed = match (codec, head) {
            (_, 0) => Vec::new(),
            (Compression::Gzip, _) => vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3],
            (Compression::Snappy, 1) => xerial(&[b"some"]),
            (Compression::Snappy, _) => vec![0x80, 0x80, 0x40],
            (Compression::Lz4, _) => pack(codec, b"")[..7].to_vec(),
            _ => ZSTD_MAGIC.to_le_bytes().to_vec(),
        };
        packed.extend(bytes);
        if let (Ok(plain), _) = unpacked(codec, &packed, 100_000, 64 << 20) {
            prop_assert!(plain.len() <= 100_000);
        }
    }

    #[test]
    fn damage_never_panics(
        which in 0usize..4,
        damage in proptest::collection::vec((0usize..400, any::<u8>()), 1..4),
    ) {
        let codec = CODECS[which];
        let mut packed = pack(codec, &plain(1000));
        for (place, byte) in damage {
            if let Some(place) = packed.get_mut(place) {
                *place = byte;
            }
        }
        drop(unpacked(codec, &packed, 100_000, 64 << 20));
    }
}
