//! Forebay's load generator: how fast is a gateway, and is every answer true?
//!
//! A run is driven from one asynchronous function, [`run`], and carried out by
//! load threads. Each has an event loop of its own over non-blocking sockets,
//! and shares nothing with the others while it works: what it counted, it sends
//! to the conductor once a second.
//!
//! | file | what is inside |
//! |---|---|
//! | [`options`], `units` | the command line |
//! | [`conductor`], `phase` | the course of a run |
//! | `ramp` | the search for the highest rate |
//! | `load_thread`, `connection`, `waiter` | event loop, sockets, precise waiting |
//! | `arrivals` | when an open loop sends |
//! | `messages`, `request_pool` | what is sent, signed ahead |
//! | `http_head`, `answer`, `answer_check` | what comes back, and whether it is true |
//! | `offset_pages`, `offset_ledger` | that no offset is given twice |
//! | `topic_growth` | that Kafka has what was acknowledged |
//! | `tally` | counts and latencies |
//! | `process_usage`, `machine` | CPU, memory, and of what machine |
//! | [`report`], [`report_text`], [`latency_plot`] | JSON, text, SVG |
//! | [`scaling`] | no part of a run: the model behind `docs/scaling.md` |

mod answer;
mod answer_check;
mod arrivals;
mod clock;
pub mod conductor;
mod connection;
mod credentials;
mod endpoint;
mod http_head;
pub mod latency_plot;
mod load_thread;
mod machine;
mod messages;
mod offset_ledger;
mod offset_pages;
mod open_files;
pub mod options;
mod phase;
mod process_usage;
mod ramp;
pub mod report;
pub mod report_text;
mod request_pool;
pub mod scaling;
mod tally;
mod topic_growth;
mod units;
mod waiter;

pub use conductor::{Cancel, LoadError, Progress, run};
pub use options::Options;
pub use report::Report;
