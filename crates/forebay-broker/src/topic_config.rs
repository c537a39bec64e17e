//! The topic settings this broker knows, with Apache Kafka's names.

use std::collections::BTreeMap;

/// What values a setting takes; the numbers are Kafka's config types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int {
        min: i64,
    },
    Long {
        min: i64,
    },
    /// One of these.
    Choice(&'static [&'static str]),
    /// A comma-separated list of these.
    List(&'static [&'static str]),
}

impl Kind {
    /// `type` of DescribeConfigs: 2 string, 3 int, 5 long, 7 list.
    pub(crate) fn wire_type(self) -> i8 {
        match self {
            Self::Choice(_) => 2,
            Self::Int { .. } => 3,
            Self::Long { .. } => 5,
            Self::List(_) => 7,
        }
    }

    fn check(self, value: &str) -> Result<(), String> {
        match self {
            Self::Int { min } | Self::Long { min } => {
                let max = if matches!(self, Self::Int { .. }) {
                    i64::from(i32::MAX)
                } else {
                    i64::MAX
                };
                match value.parse::<i64>() {
                    Ok(number) if (min..=max).contains(&number) => Ok(()),
                    _ => Err(format!(
                        "expected a number from {min} to {max}, got {value:?}"
                    )),
                }
            }
            Self::Choice(choices) => match choices.contains(&value) {
                true => Ok(()),
                false => Err(format!(
                    "expected one of {}, got {value:?}",
                    choices.join(", ")
                )),
            },
            Self::List(choices) => {
                match value.split(',').all(|part| choices.contains(&part.trim())) {
                    true => Ok(()),
                    false => Err(format!(
                        "expected a list of {}, got {value:?}",
                        choices.join(", ")
                    )),
                }
            }
        }
    }
}

/// One known setting.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
}

/// All settings; where only one value is offered, another would be a promise
/// this broker does not keep.
pub(crate) const KNOWN: &[Known] = &[
    Known {
        name: "cleanup.policy",
        kind: Kind::List(&["delete", "compact"]),
        default: "delete",
    },
    Known {
        name: "compression.type",
        kind: Kind::Choice(&["producer"]),
        default: "producer",
    },
    Known {
        name: "delete.retention.ms",
        kind: Kind::Long { min: 0 },
        default: "86400000",
    },
    Known {
        name: "max.message.bytes",
        kind: Kind::Int { min: 0 },
        default: "1048588",
    },
    Known {
        name: "message.timestamp.type",
        kind: Kind::Choice(&["CreateTime"]),
        default: "CreateTime",
    },
    Known {
        name: "min.insync.replicas",
        kind: Kind::Choice(&["1"]),
        default: "1",
    },
    Known {
        name: "retention.bytes",
        kind: Kind::Long { min: -1 },
        default: "-1",
    },
    Known {
        name: "retention.ms",
        kind: Kind::Long { min: -1 },
        default: "604800000",
    },
    Known {
        name: "segment.bytes",
        kind: Kind::Int { min: 1024 },
        default: "134217728",
    },
    Known {
        name: "segment.ms",
        kind: Kind::Long { min: 1 },
        default: "604800000",
    },
    Known {
        name: "unclean.leader.election.enable",
        kind: Kind::Choice(&["false"]),
        default: "false",
    },
];

/// Why a setting is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ConfigError {
    #[error("unknown topic setting {name:?}; this broker knows {}", known_names())]
    Unknown { name: String },
    #[error("{name}: {problem}")]
    Value { name: String, problem: String },
}

fn known_names() -> String {
    KNOWN
        .iter()
        .map(|known| known.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A topic's settings: those given, and the defaults of the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TopicConfig {
    given: BTreeMap<&'static str, String>,
}

impl TopicConfig {
    /// Sets one; `None` goes back to the default.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), ConfigError> {
        let known = KNOWN
            .iter()
            .find(|known| known.name == name)
            .ok_or_else(|| ConfigError::Unknown {
                name: name.to_owned(),
            })?;
        let Some(value) = value else {
            self.given.remove(known.name);
            return Ok(());
        };
        known
            .kind
            .check(value)
            .map_err(|problem| ConfigError::Value {
                name: name.to_owned(),
                problem,
            })?;
        let compact: String = value.split_whitespace().collect();
        self.given.insert(known.name, compact);
        Ok(())
    }

    /// Adds these values to a list's; those that it has already stay once.
    pub(crate) fn append(&mut self, name: &str, values: &str) -> Result<(), ConfigError> {
        self.change_list(name, values, |list, values| {
            let new = values.iter().filter(|value| !list.contains(value));
            list.iter().chain(new).copied().collect()
        })
    }

    /// Takes these values out of a list's.
    pub(crate) fn subtract(&mut self, name: &str, values: &str) -> Result<(), ConfigError> {
        self.change_list(name, values, |list, values| {
            let left = list.iter().filter(|value| !values.contains(value));
            left.copied().collect()
        })
    }

    fn change_list(
        &mut self,
        name: &str,
        values: &str,
        change: impl for<'a> Fn(&[&'a str], &[&'a str]) -> Vec<&'a str>,
    ) -> Result<(), ConfigError> {
        let known = KNOWN.iter().find(|known| known.name == name);
        if known.is_some_and(|known| !matches!(known.kind, Kind::List(_))) {
            return Err(ConfigError::Value {
                name: name.to_owned(),
                problem: "expected to set it: it is not a list".to_owned(),
            });
        }
        let list: Vec<&str> = self.value(name).split(',').collect();
        let values: Vec<&str> = values.split(',').map(str::trim).collect();
        let changed = change(&list, &values).join(",");
        self.set(name, Some(&changed))
    }

    /// The settings that were given.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.given
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// A setting's value and whether it was given.
    pub(crate) fn get<'a>(&'a self, known: &'a Known) -> (&'a str, bool) {
        self.given
            .get(known.name)
            .map_or((known.default, false), |value| (value, true))
    }

    fn value(&self, name: &str) -> &str {
        let known = KNOWN.iter().find(|known| known.name == name);
        known.map_or("", |known| self.get(known).0)
    }

    fn number(&self, name: &str) -> i64 {
        self.value(name).parse().unwrap_or(-1)
    }

    /// The values the log works with.
    pub(crate) fn limits(&self) -> LogLimits {
        let policy = self.value("cleanup.policy");
        LogLimits {
            compact: policy.contains("compact"),
            delete: policy.contains("delete"),
            max_message_bytes: self.number("max.message.bytes") as usize,
            segment_bytes: self.number("segment.bytes") as u64,
            segment_ms: self.number("segment.ms"),
            retention_ms: self.number("retention.ms"),
            retention_bytes: self.number("retention.bytes"),
            delete_retention_ms: self.number("delete.retention.ms"),
        }
    }
}

/// [`TopicConfig`] in numbers; -1 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogLimits {
    pub(crate) compact: bool,
    pub(crate) delete: bool,
    pub(crate) max_message_bytes: usize,
    pub(crate) segment_bytes: u64,
    pub(crate) segment_ms: i64,
    pub(crate) retention_ms: i64,
    pub(crate) retention_bytes: i64,
    pub(crate) delete_retention_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_itself_allowed() {
        let mut config = TopicConfig::default();
        for known in KNOWN {
            config.set(known.name, Some(known.default)).unwrap();
        }
        assert_eq!(config.limits(), TopicConfig::default().limits());
    }

    #[test]
    fn both_policies_and_reset() {
        let mut config = TopicConfig::default();
        config
            .set("cleanup.policy", Some("compact, delete"))
            .unwrap();
        assert!(config.limits().compact && config.limits().delete);
        config.set("cleanup.policy", None).unwrap();
        assert!(!config.limits().compact && config.limits().delete);
    }

    #[test]
    fn lists_are_appended_to_and_subtracted_from() {
        let mut config = TopicConfig::default();
        config.append("cleanup.policy", "compact,delete").unwrap();
        assert_eq!(config.value("cleanup.policy"), "delete,compact");
        config.subtract("cleanup.policy", "delete").unwrap();
        assert_eq!(config.value("cleanup.policy"), "compact");
        assert!(config.subtract("cleanup.policy", "compact").is_err());
        assert!(config.append("cleanup.policy", "keep").is_err());
        assert!(config.append("retention.ms", "1").is_err());
        assert!(config.append("no.such", "1").is_err());
        assert_eq!(config.value("cleanup.policy"), "compact");
    }

    #[test]
    fn unknown_names_and_values_out_of_range_are_refused() {
        let mut config = TopicConfig::default();
        assert!(matches!(
            config.set("nope", Some("1")),
            Err(ConfigError::Unknown { .. })
        ));
        for (name, value) in [
            ("retention.ms", "-2"),
            ("segment.bytes", "x"),
            ("cleanup.policy", "keep"),
            ("min.insync.replicas", "2"),
        ] {
            assert!(
                matches!(
                    config.set(name, Some(value)),
                    Err(ConfigError::Value { .. })
                ),
                "{name}"
            );
        }
    }
}
