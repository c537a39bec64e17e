//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Layers;

/// HTTP ingestion engine in front of Apache Kafka, speaking the API of
/// Tencent Cloud CKafka DataHub's HTTP access.
#[derive(Debug, Parser)]
#[command(name = "forebay", version, about)]
pub struct Cli {
    /// What to do; `serve` when absent.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings.
    #[command(flatten)]
    pub settings: SettingFlags,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve the API (the default)
    Serve,
    /// Look at the configuration
    Config {
        /// What to do with it.
        #[command(subcommand)]
        action: ConfigAction,
    },
}

/// What to do with the configuration.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigAction {
    /// Check file, environment and flags, start nothing
    Check,
    /// Print the configuration in force as TOML
    Show,
}

/// Flags; each one stands above environment and file.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingFlags {
    /// TOML configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of generated credentials [default: ./forebay-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Address of the API; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Address of metrics and probes [default: 127.0.0.1:8081]
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    pub admin_listen: Option<String>,
    /// Credentials file [default: <data_dir>/credentials.toml, made once]
    #[arg(long, global = true, value_name = "FILE")]
    pub credentials: Option<String>,
    /// Kafka's bootstrap addresses; the instance's id is ckafka-forebay0
    #[arg(long, global = true, value_name = "HOST:PORT,…")]
    pub brokers: Option<String>,
    /// text or json, on stderr [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// error, warn, info, debug, trace [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

impl SettingFlags {
    /// The layers these flags and `environment` make.
    pub fn into_layers(self, environment: Vec<(String, String)>) -> Layers {
        let flags = [
            ("data_dir", self.data_dir),
            ("http.listen", self.listen),
            ("admin.listen", self.admin_listen),
            ("auth.credentials", self.credentials),
            ("instance.brokers", self.brokers),
            ("log.format", self.log_format),
            ("log.level", self.log_level),
        ];
        Layers {
            file: self.config,
            environment,
            flags: flags
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?)))
                .collect(),
        }
    }
}
