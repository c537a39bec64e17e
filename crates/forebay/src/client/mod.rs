//! Commands that call the API, of this or of any other replica.
//!
//! They are clients like the SDKs: signed requests to `--endpoint`, nothing
//! else; they run on plain threads and end with the process. Results go to
//! stdout, everything else to stderr. Exit codes: 0 done, 1 refused or failed,
//! 2 asked wrongly.

mod answer_json;
mod api_client;
pub mod arguments;
mod confirm;
mod credential;
mod endpoint;
mod error;
mod interrupt;
mod message;
mod message_list;
mod moment;
mod output;
mod record;
mod send;
mod session;
mod task;
mod task_lookup;
mod task_status;
mod terminal_text;
mod topic;
pub mod topic_arguments;
mod trust;

use std::io::Write as _;
use std::process::ExitCode;

use arguments::{MessageCommand, SendArguments, TaskCommand};
use error::ClientError;
use session::Session;
use topic_arguments::TopicCommand;

pub use moment::Moment;
pub use task_status::StatusName;

use crate::cli::PlaceFlags;

/// A client command.
#[derive(Clone, Debug)]
pub enum Command {
    /// `forebay send`
    Send(SendArguments),
    /// `forebay message`
    Message(MessageCommand),
    /// `forebay task`
    Task(TaskCommand),
    /// `forebay topic`
    Topic(TopicCommand),
}

/// Runs a client command to its end. `earlier` are flags that stood before it,
/// `environment` is the process's. Blocks; `send` takes SIGINT and SIGTERM over.
pub fn run(command: Command, earlier: PlaceFlags, environment: Vec<(String, String)>) -> ExitCode {
    let session = Session {
        earlier,
        environment,
    };
    let done = match command {
        Command::Send(arguments) => send::run(arguments, session),
        Command::Message(MessageCommand::Get(arguments)) => message::get(arguments, session),
        Command::Message(MessageCommand::List(arguments)) => message_list::list(arguments, session),
        Command::Topic(command) => topic::run(command, session),
        Command::Task(command) => task::run(command, session),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Nobody is left to hear that stderr is closed.
fn tell(error: &ClientError) {
    if error.is_broken_pipe() {
        return;
    }
    let mut text = format!("forebay: {error}\n");
    if let Some(advice) = error.advice() {
        text += &format!("forebay: {advice}\n");
    }
    note(&text);
}

/// Writes to stderr as it is.
fn note(text: &str) {
    let mut err = std::io::stderr().lock();
    if err.write_all(text.as_bytes()).is_err() {
        tracing::debug!("stderr is closed");
    }
}
