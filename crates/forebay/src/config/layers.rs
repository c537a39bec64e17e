//! Puts file, environment and flags on top of the defaults.

use std::fmt;
use std::path::{Path, PathBuf};

use forebay_engine::Codec;
use toml::{Table, Value};

use super::settings::{NOT_YET, SETTINGS};
use super::validate::validate;
use super::{Config, DEFAULT_INSTANCE, InstanceConfig};

const ENV_PREFIX: &str = "FOREBAY_";

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
    #[error("configuration file {} is not valid TOML: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Position and reason.
        source: Box<toml::de::Error>,
    },
    /// No setting has this name.
    #[error("unknown key `{key}` {origin}")]
    UnknownKey {
        /// Dotted key.
        key: String,
        /// Where it was found.
        origin: Origin,
    },
    /// A setting of a later version.
    #[error("`{key}` {origin} is not supported by this version yet; remove it")]
    NotYet {
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
        if let Some(path) = &self.file {
            apply_file(&mut config, path)?;
        }
        let mut environment: Vec<_> = self
            .environment
            .iter()
            .filter(|(name, _)| name.starts_with(ENV_PREFIX))
            .collect();
        environment.sort();
        let mut instance = OneInstance::default();
        for (name, value) in environment {
            let key = env_key(name);
            let origin = Origin::Environment(name.clone());
            if !instance.take(&key, value, &origin)? {
                apply(&mut config, &key, value, &origin)?;
            }
        }
        for (key, value) in &self.flags {
            if !instance.take(key, value, &Origin::Flag)? {
                apply(&mut config, key, value, &Origin::Flag)?;
            }
        }
        instance.into_config(&mut config)?;
        validate(&config)?;
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

fn unknown(key: &str, origin: &Origin) -> ConfigError {
    let (key, origin) = (key.to_owned(), origin.clone());
    if NOT_YET.iter().any(|section| key.starts_with(section)) {
        ConfigError::NotYet { key, origin }
    } else {
        ConfigError::UnknownKey { key, origin }
    }
}

fn apply_file(config: &mut Config, path: &Path) -> Result<(), ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let table: Table = text.parse().map_err(|source| ConfigError::Syntax {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let origin = Origin::File(path.to_owned());
    for (name, value) in &table {
        match (name.as_str(), value) {
            ("instance", Value::Array(list)) => file_instances(config, list, &origin)?,
            ("instance", _) => {
                return Err(ConfigError::Value {
                    key: "instance".to_owned(),
                    value: value.to_string().trim().to_owned(),
                    origin,
                    allowed: "tables written as [[instance]]",
                });
            }
            _ => apply_value(config, name, value, &origin)?,
        }
    }
    Ok(())
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
        let known = SETTINGS.iter().any(|one| one.key.starts_with(&section))
            || NOT_YET.iter().any(|one| one.starts_with(&section));
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
fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

const BROKERS_ALLOWED: &str = "one or more host:port, separated by commas";
const INSTANCE_ID_ALLOWED: &str = "`ckafka-` and 8 of a-z 0-9";
const COMPRESSION_ALLOWED: &str = "none, lz4, zstd, gzip or snappy";

/// The `[[instance]]` of the file. A single one without id and brokers is about
/// the embedded broker.
fn file_instances(config: &mut Config, list: &[Value], origin: &Origin) -> Result<(), ConfigError> {
    let blocks = list.iter().map(|one| file_instance(one, origin));
    let blocks: Vec<OneInstance> = blocks.collect::<Result<_, _>>()?;
    if let [only] = blocks.as_slice()
        && let (None, None, Some(compression)) = (&only.id, &only.brokers, only.compression)
    {
        config.embedded_compression = compression;
        return Ok(());
    }
    let instances = blocks
        .into_iter()
        .map(|block| match (block.id, block.brokers) {
            (Some(id), Some(brokers)) => Ok(InstanceConfig {
                id,
                brokers,
                compression: block.compression.flatten(),
            }),
            (None, _) => Err(refused("instance.id", "", origin, INSTANCE_ID_ALLOWED)),
            (_, None) => Err(refused("instance.brokers", "", origin, BROKERS_ALLOWED)),
        });
    config.instances = instances.collect::<Result<_, _>>()?;
    Ok(())
}

/// One `[[instance]]` of the file.
fn file_instance(value: &Value, origin: &Origin) -> Result<OneInstance, ConfigError> {
    let mut one = OneInstance::default();
    let Value::Table(table) = value else {
        return Err(refused("instance", &value.to_string(), origin, "a table"));
    };
    for (name, value) in table {
        let key = format!("instance.{name}");
        let text = match value {
            Value::Array(list) => list.iter().map(scalar_text).collect::<Vec<_>>().join(","),
            other => scalar_text(other),
        };
        if !one.take(&key, &text, origin)? {
            let key = if value.is_table() { key + "." } else { key };
            return Err(unknown(&key, origin));
        }
    }
    Ok(one)
}

fn refused(key: &str, value: &str, origin: &Origin, allowed: &'static str) -> ConfigError {
    ConfigError::Value {
        key: key.to_owned(),
        value: value.trim().to_owned(),
        origin: origin.clone(),
        allowed,
    }
}

/// An instance put together from single keys: a block of the file, or what
/// environment and flags say (there they stand for the only instance).
#[derive(Default)]
struct OneInstance {
    id: Option<String>,
    brokers: Option<Vec<String>>,
    /// `Some(None)` is what says `none`.
    compression: Option<Option<Codec>>,
}

impl OneInstance {
    /// Takes `key` if it is one of an instance's.
    fn take(&mut self, key: &str, value: &str, origin: &Origin) -> Result<bool, ConfigError> {
        match key {
            "instance.id" => {
                let id = is_instance_id(value).then(|| value.to_owned());
                self.id = Some(id.ok_or_else(|| refused(key, value, origin, INSTANCE_ID_ALLOWED))?);
            }
            "instance.brokers" => {
                let brokers = parse_brokers(value);
                self.brokers =
                    Some(brokers.ok_or_else(|| refused(key, value, origin, BROKERS_ALLOWED))?);
            }
            "instance.compression" if value == "none" => self.compression = Some(None),
            "instance.compression" => {
                let codec = value.parse().ok();
                let codec = codec.ok_or_else(|| refused(key, value, origin, COMPRESSION_ALLOWED));
                self.compression = Some(Some(codec?));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Replaces the file's instances, if environment or flags named any;
    /// otherwise changes the only one there is.
    fn into_config(self, config: &mut Config) -> Result<(), ConfigError> {
        if let Some(brokers) = self.brokers {
            let id = self.id.unwrap_or_else(|| DEFAULT_INSTANCE.to_owned());
            let of_file = match config.instances.as_slice() {
                [] => config.embedded_compression,
                [only] => only.compression,
                _ => None,
            };
            config.instances = vec![InstanceConfig {
                id,
                brokers,
                compression: self.compression.unwrap_or(of_file),
            }];
            return Ok(());
        }
        let one_only = |key: &str| {
            ConfigError::Together(format!(
                "`{key}` is about one instance: give `instance.brokers` too"
            ))
        };
        if let Some(id) = self.id {
            match config.instances.as_mut_slice() {
                [only] => only.id = id,
                _ => return Err(one_only("instance.id")),
            }
        }
        if let Some(compression) = self.compression {
            match config.instances.as_mut_slice() {
                [] => config.embedded_compression = compression,
                [only] => only.compression = compression,
                _ => return Err(one_only("instance.compression")),
            }
        }
        Ok(())
    }
}

/// `ckafka-` and 8 of `[a-z0-9]`, as the API's instance ids.
fn is_instance_id(text: &str) -> bool {
    text.strip_prefix("ckafka-").is_some_and(|suffix| {
        suffix.len() == 8
            && suffix
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

/// `host:port,host:port`; every host non-empty, every port 1–65535.
fn parse_brokers(text: &str) -> Option<Vec<String>> {
    let brokers: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
    let well_formed = brokers.iter().all(|broker| {
        broker.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    });
    well_formed.then_some(brokers)
}
