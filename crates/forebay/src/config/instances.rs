//! `[[instance]]`: from the file's blocks, or from environment and flags, which
//! stand for the only one.

use std::path::PathBuf;

use forebay_engine::Codec;
use forebay_engine::security::{
    ClientIdentity, PasswordSource, SaslLogin, SaslMechanism, Secret, TlsFiles, TrustedRoots,
};
use toml::Value;

use super::layers::{ConfigError, Origin, scalar_text, unknown};
use super::{Config, DEFAULT_INSTANCE, InstanceConfig};

/// What `instance.tls.ca` says for the authorities that the system trusts.
pub(super) const SYSTEM_ROOTS: &str = "system";

const BROKERS_ALLOWED: &str = "one or more host:port, separated by commas";
const INSTANCE_ID_ALLOWED: &str = "`ckafka-` and 8 of a-z 0-9";
const COMPRESSION_ALLOWED: &str = "none, lz4, zstd, gzip or snappy";
const CA_ALLOWED: &str = "the path of a PEM file, or system";
const PATH_ALLOWED: &str = "the path of a file";
const MECHANISM_ALLOWED: &str = "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512";
const TEXT_ALLOWED: &str = "a text of at least one character";

/// All that was said about instances.
#[derive(Default)]
pub(super) struct Instances {
    /// The file's blocks.
    blocks: Vec<OneInstance>,
    /// Environment, then flags.
    above: OneInstance,
}

/// One instance put together from single keys.
#[derive(Default)]
struct OneInstance {
    origin: Option<Origin>,
    /// The last key that was taken, for errors that name one.
    last_key: Option<String>,
    id: Option<String>,
    brokers: Option<Vec<String>>,
    /// `Some(None)` is what says `none`.
    compression: Option<Option<Codec>>,
    tls: TlsKeys,
    sasl: SaslKeys,
}

#[derive(Default)]
struct TlsKeys {
    ca: Option<TrustedRoots>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    /// There is a table, if only an empty one.
    given: bool,
}

#[derive(Default)]
struct SaslKeys {
    mechanism: Option<SaslMechanism>,
    username: Option<String>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    given: bool,
}

impl Instances {
    /// Takes `key` of environment or flags if it is one of an instance's.
    pub(super) fn take(
        &mut self,
        key: &str,
        value: &str,
        origin: &Origin,
    ) -> Result<bool, ConfigError> {
        self.above.take(key, value, origin)
    }

    /// Takes the `[[instance]]` blocks of the file.
    pub(super) fn take_blocks(
        &mut self,
        list: &[Value],
        origin: &Origin,
    ) -> Result<(), ConfigError> {
        let blocks = list
            .iter()
            .map(|block| OneInstance::of_block(block, origin));
        self.blocks = blocks.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// What environment and flags say is put above the file's only block; with
    /// brokers of their own they stand for the only instance.
    pub(super) fn finish(self, config: &mut Config) -> Result<(), ConfigError> {
        let Self { mut blocks, above } = self;
        if above.brokers.is_some() {
            let mut only = match blocks.pop() {
                Some(block) if blocks.is_empty() => block,
                _ => OneInstance::default(),
            };
            // Other brokers are another cluster.
            only.id = Some(DEFAULT_INSTANCE.to_owned());
            only.put_above(above);
            config.instances = vec![only.build()?];
            return Ok(());
        }
        if let Some(key) = above.last_key.clone() {
            let about_embedded = blocks.is_empty() && above.id.is_none();
            match blocks.as_mut_slice() {
                [only] => only.put_above(above),
                [] if about_embedded => blocks.push(above),
                _ => {
                    return Err(ConfigError::Together(format!(
                        "`{key}` is about one instance: give `instance.brokers` too"
                    )));
                }
            }
        }
        if let [only] = blocks.as_slice()
            && only.is_about_embedded()
        {
            return only.apply_to_embedded(config);
        }
        config.instances = blocks
            .into_iter()
            .map(OneInstance::build)
            .collect::<Result<_, _>>()?;
        Ok(())
    }
}

impl OneInstance {
    /// One `[[instance]]` of the file.
    fn of_block(block: &Value, origin: &Origin) -> Result<Self, ConfigError> {
        let mut one = Self {
            origin: Some(origin.clone()),
            ..Self::default()
        };
        let Value::Table(table) = block else {
            return Err(refused("instance", block.type_str(), origin, "a table"));
        };
        for (name, value) in table {
            match (name.as_str(), value) {
                ("tls" | "sasl", Value::Table(section)) => {
                    one.tls.given |= name == "tls";
                    one.sasl.given |= name == "sasl";
                    for (inner, value) in section {
                        one.take_value(&format!("instance.{name}.{inner}"), value, origin)?;
                    }
                }
                _ => one.take_value(&format!("instance.{name}"), value, origin)?,
            }
        }
        Ok(one)
    }

    fn take_value(&mut self, key: &str, value: &Value, origin: &Origin) -> Result<(), ConfigError> {
        if key == "instance.sasl.password" && !value.is_str() {
            // Any other form is not what was typed, and is not shown either.
            return Err(refused(key, "…", origin, "a text in quotes"));
        }
        let text = match value {
            Value::Array(list) => list.iter().map(scalar_text).collect::<Vec<_>>().join(","),
            other => scalar_text(other),
        };
        match self.take(key, &text, origin)? {
            true => Ok(()),
            false => Err(unknown(key, origin)),
        }
    }

    /// Takes `key` if it is one of an instance's.
    fn take(&mut self, key: &str, value: &str, origin: &Origin) -> Result<bool, ConfigError> {
        let refuse = |allowed| refused(key, value, origin, allowed);
        let text = |allowed| match value.is_empty() {
            true => Err(refuse(allowed)),
            false => Ok(value.to_owned()),
        };
        let path = || text(PATH_ALLOWED).map(PathBuf::from);
        match key {
            "instance.id" => {
                let id = is_instance_id(value).then(|| value.to_owned());
                self.id = Some(id.ok_or_else(|| refuse(INSTANCE_ID_ALLOWED))?);
            }
            "instance.brokers" => {
                let brokers = parse_brokers(value);
                self.brokers = Some(brokers.ok_or_else(|| refuse(BROKERS_ALLOWED))?);
            }
            "instance.compression" if value == "none" => self.compression = Some(None),
            "instance.compression" => {
                let codec = value.parse().map_err(|_| refuse(COMPRESSION_ALLOWED));
                self.compression = Some(Some(codec?));
            }
            "instance.tls.ca" => {
                self.tls.ca = Some(match text(CA_ALLOWED)? {
                    word if word == SYSTEM_ROOTS => TrustedRoots::System,
                    path => TrustedRoots::File(path.into()),
                });
            }
            "instance.tls.cert" => self.tls.cert = Some(path()?),
            "instance.tls.key" => self.tls.key = Some(path()?),
            "instance.sasl.mechanism" => {
                let mechanism = value.parse().map_err(|_| refuse(MECHANISM_ALLOWED));
                self.sasl.mechanism = Some(mechanism?);
            }
            "instance.sasl.username" => self.sasl.username = Some(text(TEXT_ALLOWED)?),
            "instance.sasl.password" => {
                self.sasl.password = Some(Secret::new(&text(TEXT_ALLOWED)?));
            }
            "instance.sasl.password_file" => self.sasl.password_file = Some(path()?),
            _ => return Ok(false),
        }
        self.tls.given |= key.starts_with("instance.tls.");
        self.sasl.given |= key.starts_with("instance.sasl.");
        self.last_key = Some(key.to_owned());
        Ok(true)
    }

    /// Takes over what `above` says.
    fn put_above(&mut self, above: Self) {
        fn put<T>(place: &mut Option<T>, above: Option<T>) {
            if above.is_some() {
                *place = above;
            }
        }
        put(&mut self.id, above.id);
        put(&mut self.brokers, above.brokers);
        put(&mut self.compression, above.compression);
        let (tls, sasl) = (above.tls, above.sasl);
        put(&mut self.tls.ca, tls.ca);
        put(&mut self.tls.cert, tls.cert);
        put(&mut self.tls.key, tls.key);
        self.tls.given |= tls.given;
        put(&mut self.sasl.mechanism, sasl.mechanism);
        put(&mut self.sasl.username, sasl.username);
        // Either of the two replaces the other.
        if sasl.password.is_some() || sasl.password_file.is_some() {
            self.sasl.password = sasl.password;
            self.sasl.password_file = sasl.password_file;
        }
        self.sasl.given |= sasl.given;
    }

    /// Whether it names no Kafka, only how to treat the embedded broker.
    fn is_about_embedded(&self) -> bool {
        let says_something = self.compression.is_some() || self.tls.given || self.sasl.given;
        self.id.is_none() && self.brokers.is_none() && says_something
    }

    fn apply_to_embedded(&self, config: &mut Config) -> Result<(), ConfigError> {
        if self.tls.given || self.sasl.given {
            return Err(ConfigError::Together(
                "`instance.tls` and `instance.sasl` are for a Kafka of your own: \
                 give `instance.brokers` too"
                    .to_owned(),
            ));
        }
        config.embedded_compression = self.compression.flatten();
        Ok(())
    }

    fn build(self) -> Result<InstanceConfig, ConfigError> {
        let origin = self.origin.unwrap_or(Origin::Flag);
        let missing = |key, allowed| refused(key, "", &origin, allowed);
        let id = self.id;
        let id = id.ok_or_else(|| missing("instance.id", INSTANCE_ID_ALLOWED))?;
        let brokers = self.brokers;
        let brokers = brokers.ok_or_else(|| missing("instance.brokers", BROKERS_ALLOWED))?;
        let in_instance =
            |reason: &str| ConfigError::Together(format!("instance `{id}`: {reason}"));
        Ok(InstanceConfig {
            tls: self.tls.build().map_err(in_instance)?,
            sasl: self.sasl.build().map_err(in_instance)?,
            id,
            brokers,
            compression: self.compression.flatten(),
        })
    }
}

impl TlsKeys {
    fn build(self) -> Result<Option<TlsFiles>, &'static str> {
        let identity = match (self.cert, self.key) {
            (Some(cert), Some(key)) => Some(ClientIdentity { cert, key }),
            (None, None) => None,
            _ => return Err("`instance.tls.cert` and `instance.tls.key` need each other"),
        };
        match self.ca {
            Some(ca) => Ok(Some(TlsFiles { ca, identity })),
            None if self.given => Err("TLS needs `instance.tls.ca`: a PEM file with the \
                 certificates of the authorities that vouch for the brokers, or `system`"),
            None => Ok(None),
        }
    }
}

impl SaslKeys {
    fn build(self) -> Result<Option<SaslLogin>, &'static str> {
        if !self.given {
            return Ok(None);
        }
        let mechanism = self.mechanism.ok_or(
            "a login needs `instance.sasl.mechanism`: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        )?;
        let username = self
            .username
            .ok_or("a login needs `instance.sasl.username`")?;
        let password = match (self.password, self.password_file) {
            (Some(password), None) => PasswordSource::Inline(password),
            (None, Some(path)) => PasswordSource::File(path),
            _ => {
                return Err(
                    "a login needs one of `instance.sasl.password` and `instance.sasl.password_file`",
                );
            }
        };
        Ok(Some(SaslLogin {
            mechanism,
            username,
            password,
        }))
    }
}

fn refused(key: &str, value: &str, origin: &Origin, allowed: &'static str) -> ConfigError {
    ConfigError::Value {
        key: key.to_owned(),
        value: value.trim().to_owned(),
        origin: origin.clone(),
        allowed,
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

#[cfg(test)]
mod tests;
