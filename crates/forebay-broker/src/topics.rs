//! The topics: creating, deleting, growing, configuring, and finding them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::durable_file;
use crate::error::StartError;
use crate::log::{LogServices, Partition};
use crate::topic_catalog::{TopicCatalog, TopicEntry};
use crate::topic_config::{ConfigError, TopicConfig};

const CATALOG_FILE: &str = "topics.catalog";
const LOGS_DIRECTORY: &str = "logs";
/// More is a mistake on one node.
const MAX_PARTITIONS: i32 = 1000;
const MAX_NAME_BYTES: usize = 249;

/// An open topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) partitions: Vec<Arc<Partition>>,
    pub(crate) config: Arc<RwLock<TopicConfig>>,
}

/// Why a change to a topic was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicError {
    #[error("topic {0} exists already")]
    Exists(String),
    #[error("no topic {0}")]
    Unknown(String),
    #[error("expected a name of 1 to {MAX_NAME_BYTES} letters, digits, '.', '_' or '-', got {0:?}")]
    Name(String),
    #[error("expected {from} to {MAX_PARTITIONS} partitions, got {got}")]
    Partitions { from: i32, got: i32 },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot write: {0}")]
    Storage(#[from] io::Error),
}

/// All topics. Methods that change something block for synced writes.
#[derive(Debug)]
pub(crate) struct Topics {
    catalog_path: PathBuf,
    logs: PathBuf,
    services: LogServices,
    /// What the file says; held over every change.
    catalog: Mutex<TopicCatalog>,
    open: RwLock<HashMap<String, Arc<Topic>>>,
}

impl Topics {
    /// Opens every topic of the catalog, and removes what half-made and
    /// half-deleted topics left behind.
    pub(crate) fn open(
        data_dir: PathBuf,
        services: LogServices,
        now_ms: i64,
    ) -> Result<Self, StartError> {
        let catalog_path = data_dir.join(CATALOG_FILE);
        let logs = data_dir.join(LOGS_DIRECTORY);
        let catalog = match TopicCatalog::load(&catalog_path)? {
            Some(catalog) => catalog,
            None if logs.exists() => return Err(StartError::CatalogMissing(catalog_path)),
            None => {
                let catalog = TopicCatalog::new(new_cluster_id());
                let saved = catalog.save(&catalog_path);
                saved.map_err(|source| StartError::Io {
                    path: catalog_path.clone(),
                    source,
                })?;
                catalog
            }
        };
        let topics = Self {
            catalog_path,
            logs,
            services,
            catalog: Mutex::new(catalog),
            open: RwLock::new(HashMap::new()),
        };
        let path = topics.logs.clone();
        topics
            .open_all(now_ms)
            .map_err(|source| StartError::Io { path, source })?;
        Ok(topics)
    }

    fn open_all(&self, now_ms: i64) -> io::Result<()> {
        fs::create_dir_all(&self.logs)?;
        let catalog = self.catalog.lock();
        for entry in fs::read_dir(&self.logs)? {
            let path = entry?.path();
            let number = path
                .file_name()
                .and_then(|name| name.to_str()?.parse::<u64>().ok());
            let known = |number| catalog.topics.values().any(|topic| topic.number == number);
            if number.is_some_and(|number| !known(number)) {
                tracing::info!(directory = %path.display(), "removing what is left of a topic");
                fs::remove_dir_all(&path)?;
            }
        }
        let mut open = self.open.write();
        for (name, entry) in &catalog.topics {
            let topic = self.open_topic(name, entry, now_ms)?;
            open.insert(name.clone(), topic);
        }
        Ok(())
    }

    fn directory(&self, entry: &TopicEntry) -> PathBuf {
        self.logs.join(entry.number.to_string())
    }

    fn open_topic(&self, name: &str, entry: &TopicEntry, now_ms: i64) -> io::Result<Arc<Topic>> {
        let config = Arc::new(RwLock::new(entry.config.clone()));
        let partitions = (0..entry.partitions)
            .map(|number| self.open_partition(name, entry, number, &config, now_ms))
            .collect::<Result<_, _>>()?;
        Ok(Arc::new(Topic {
            name: name.to_owned(),
            partitions,
            config,
        }))
    }

    fn open_partition(
        &self,
        name: &str,
        entry: &TopicEntry,
        number: i32,
        config: &Arc<RwLock<TopicConfig>>,
        now_ms: i64,
    ) -> io::Result<Arc<Partition>> {
        let directory = self.directory(entry).join(number.to_string());
        let label = format!("{name}-{number}");
        Partition::open(
            label,
            directory,
            Arc::clone(config),
            self.services.clone(),
            now_ms,
        )
    }

    pub(crate) fn cluster_id(&self) -> String {
        self.catalog.lock().cluster_id.clone()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.open.read().get(name).cloned()
    }

    pub(crate) fn partition(&self, name: &str, number: i32) -> Option<Arc<Partition>> {
        let number = usize::try_from(number).ok()?;
        self.open.read().get(name)?.partitions.get(number).cloned()
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        let mut all: Vec<_> = self.open.read().values().cloned().collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Checks what [`Self::create`] checks.
    pub(crate) fn may_create(&self, name: &str, partitions: i32) -> Result<(), TopicError> {
        let legal = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        let in_range = (1..=MAX_NAME_BYTES).contains(&name.len());
        if !in_range || !name.bytes().all(legal) || name == "." || name == ".." {
            return Err(TopicError::Name(name.to_owned()));
        }
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            return Err(TopicError::Partitions {
                from: 1,
                got: partitions,
            });
        }
        if self.get(name).is_some() {
            return Err(TopicError::Exists(name.to_owned()));
        }
        Ok(())
    }

    /// Creates a topic: directories first, then the catalog, so that a crash
    /// between them leaves no half-made topic.
    pub(crate) fn create(
        &self,
        name: &str,
        partitions: i32,
        config: TopicConfig,
        now_ms: i64,
    ) -> Result<Arc<Topic>, TopicError> {
        let mut catalog = self.catalog.lock();
        self.may_create(name, partitions)?;
        let entry = TopicEntry {
            number: catalog.next_number,
            partitions,
            config,
        };
        let mut changed = catalog.clone();
        changed.next_number += 1;
        changed.topics.insert(name.to_owned(), entry.clone());
        let made = self.make_directories(&entry, name, now_ms);
        let made = made.and_then(|topic| changed.save(&self.catalog_path).map(|()| topic));
        let topic = made.inspect_err(|error| {
            self.services.disk.write_failed(name, error);
            // The number is burnt, in case its directory cannot be removed.
            catalog.next_number += 1;
            self.remove_directory(&entry);
        })?;
        *catalog = changed;
        self.open
            .write()
            .insert(name.to_owned(), Arc::clone(&topic));
        Ok(topic)
    }

    fn make_directories(
        &self,
        entry: &TopicEntry,
        name: &str,
        now_ms: i64,
    ) -> io::Result<Arc<Topic>> {
        let topic = self.open_topic(name, entry, now_ms)?;
        durable_file::sync_directory(&self.directory(entry))?;
        durable_file::sync_directory(&self.logs)?;
        Ok(topic)
    }

    fn remove_directory(&self, entry: &TopicEntry) {
        let directory = self.directory(entry);
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(
                    directory = %directory.display(), %error,
                    "cannot remove a deleted topic's files; the next start tries again"
                );
            }
            _ => {}
        }
    }

    /// Writes the catalog down because of a change to topic `name` that does not
    /// need more space, and may free some.
    fn save(&self, changed: &TopicCatalog, name: &str) -> io::Result<()> {
        let disk = &self.services.disk;
        disk.with_reserve(|| changed.save(&self.catalog_path))
            .inspect_err(|error| disk.write_failed(name, error))
    }

    /// Deletes a topic, once the catalog says so durably.
    pub(crate) fn delete(&self, name: &str) -> Result<(), TopicError> {
        let mut catalog = self.catalog.lock();
        let mut changed = catalog.clone();
        let entry = changed
            .topics
            .remove(name)
            .ok_or_else(|| TopicError::Unknown(name.to_owned()))?;
        self.save(&changed, name)?;
        *catalog = changed;
        let topic = self.open.write().remove(name);
        drop(catalog);
        for partition in topic.iter().flat_map(|topic| &topic.partitions) {
            partition.mark_deleted();
        }
        self.remove_directory(&entry);
        Ok(())
    }

    /// Checks what [`Self::grow`] checks; answers the topic as it is.
    pub(crate) fn may_grow(&self, name: &str, total: i32) -> Result<Arc<Topic>, TopicError> {
        let topic = self
            .get(name)
            .ok_or_else(|| TopicError::Unknown(name.to_owned()))?;
        let from = i32::try_from(topic.partitions.len() + 1).unwrap_or(i32::MAX);
        if !(from..=MAX_PARTITIONS).contains(&total) {
            return Err(TopicError::Partitions { from, got: total });
        }
        Ok(topic)
    }

    /// Adds partitions, up to `total`.
    pub(crate) fn grow(&self, name: &str, total: i32, now_ms: i64) -> Result<(), TopicError> {
        let mut catalog = self.catalog.lock();
        let topic = self.may_grow(name, total)?;
        let mut changed = catalog.clone();
        let entry = changed
            .topics
            .get_mut(name)
            .ok_or_else(|| TopicError::Unknown(name.to_owned()))?;
        let from = entry.partitions;
        entry.partitions = total;
        let mut partitions = topic.partitions.clone();
        let made = (|| {
            for number in from..total {
                partitions.push(self.open_partition(name, entry, number, &topic.config, now_ms)?);
            }
            durable_file::sync_directory(&self.directory(entry))
        })();
        made.and_then(|()| changed.save(&self.catalog_path))
            .inspect_err(|error| self.services.disk.write_failed(name, error))?;
        *catalog = changed;
        let config = Arc::clone(&topic.config);
        let grown = Topic {
            name: name.to_owned(),
            partitions,
            config,
        };
        self.open.write().insert(name.to_owned(), Arc::new(grown));
        Ok(())
    }

    /// Syncs and saves every partition; nothing may be appended any more.
    pub(crate) fn close(&self) {
        for topic in self.all() {
            for (number, partition) in topic.partitions.iter().enumerate() {
                if let Err(error) = partition.close() {
                    tracing::error!(
                        topic = topic.name, number, %error,
                        "cannot save a partition's state; the next start rebuilds it"
                    );
                }
            }
        }
    }

    /// Changes a topic's settings: all of `change`, or nothing.
    pub(crate) fn configure(
        &self,
        name: &str,
        validate_only: bool,
        change: impl FnOnce(&mut TopicConfig) -> Result<(), ConfigError>,
    ) -> Result<(), TopicError> {
        let mut catalog = self.catalog.lock();
        let topic = self
            .get(name)
            .ok_or_else(|| TopicError::Unknown(name.to_owned()))?;
        let mut config = topic.config.read().clone();
        change(&mut config)?;
        if validate_only {
            return Ok(());
        }
        let mut changed = catalog.clone();
        if let Some(entry) = changed.topics.get_mut(name) {
            entry.config = config.clone();
        }
        self.save(&changed, name)?;
        *catalog = changed;
        *topic.config.write() = config;
        Ok(())
    }
}

/// 22 characters, as Apache Kafka's.
fn new_cluster_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    // Each `RandomState` is keyed by the system's randomness.
    let (low, high) = (
        RandomState::new().hash_one(1),
        RandomState::new().hash_one(2),
    );
    let mut bits = u128::from(low) | u128::from(high) << 64;
    let mut id = String::with_capacity(22);
    for _ in 0..22 {
        id.push(char::from(ALPHABET[(bits & 31) as usize]));
        bits >>= 5;
    }
    id
}
