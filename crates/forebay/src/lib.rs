//! Forebay's replica: configuration, the HTTP listeners, credentials,
//! metrics, and the life of the process.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | settings, their defaults and their sources |
//! | [`cli`] | the command line |
//! | [`client`] | commands that call the API: `send`, `message`, `task` |
//! | [`credentials`] | who may call |
//! | `http` | the API listener: a request's way to the engine and back |
//! | `admin` | the admin listener: metrics and probes |
//! | `console` | pages for people, on the admin listener |
//! | `embedded` | the broker of a replica that was given no Kafka |
//! | `tls` | the listeners' certificates, kept current |
//! | `named_files` | the files that the configuration names, for a start and for `config check` |
//! | `readiness` | why this replica is not ready, for probe and console |
//! | [`startup`] | all wiring, in one place |
//! | [`shutdown`] | how a replica goes away |
//!
//! Only this crate knows HTTP; what messages go through behind it is told in
//! `forebay-engine`.

mod admin;
pub mod cli;
pub mod client;
pub mod command;
pub mod config;
mod console;
pub mod credentials;
mod embedded;
mod file_watch;
mod histograms;
mod http;
mod lifecycle;
mod logging;
mod named_files;
mod open_files;
mod panic_log;
mod presence;
mod readiness;
mod recorder;
pub mod shutdown;
pub mod startup;
mod tls;
mod welcome;

pub use embedded::EmbeddedError;
pub use shutdown::Stopped;
pub use startup::{Running, StartError, start};
pub use tls::TlsError;
