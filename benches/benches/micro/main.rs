//! Micro-benchmarks of the hot path, one module a step of a message's journey.
//!
//! Names say what one call works on; `n` is the argument below the name. Sizes
//! are those of the comparison in `docs/benchmarks`: values of 200 bytes, keys
//! of 16. What a call returns is dropped within the measured time, because a
//! gateway has to free what it allocates, too.
//!
//! `cargo bench` measures; `cargo test` runs each once and checks its result.

use std::time::Duration;

mod answer;
mod decoding;
mod encoding;
mod group_commit;
mod message_id;
mod parse;
mod payload;
mod routing;
mod signature;
mod writers;

/// Divan's own choice of a hundred samples is over in microseconds, which a
/// neighbour's burst can spoil altogether.
const MIN_TIME: Duration = Duration::from_millis(200);

/// That of the service, so that allocations cost here what they cost there.
#[cfg(not(feature = "count-allocations"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Counts, which takes time: for finding allocations, not for timing.
#[cfg(feature = "count-allocations")]
#[global_allocator]
static ALLOCATOR: divan::AllocProfiler<mimalloc::MiMalloc> =
    divan::AllocProfiler::new(mimalloc::MiMalloc);

fn main() {
    // What the command line says comes after it, and wins.
    divan::Divan::default()
        .min_time(MIN_TIME)
        .config_with_args()
        .main();
}
