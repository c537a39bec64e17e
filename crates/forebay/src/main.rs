//! Forebay.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = forebay::cli::Cli::parse();
    // Names and values that are not UTF-8 are none of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    forebay::command::run(cli, environment)
}
