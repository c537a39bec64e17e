//! `forebay topic`'s part of the command line.

use clap::{Args, Subcommand};
use forebay_api::limits::{
    MAX_MAX_MESSAGE_BYTES, MIN_MAX_MESSAGE_BYTES, MIN_RETENTION_MS, RETENTION_FOREVER_MS,
};

use super::arguments::{CallerFlags, OutputFlag};
use crate::config::{DEFAULT_INSTANCE, parse_duration};

/// `forebay topic …`
#[derive(Clone, Debug, Subcommand)]
pub enum TopicCommand {
    /// Create a topic in the service's first instance
    Create(TopicCreateArguments),
    /// List topics
    List(TopicListArguments),
    /// Show one topic
    Show(TopicShowArguments),
    /// Change a topic of the first instance
    Modify(TopicModifyArguments),
    /// Delete a topic of the first instance that no task writes to, with all
    /// its messages
    Delete(TopicDeleteArguments),
}

/// `forebay topic create`
#[derive(Clone, Debug, Args)]
pub struct TopicCreateArguments {
    /// Name of the topic: up to 128 letters, digits, `.`, `_` and `-`
    #[arg(value_name = "TOPIC")]
    pub topic: String,
    /// Partitions, 1 to 500. They can be added later, which moves keys, and
    /// never removed
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub partitions: u32,
    /// How long messages are kept, such as 90m, 12h or 30d, or forever; a
    /// minute at least
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = retention_ms)]
    pub retention: i64,
    /// Longest batch that the topic takes, in bytes: a message has to be
    /// somewhat shorter [default: the cluster's]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(i64).range(MIN_MAX_MESSAGE_BYTES..=MAX_MAX_MESSAGE_BYTES))]
    pub max_message_bytes: Option<i64>,
    /// Up to 64 letters, digits and `-`, for people
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// How the result is printed.
    #[command(flatten)]
    pub output: OutputFlag,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}

/// `forebay topic modify`
#[derive(Clone, Debug, Args)]
#[group(id = "change", required = true, multiple = true, args = ["partitions", "retention", "max_message_bytes", "note"])]
pub struct TopicModifyArguments {
    /// Name of the topic
    #[arg(value_name = "TOPIC")]
    pub topic: String,
    /// Partitions that it has afterwards, up to 500; never fewer than before.
    /// Keys move, so their order holds only from then on
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub partitions: Option<u32>,
    /// How long messages are kept, such as 90m, 12h or 30d, or forever; a
    /// minute at least
    #[arg(long, value_name = "TIME", value_parser = retention_ms)]
    pub retention: Option<i64>,
    /// Longest batch that the topic takes, in bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(i64).range(MIN_MAX_MESSAGE_BYTES..=MAX_MAX_MESSAGE_BYTES))]
    pub max_message_bytes: Option<i64>,
    /// Up to 64 letters, digits and `-`, for people
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// How the result is printed.
    #[command(flatten)]
    pub output: OutputFlag,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}

fn retention_ms(text: &str) -> Result<i64, String> {
    if text == "forever" {
        return Ok(RETENTION_FOREVER_MS);
    }
    let ms = parse_duration(text).and_then(|time| i64::try_from(time.as_millis()).ok());
    match ms {
        Some(ms) if ms >= MIN_RETENTION_MS => Ok(ms),
        _ => Err("expected a minute or more, such as 90m, 12h or 30d, or forever".to_owned()),
    }
}

/// `--instance`
#[derive(Clone, Debug, Args)]
pub struct InstanceFlag {
    /// Instance that has the topic
    #[arg(long, value_name = "ID", default_value = DEFAULT_INSTANCE)]
    pub instance: String,
}

/// `forebay topic list`
#[derive(Clone, Debug, Args)]
pub struct TopicListArguments {
    /// Which instance.
    #[command(flatten)]
    pub instance: InstanceFlag,
    /// Only topics whose name contains this, whatever its case
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// How the topics are printed.
    #[command(flatten)]
    pub output: OutputFlag,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}

/// `forebay topic show`
#[derive(Clone, Debug, Args)]
pub struct TopicShowArguments {
    /// Name of the topic
    #[arg(value_name = "TOPIC")]
    pub topic: String,
    /// Which instance.
    #[command(flatten)]
    pub instance: InstanceFlag,
    /// How the topic is printed.
    #[command(flatten)]
    pub output: OutputFlag,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}

/// `forebay topic delete`
#[derive(Clone, Debug, Args)]
pub struct TopicDeleteArguments {
    /// Name of the topic
    #[arg(value_name = "TOPIC")]
    pub topic: String,
    /// Do not ask; needed where nobody can be asked
    #[arg(long)]
    pub yes: bool,
    /// How the result is printed.
    #[command(flatten)]
    pub output: OutputFlag,
    /// Where the service is, and who calls.
    #[command(flatten)]
    pub caller: CallerFlags,
}
