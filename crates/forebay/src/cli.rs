//! The command line.
//!
//! Settings may stand before or after `serve` and `config check|show`; what
//! stands nearer to the end wins. Client commands take only what tells them
//! where credentials are.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::client::arguments::{MessageCommand, SEND_HELP, SendArguments, TaskCommand};
use crate::client::topic_arguments::TopicCommand;
use crate::config::Layers;

/// HTTP ingestion engine in front of Apache Kafka, speaking the API of
/// Tencent Cloud CKafka DataHub's HTTP access.
#[derive(Debug, Parser)]
#[command(name = "forebay", version, about)]
pub struct Cli {
    /// What to do; `serve` when absent.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings that stand before the command.
    #[command(flatten)]
    pub settings: SettingFlags,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve the API (the default)
    Serve(SettingFlags),
    /// Look at the configuration
    Config {
        /// What to do with it.
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Send messages, one a line
    #[command(long_about = SEND_HELP)]
    Send(SendArguments),
    /// Read messages
    Message {
        /// What to do.
        #[command(subcommand)]
        command: MessageCommand,
    },
    /// Create, list, pause, resume and delete tasks
    Task {
        /// What to do.
        #[command(subcommand)]
        command: TaskCommand,
    },
    /// Create, list and delete topics
    Topic {
        /// What to do.
        #[command(subcommand)]
        command: TopicCommand,
    },
    /// Print what a shell needs to complete this program's command lines
    #[command(long_about = COMPLETIONS_HELP)]
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

const COMPLETIONS_HELP: &str = "Print what a shell needs to complete this program's command \
    lines.\n\n\
    bash: forebay completions bash > ~/.local/share/bash-completion/completions/forebay\n\
    zsh:  forebay completions zsh > a folder of $fpath, as _forebay\n\
    fish: forebay completions fish > ~/.config/fish/completions/forebay.fish";

/// What to do with the configuration.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigAction {
    /// Check file, environment and flags, and every file they name; start nothing
    Check(SettingFlags),
    /// Print the configuration in force as TOML
    Show(SettingFlags),
}

/// Where configuration and credentials are: for the service and its clients.
#[derive(Clone, Debug, Default, Args)]
pub struct PlaceFlags {
    /// TOML configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of the embedded broker's files and generated credentials
    /// [default: ./forebay-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Credentials file [default: <data_dir>/credentials.toml]
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<String>,
}

/// Flags; each one stands above environment and file.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingFlags {
    /// Where configuration and credentials are.
    #[command(flatten)]
    pub place: PlaceFlags,
    /// Address of the API; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Address of console, metrics and probes [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR:PORT")]
    pub admin_listen: Option<String>,
    /// Kafka's bootstrap addresses, of instance ckafka-forebay0; without them an embedded broker is started
    #[arg(long, value_name = "HOST:PORT,…")]
    pub brokers: Option<String>,
    /// Kafka address of the embedded broker [default: 127.0.0.1:0]
    #[arg(long, value_name = "ADDR:PORT")]
    pub broker_listen: Option<String>,
    /// text or json, on stderr [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// error, warn, info, debug, trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

/// A setting of the service was given to a command that has no use for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is a setting of `forebay serve`; client commands do not take it")]
pub struct NotForClients(&'static str);

impl PlaceFlags {
    /// `self` where given, else `earlier`.
    #[must_use]
    pub fn over(self, earlier: Self) -> Self {
        Self {
            config: self.config.or(earlier.config),
            data_dir: self.data_dir.or(earlier.data_dir),
            credentials: self.credentials.or(earlier.credentials),
        }
    }

    /// The layers these flags and `environment` make.
    pub fn into_layers(self, environment: Vec<(String, String)>) -> Layers {
        SettingFlags {
            place: self,
            ..SettingFlags::default()
        }
        .into_layers(environment)
    }
}

impl SettingFlags {
    /// `self` where given, else `earlier`.
    #[must_use]
    pub fn over(self, earlier: Self) -> Self {
        Self {
            place: self.place.over(earlier.place),
            listen: self.listen.or(earlier.listen),
            admin_listen: self.admin_listen.or(earlier.admin_listen),
            brokers: self.brokers.or(earlier.brokers),
            broker_listen: self.broker_listen.or(earlier.broker_listen),
            log_format: self.log_format.or(earlier.log_format),
            log_level: self.log_level.or(earlier.log_level),
        }
    }

    /// What of these is a client's too.
    ///
    /// # Errors
    /// Names the first flag that only the service has.
    pub fn for_client(self) -> Result<PlaceFlags, NotForClients> {
        let of_the_service = [
            ("--listen", &self.listen),
            ("--admin-listen", &self.admin_listen),
            ("--brokers", &self.brokers),
            ("--broker-listen", &self.broker_listen),
            ("--log-format", &self.log_format),
            ("--log-level", &self.log_level),
        ];
        match of_the_service.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(NotForClients(name)),
            None => Ok(self.place),
        }
    }

    /// The layers these flags and `environment` make.
    pub fn into_layers(self, environment: Vec<(String, String)>) -> Layers {
        let flags = [
            ("data_dir", self.place.data_dir),
            ("http.listen", self.listen),
            ("admin.listen", self.admin_listen),
            ("auth.credentials", self.place.credentials),
            ("instance.brokers", self.brokers),
            ("broker.listen", self.broker_listen),
            ("log.format", self.log_format),
            ("log.level", self.log_level),
        ];
        Layers {
            file: self.place.config,
            environment,
            flags: flags
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Cli {
        Cli::try_parse_from(std::iter::once("forebay").chain(args.iter().copied())).unwrap()
    }

    #[test]
    fn settings_may_stand_on_both_sides_of_serve() {
        let cli = parse(&["--listen", "a", "--brokers", "b", "serve", "--listen", "c"]);
        let Some(Command::Serve(inner)) = cli.command else {
            panic!("not serve");
        };
        let both = inner.over(cli.settings);
        assert_eq!(both.listen.as_deref(), Some("c"));
        assert_eq!(both.brokers.as_deref(), Some("b"));
        assert!(parse(&["--listen", "a"]).command.is_none());
    }

    #[test]
    fn clients_take_no_settings_of_the_service() {
        let cli = parse(&["--data-dir", "d", "task", "list"]);
        assert_eq!(
            cli.settings.for_client().unwrap().data_dir.as_deref(),
            Some("d")
        );
        let cli = parse(&["--listen", "a", "task", "list"]);
        assert_eq!(
            cli.settings.for_client().unwrap_err(),
            NotForClients("--listen")
        );
        assert!(Cli::try_parse_from(["forebay", "task", "list", "--listen", "a"]).is_err());
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
