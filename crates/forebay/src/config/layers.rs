//! Puts file, environment and flags on top of the defaults.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;
use super::instances::Instances;
use super::settings::SETTINGS;
use super::validate::validate;

const ENV_PREFIX: &str = "FOREBAY_";

/// Not a setting: whom the client commands trust, see `client`.
pub(crate) const CLIENT_CACERT: &str = "FOREBAY_CLIENT_CACERT";

/// Where settings come from, besides the defaults.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// TOML file of `--config`.
    pub file: Option<PathBuf>,
    /// The environment; names without the prefix `FOREBAY_` are ignored.
    pub environment: Vec<(String, String)>,
    /// Flags as (dotted key, text). `instance.brokers` stands for `--brokers`.
    pub flags: Vec<(&'static str, String)>,
}

/// Where a value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag,
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file of `--config` cannot be read.
    #[error("cannot read configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("configuration file {} is not valid TOML: line {line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1. What stands there is not shown: it may be a secret.
        line: usize,
        /// What was expected.
        reason: String,
    },
    /// No setting has this name.
    #[error("unknown key `{key}` {origin}")]
    UnknownKey {
        /// Dotted key.
        key: String,
        /// Where it was found.
        origin: Origin,
    },
    /// A value is of the wrong form or out of range.
    #[error("`{key}` = `{value}` {origin}: expected {allowed}")]
    Value {
        /// Dotted key.
        key: String,
        /// What was given.
        value: String,
        /// Where it was found.
        origin: Origin,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Settings that do not fit each other.
    #[error("{0}")]
    Together(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Environment(name) => write!(f, "in environment variable {name}"),
            Self::Flag => f.write_str("on the command line"),
        }
    }
}

impl Layers {
    /// The configuration they make.
    ///
    /// # Errors
    /// The first refusal found, in the order file, environment, flags; then
    /// settings that do not fit each other.
    pub fn resolve(&self) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        let mut instances = Instances::default();
        // Where the embedded broker was spoken of, be it in its defaults' words.
        let mut broker = None;
        if let Some(path) = &self.file {
            apply_file(&mut config, &mut instances, path)?
                .then(|| broker = Some(Origin::File(path.clone())));
        }
        let mut environment: Vec<_> = self
            .environment
            .iter()
            .filter(|(name, _)| name.starts_with(ENV_PREFIX) && name != CLIENT_CACERT)
            .collect();
        environment.sort();
        for (name, value) in environment {
            let key = env_key(name);
            let origin = Origin::Environment(name.clone());
            if !instances.take(&key, value, &origin)? {
                apply(&mut config, &key, value, &origin)?;
                if is_brokers(&key) {
                    broker = Some(origin);
                }
            }
        }
        for (key, value) in &self.flags {
            if !instances.take(key, value, &Origin::Flag)? {
                apply(&mut config, key, value, &Origin::Flag)?;
                if is_brokers(key) {
                    broker = Some(Origin::Flag);
                }
            }
        }
        instances.finish(&mut config)?;
        validate(&config, broker.as_ref())?;
        Ok(config)
    }
}

/// `FOREBAY_HTTP__MAX_CONNECTIONS` → `http.max_connections`.
fn env_key(name: &str) -> String {
    name[ENV_PREFIX.len()..]
        .replace("__", ".")
        .to_ascii_lowercase()
}

fn apply(config: &mut Config, key: &str, value: &str, origin: &Origin) -> Result<(), ConfigError> {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
        return Err(unknown(key, origin));
    };
    (setting.set)(config, value).ok_or_else(|| ConfigError::Value {
        key: key.to_owned(),
        value: value.to_owned(),
        origin: origin.clone(),
        allowed: setting.allowed,
    })
}

pub(super) fn unknown(key: &str, origin: &Origin) -> ConfigError {
    ConfigError::UnknownKey {
        key: key.to_owned(),
        origin: origin.clone(),
    }
}

/// Whether `key` is one of the embedded broker's.
fn is_brokers(key: &str) -> bool {
    key.starts_with("broker.")
}

/// Whether there is something about the embedded broker in it.
fn apply_file(
    config: &mut Config,
    instances: &mut Instances,
    path: &Path,
) -> Result<bool, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            line: line_of(&text, error.span()),
            reason: error.message().to_owned(),
        })?;
    let origin = Origin::File(path.to_owned());
    for (name, value) in &table {
        match (name.as_str(), value) {
            ("instance", Value::Array(list)) => instances.take_blocks(list, &origin)?,
            ("instance", _) => {
                return Err(ConfigError::Value {
                    key: "instance".to_owned(),
                    // It may hold a password.
                    value: value.type_str().to_owned(),
                    origin,
                    allowed: "tables written as [[instance]]",
                });
            }
            _ => apply_value(config, name, value, &origin)?,
        }
    }
    let broker = table.get("broker").and_then(Value::as_table);
    Ok(broker.is_some_and(|settings| !settings.is_empty()))
}

/// The line of a place in `text`, counted from 1.
fn line_of(text: &str, place: Option<Range<usize>>) -> usize {
    let before = place.map_or("", |place| text.get(..place.start).unwrap_or(text));
    before.matches('\n').count() + 1
}

/// Walks nested tables down to single values.
fn apply_value(
    config: &mut Config,
    key: &str,
    value: &Value,
    origin: &Origin,
) -> Result<(), ConfigError> {
    if let Value::Table(table) = value {
        let section = format!("{key}.");
        let known = SETTINGS.iter().any(|one| one.key.starts_with(&section));
        if !known {
            return Err(unknown(key, origin));
        }
        for (name, value) in table {
            apply_value(config, &format!("{key}.{name}"), value, origin)?;
        }
        return Ok(());
    }
    apply(config, key, &scalar_text(value), origin)
}

/// A single value as the text that `Setting::set` reads.
pub(super) fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
