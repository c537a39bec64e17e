//! The client commands' part of the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use forebay_api::limits::MAX_MESSAGES;

use super::moment::Moment;
use super::task_status::StatusName;
use crate::cli::PlaceFlags;
use crate::config::DEFAULT_INSTANCE;

/// Where the service is, and who calls.
///
/// Requests go there directly: proxies named in the environment are not used.
#[derive(Clone, Debug, Args)]
#[command(
    next_help_heading = "Service and credentials",
    after_help = "Requests are signed as whom --credentials names (its first credential), else \
    as TENCENTCLOUD_SECRET_ID with TENCENTCLOUD_SECRET_KEY, and TENCENTCLOUD_TOKEN if it needs \
    one, else as the first credential of the data directory. Exit codes: 0 done, 1 refused or \
    failed, 2 asked wrongly."
)]
pub struct CallerFlags {
    /// Address of the API; `http://` may be left out
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub endpoint: String,
    /// CA certificates (PEM) to trust with `https://` instead of this
    /// machine's [default: FOREBAY_CLIENT_CACERT]
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Where credentials are, unless TENCENTCLOUD_SECRET_ID and
    /// TENCENTCLOUD_SECRET_KEY name one.
    #[command(flatten)]
    pub place: PlaceFlags,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// For people
    Text,
    /// The API's own objects
    Json,
}

/// `--output`
#[derive(Clone, Copy, Debug, Args)]
pub struct OutputFlag {
    /// How results are printed
    #[arg(long, value_name = "FORM", value_enum, default_value_t = OutputForm::Text)]
    pub output: OutputForm,
}

/// What `forebay send --help` begins with.
pub const SEND_HELP: &str = "Send messages, one a line.\n\n\
    Lines end with LF or CRLF, which are not part of the message; an empty line is an empty \
    message, and every line has to be UTF-8. What is typed is sent at once; what comes faster \
    than it is acknowledged is sent in batches.\n\n\
    With --concurrency 1 lines are sent in their order, which Kafka keeps for each key, and for \
    all lines where the topic has one partition. With more, lines overtake each other.\n\n\
    Nothing is sent twice unless the service says that it is not stored: such messages are sent \
    again for up to 30 seconds. At the first line that is not acknowledged then, reading \
    stops, and the summary on stderr says which lines are acknowledged, not stored, and unknown \
    (sent, but no answer tells what became of them).\n\n\
    Ctrl-C stops reading, waits for what is under way and says what was acknowledged; a second \
    one ends at once. Both leave exit code 1, since not all of the input was sent; Ctrl-D ends \
    typed input with 0.";

/// `forebay send`
#[derive(Clone, Debug, Args)]
pub struct SendArguments {
    /// Access point to send to, `datahub-xxxxxxxx`
    #[arg(long, value_name = "ID")]
    pub datahub: String,
    /// Key of every message
    #[arg(long, value_name = "KEY", conflicts_with = "key_separator")]
    pub key: Option<String>,
    /// What ends the key that each line begins with, for example a tab
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub key_separator: Option<String>,
    /// Most messages of one request, up to 500; fewer where they are large
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = in_range::<MAX_MESSAGES>)]
    pub batch: usize,
    /// Most requests under way, up to 64; 1 keeps the order of lines
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = in_range::<64>)]
    pub concurrency: usize,
    /// Print the MessageId of each message that is acknowledged, one a line,
    /// in the order of lines where --concurrency is 1
    #[arg(long)]
    pub print_ids: bool,
    /// File to read, `-` or nothing for stdin
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}

/// A number from 1 to `MAX`.
fn in_range<const MAX: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=MAX).contains(&number) => Ok(number),
        _ => Err(format!("expected a number from 1 to {MAX}")),
    }
}

/// `forebay message …`
#[derive(Clone, Debug, Subcommand)]
pub enum MessageCommand {
    /// Read one message, by its MessageId or by its place in Kafka
    Get(MessageGetArguments),
    /// List messages of a topic: from its beginning, an offset or a time on,
    /// or the latest
    List(MessageListArguments),
}

/// `forebay message get`
#[derive(Clone, Debug, Args)]
pub struct MessageGetArguments {
    /// `<access point>:<topic>:<partition>:<offset>:<received>:<sent>`
    #[arg(value_name = "MESSAGE_ID", required_unless_present = "topic")]
    pub message_id: Option<String>,
    /// Topic
    #[arg(long, value_name = "TOPIC", requires_all = ["partition", "offset"], conflicts_with = "message_id")]
    pub topic: Option<String>,
    /// Partition, from 0
    #[arg(long, value_name = "NUMBER", requires = "topic", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// Offset, from 0
    #[arg(long, value_name = "NUMBER", requires = "topic", value_parser = clap::value_parser!(i64).range(0..))]
    pub offset: Option<i64>,
    /// Instance that has the topic [default: the one of the MessageId's task,
    /// else ckafka-forebay0]
    #[arg(long, value_name = "ID")]
    pub instance: Option<String>,
    /// Write the value's bytes and nothing else. They may control your
    /// terminal; without this, control characters are shown as escapes
    #[arg(long, conflicts_with = "output")]
    pub raw: bool,
    /// How the message is printed.
    #[command(flatten)]
    pub output: OutputFlag,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}

/// Most messages that one `forebay message list` reads of a partition.
const MAX_COUNT: usize = 10_000;

/// `forebay message list`
#[derive(Clone, Debug, Args)]
pub struct MessageListArguments {
    /// Topic
    #[arg(long, value_name = "TOPIC")]
    pub topic: String,
    /// Partition, from 0 [default: every one]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..i64::from(i32::MAX)))]
    pub partition: Option<i32>,
    /// From this offset on
    #[arg(long, value_name = "NUMBER", requires = "partition", conflicts_with_all = ["since", "latest"], value_parser = clap::value_parser!(i64).range(0..))]
    pub offset: Option<i64>,
    /// From this time on: an age like 10m or 2h, UTC like "2026-11-23 12:41",
    /// or Unix milliseconds
    #[arg(long, value_name = "TIME", conflicts_with = "latest", value_parser = Moment::parse)]
    pub since: Option<Moment>,
    /// The latest ones, up to 100 of a partition; of the first instance
    #[arg(long, conflicts_with = "instance")]
    pub latest: bool,
    /// Most messages of a partition; more than 20 need a --partition
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = in_range::<MAX_COUNT>)]
    pub count: usize,
    /// Instance that has the topic [default: ckafka-forebay0]
    #[arg(long, value_name = "ID")]
    pub instance: Option<String>,
    /// How the messages are printed.
    #[command(flatten)]
    pub output: OutputFlag,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}

/// `forebay task …`
#[derive(Clone, Debug, Subcommand)]
pub enum TaskCommand {
    /// Create a task with an access point that writes to a topic
    Create(TaskCreateArguments),
    /// List tasks
    List(TaskListArguments),
    /// Show one task
    Show(TaskArguments),
    /// Make the task's access point refuse messages
    Pause(TaskArguments),
    /// Make the task's access point take messages again
    Resume(TaskArguments),
    /// Delete a task; its topic and its messages stay
    Delete(TaskDeleteArguments),
}

/// `forebay task create`
#[derive(Clone, Debug, Args)]
pub struct TaskCreateArguments {
    /// Name of the task, unique
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Topic that messages are written to
    #[arg(long, value_name = "TOPIC")]
    pub topic: String,
    /// Instance that has the topic
    #[arg(long, value_name = "ID", default_value = DEFAULT_INSTANCE)]
    pub instance: String,
    /// Create the topic if it is missing
    #[arg(long)]
    pub auto_create_topic: bool,
    /// Partitions of a topic that is created, 1 to 500 [default: the
    /// cluster's]
    #[arg(long, value_name = "NUMBER", requires = "auto_create_topic", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub partitions: Option<u32>,
    /// Most requests a second [default: no limit]
    #[arg(long, value_name = "NUMBER")]
    pub qps_limit: Option<u32>,
    /// Free text
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// How the result is printed.
    #[command(flatten)]
    pub output: OutputFlag,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}

/// `forebay task list`
#[derive(Clone, Debug, Args)]
pub struct TaskListArguments {
    /// Only tasks of this status
    #[arg(long, value_name = "STATUS", value_enum)]
    pub status: Option<StatusName>,
    /// Only tasks whose name contains this, whatever its case
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// How the tasks are printed.
    #[command(flatten)]
    pub output: OutputFlag,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}

/// One task.
#[derive(Clone, Debug, Args)]
pub struct TaskArguments {
    /// Task id, access point id or name
    #[arg(value_name = "TASK")]
    pub task: String,
    /// How the result is printed.
    #[command(flatten)]
    pub output: OutputFlag,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}

/// `forebay task delete`
#[derive(Clone, Debug, Args)]
pub struct TaskDeleteArguments {
    /// The task.
    #[command(flatten)]
    pub task: TaskArguments,
    /// Do not ask; needed where nobody can be asked
    #[arg(long)]
    pub yes: bool,
}
