//! `forebay send`: one thread reads lines, some send them, the main one shows
//! how far it is.
//!
//! ```text
//! input ──► reader ──► LineQueue ──► senders ──► API
//!                                      │
//!            main thread ◄── Tally ◄───┘
//! ```
//!
//! The reader may stay blocked in a read for ever (a terminal on which nobody
//! types); nothing waits for it, it ends with the process.

mod line;
mod outcome;
mod progress;
mod queue;
mod sender;
mod tally;

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::arguments::SendArguments;
use super::error::ClientError;
use super::interrupt;
use super::session::Session;
use line::{KeySource, LineCutter};
use progress::{Progress, Terminal};
use queue::LineQueue;
use sender::Sender;
use tally::Tally;

/// How often the progress line changes.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// What a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

/// Sends the lines of a file or of stdin. Blocks until all are settled, or
/// until a second signal.
///
/// # Errors
/// See [`ClientError`]; also when a signal ended it.
pub(super) fn run(arguments: SendArguments, session: Session) -> Result<(), ClientError> {
    let keys = match (&arguments.key, &arguments.key_separator) {
        (Some(key), _) => KeySource::Fixed(key.as_str().into()),
        (None, Some(separator)) => KeySource::EndsWith(separator.clone()),
        (None, None) => KeySource::None,
    };
    let input = Input::open(arguments.file.as_deref())?;
    let terminal = match (io::stderr().is_terminal(), input.is_terminal) {
        (false, _) => Terminal::None,
        // Typed lines and a progress line would write over each other.
        (true, true) => Terminal::Typing,
        (true, false) => Terminal::Progress,
    };
    let client = session.client(arguments.caller, arguments.concurrency)?;
    let queue = Arc::new(LineQueue::default());
    let tally = Arc::new(Tally::new(arguments.concurrency));
    stop_on_signal(&queue, &tally).map_err(cannot_start)?;
    for index in 0..arguments.concurrency {
        let sender = Sender {
            index,
            client: client.clone(),
            datahub_id: arguments.datahub.clone(),
            most_messages: arguments.batch,
            in_order: arguments.concurrency == 1,
            print_ids: arguments.print_ids,
            queue: Arc::clone(&queue),
            tally: Arc::clone(&tally),
        };
        spawn("send", move || sender.run()).map_err(cannot_start)?;
    }
    let reader = Reader {
        input,
        cutter: LineCutter::new(keys),
        queue: Arc::clone(&queue),
        tally: Arc::clone(&tally),
    };
    spawn("read", move || reader.run()).map_err(cannot_start)?;
    let mut progress = Progress::start(terminal);
    while !tally.wait_for_end(PROGRESS_EVERY) {
        progress.show(&tally);
    }
    progress.finish(&tally, queue.last_taken())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop)
}

fn cannot_start(error: io::Error) -> ClientError {
    ClientError::Failed(format!("cannot start to send: {error}"))
}

/// The first signal ends the taking of lines, the second the waiting.
fn stop_on_signal(queue: &Arc<LineQueue>, tally: &Arc<Tally>) -> io::Result<()> {
    let (queue, tally) = (Arc::clone(queue), Arc::clone(tally));
    interrupt::take_over(move || {
        tally.change(|counts| counts.signals += 1);
        queue.stop();
    })
}

/// What lines are read from.
struct Input {
    name: String,
    bytes: Box<dyn Read + Send>,
    is_terminal: bool,
}

impl Input {
    fn open(file: Option<&Path>) -> Result<Self, ClientError> {
        let Some(path) = file.filter(|path| *path != Path::new("-")) else {
            return Ok(Self {
                name: "stdin".to_owned(),
                bytes: Box::new(io::stdin()),
                is_terminal: io::stdin().is_terminal(),
            });
        };
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Ok(Self {
                name,
                is_terminal: file.is_terminal(),
                bytes: Box::new(file),
            }),
            Err(error) => Err(ClientError::Failed(format!("cannot open {name}: {error}"))),
        }
    }
}

struct Reader {
    input: Input,
    cutter: LineCutter,
    queue: Arc<LineQueue>,
    tally: Arc<Tally>,
}

impl Reader {
    /// Reads to the end, or to the first line that cannot be sent; those
    /// before it are sent.
    fn run(mut self) {
        if let Err(reason) = self.read() {
            self.tally.change(|counts| counts.fail(reason, None));
        }
        self.queue.close();
    }

    fn read(&mut self) -> Result<(), String> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let count = match self.input.bytes.read(&mut chunk) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("cannot read {}: {error}", self.input.name)),
            };
            let mut lines = Vec::new();
            let cut = match count {
                0 => self.cutter.finish(&mut lines),
                _ => self.cutter.cut(&chunk[..count], &mut lines),
            };
            let wanted = self.queue.push(lines);
            cut.map_err(|error| format!("{}: {error}", self.input.name))?;
            if count == 0 || !wanted {
                return Ok(());
            }
        }
    }
}
