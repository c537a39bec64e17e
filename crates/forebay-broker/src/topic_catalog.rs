//! The file that says which topics exist: a topic is created and deleted by the
//! file's replacement, everything in directories follows from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::durable_file;
use crate::topic_config::TopicConfig;

const FIRST_LINE: &str = "forebay-broker-topics 1";

/// One topic as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicEntry {
    /// Names the directory; never used again, so that a topic created anew
    /// cannot meet its predecessor's files.
    pub(crate) number: u64,
    pub(crate) partitions: i32,
    pub(crate) config: TopicConfig,
}

impl TopicEntry {
    fn parse(number: &str, partitions: &str) -> Option<Self> {
        let (number, partitions) = (number.parse().ok()?, partitions.parse().ok()?);
        Some(Self {
            number,
            partitions,
            config: TopicConfig::default(),
        })
    }
}

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicCatalog {
    pub(crate) cluster_id: String,
    pub(crate) next_number: u64,
    pub(crate) topics: BTreeMap<String, TopicEntry>,
}

/// Why the catalog cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is damaged at line {line}; restore it from a copy", path.display())]
    Damaged { path: PathBuf, line: usize },
}

impl TopicCatalog {
    pub(crate) fn new(cluster_id: String) -> Self {
        Self {
            cluster_id,
            next_number: 1,
            topics: BTreeMap::new(),
        }
    }

    /// Reads the file; `None` if there is none.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, CatalogError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(CatalogError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let damaged = |line| CatalogError::Damaged {
            path: path.to_owned(),
            line,
        };
        let text = durable_file::unseal(&text).ok_or_else(|| damaged(text.lines().count()))?;
        Self::parse(text).map(Some).map_err(damaged)
    }

    fn parse(text: &str) -> Result<Self, usize> {
        let mut catalog = Self::new(String::new());
        let mut topic = String::new();
        for (number, line) in (1_usize..).zip(text.lines()) {
            let words: Vec<&str> = line.split(' ').collect();
            let done = match words.as_slice() {
                _ if number == 1 => (line == FIRST_LINE).then_some(()),
                ["cluster", id] => {
                    catalog.cluster_id = (*id).to_owned();
                    Some(())
                }
                ["next", next] => next.parse().ok().map(|next| catalog.next_number = next),
                ["topic", number, partitions, name] => {
                    topic = (*name).to_owned();
                    TopicEntry::parse(number, partitions)
                        .map(|entry| drop(catalog.topics.insert(topic.clone(), entry)))
                }
                ["config", name, value] => {
                    let topic = catalog.topics.get_mut(&topic);
                    topic.and_then(|topic| topic.config.set(name, Some(value)).ok())
                }
                _ => None,
            };
            done.ok_or(number)?;
        }
        Ok(catalog)
    }

    /// Replaces the file durably.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let text = self.to_text().map_err(io::Error::other)?;
        durable_file::replace(path, durable_file::seal(&text).as_bytes())
    }

    fn to_text(&self) -> Result<String, std::fmt::Error> {
        let mut text = format!(
            "{FIRST_LINE}\ncluster {}\nnext {}\n",
            self.cluster_id, self.next_number
        );
        for (name, topic) in &self.topics {
            writeln!(text, "topic {} {} {name}", topic.number, topic.partitions)?;
            for (setting, value) in topic.config.given() {
                writeln!(text, "config {setting} {value}")?;
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_and_damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("topics");
        assert!(TopicCatalog::load(&path).unwrap().is_none());
        let mut catalog = TopicCatalog::new("abc".to_owned());
        let mut config = TopicConfig::default();
        config
            .set("cleanup.policy", Some("compact, delete"))
            .unwrap();
        catalog.topics.insert(
            "a.b-c_d".to_owned(),
            TopicEntry {
                number: 4,
                partitions: 3,
                config,
            },
        );
        catalog.next_number = 5;
        catalog.save(&path).unwrap();
        assert_eq!(TopicCatalog::load(&path).unwrap(), Some(catalog));
        let text = std::fs::read_to_string(&path)
            .unwrap()
            .replace("topic 4 3", "topic 4 2");
        std::fs::write(&path, text).unwrap();
        assert!(matches!(
            TopicCatalog::load(&path),
            Err(CatalogError::Damaged { .. })
        ));
    }
}
