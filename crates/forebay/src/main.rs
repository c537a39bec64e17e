//! Forebay.

use std::process::ExitCode;

use clap::Parser as _;

/// Requests are many small allocations that live for a millisecond, freed on
/// the thread that made them: measured against glibc's in `docs/benchmarks`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = forebay::cli::Cli::parse();
    // Names and values that are not UTF-8 are none of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    forebay::command::run(cli, environment)
}
