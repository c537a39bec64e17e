//! Forebay's replica: configuration, the HTTP listeners, credentials,
//! metrics, and the life of the process.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | settings, their defaults and their sources |
//! | [`cli`] | the command line |
//! | [`credentials`] | who may call |
//! | `http` | the API listener: a request's way to the engine and back |
//! | `admin` | metrics and probes |
//! | [`startup`] | all wiring, in one place |
//! | [`shutdown`] | how a replica goes away |
//!
//! Only this crate knows HTTP; what messages go through behind it is told in
//! `forebay-engine`.

mod admin;
pub mod cli;
pub mod command;
pub mod config;
pub mod credentials;
mod http;
mod lifecycle;
mod logging;
mod open_files;
mod recorder;
pub mod shutdown;
pub mod startup;
mod welcome;

pub use shutdown::Stopped;
pub use startup::{Running, StartError, start};
