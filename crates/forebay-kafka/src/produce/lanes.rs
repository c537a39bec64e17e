//! The lanes of one producer thread: a shared one for each broker, and one of
//! their own for partitions that hold the others up.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;

use super::{ProduceObserver, lane::Lane};
use crate::{cluster::Cluster, metadata::Broker, record_batch::compress::Codec};

/// The produce connections of one thread; its writers share them.
///
/// Lanes run on the runtime of whoever submits first, so a set belongs to one
/// thread: handing over to a lane then wakes no other.
#[derive(Clone)]
pub struct ProduceLanes {
    inner: Arc<Inner>,
}

struct Inner {
    cluster: Cluster,
    observer: Arc<dyn ProduceObserver>,
    codec: Option<Codec>,
    lanes: Mutex<HashMap<LaneKey, (Broker, Lane)>>,
}

#[derive(PartialEq, Eq, Hash)]
enum LaneKey {
    Shared { broker: i32 },
    Own { topic: Arc<str>, partition: i32 },
}

impl fmt::Debug for ProduceLanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProduceLanes")
            .field("lanes", &self.inner.lanes.lock().len())
            .finish()
    }
}

impl ProduceLanes {
    /// No connection is made before the first batch is submitted.
    pub fn new(cluster: Cluster, observer: Arc<dyn ProduceObserver>) -> Self {
        Self::compressing(cluster, observer, None)
    }

    /// The same for batches that are compressed before they are sent. One that
    /// would not become shorter is sent as it is.
    pub fn compressing(
        cluster: Cluster,
        observer: Arc<dyn ProduceObserver>,
        codec: Option<Codec>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                cluster,
                observer,
                codec,
                lanes: Mutex::default(),
            }),
        }
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.inner.cluster
    }

    pub(crate) fn observer(&self) -> &dyn ProduceObserver {
        &*self.inner.observer
    }

    /// The lane of a leader: the shared one, or, for a partition whose last
    /// attempts timed out, one that no other waits for.
    pub(crate) fn lane(&self, leader: &Broker, own: Option<(&Arc<str>, i32)>) -> Lane {
        let key = match own {
            Some((topic, partition)) => LaneKey::Own {
                topic: Arc::clone(topic),
                partition,
            },
            None => LaneKey::Shared { broker: leader.id },
        };
        let mut lanes = self.inner.lanes.lock();
        match lanes.get(&key) {
            Some((broker, lane)) if broker == leader && lane.is_running() => lane.clone(),
            // None yet, a panic has ended it, or the leader has moved to
            // another address.
            _ => {
                let lane = Lane::spawn(
                    self.inner.cluster.clone(),
                    leader.clone(),
                    Arc::clone(&self.inner.observer),
                    self.inner.codec,
                );
                lanes.insert(key, (leader.clone(), lane.clone()));
                lane
            }
        }
    }

    /// Closes the partition's own lane, now that it is healthy again.
    pub(crate) fn rejoin(&self, topic: &Arc<str>, partition: i32) {
        let key = LaneKey::Own {
            topic: Arc::clone(topic),
            partition,
        };
        self.inner.lanes.lock().remove(&key);
    }
}
