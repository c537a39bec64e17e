//! The way from a partition to its leader's lane.

use std::sync::Arc;

use crate::{
    cluster::Cluster,
    metadata::Broker,
    produce::{
        ProduceLanes,
        lane::{Lane, WeakLane},
    },
};

/// Remembers the lane that the last batch took: looking leader and lane up
/// would cost as much as encoding several messages.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) lanes: ProduceLanes,
    /// Whether batches go over a connection of their own.
    isolated: bool,
    /// With the generation of the metadata that it was found in.
    last: Option<(u64, WeakLane)>,
}

impl Route {
    pub(super) fn new(topic: Arc<str>, partition: i32, lanes: ProduceLanes) -> Self {
        Self {
            topic,
            partition,
            lanes,
            isolated: false,
            last: None,
        }
    }

    pub(super) fn cluster(&self) -> &Cluster {
        self.lanes.cluster()
    }

    /// The lane of the leader that is remembered, if any is. That is good
    /// enough to begin with, and costs no wait: a broker that does not lead
    /// says so, and then we ask.
    pub(super) fn known_lane(&mut self) -> Option<Lane> {
        let generation = self.cluster().metadata().generation();
        if let Some((found_in, lane)) = &self.last
            && *found_in == generation
            && let Some(lane) = lane.upgrade()
        {
            return Some(lane);
        }
        let leader = self.cluster().known_leader(&self.topic, self.partition)?;
        let lane = self.lane_to(&leader);
        self.last = Some((generation, lane.downgrade()));
        Some(lane)
    }

    pub(super) fn lane_to(&self, leader: &Broker) -> Lane {
        let own = self.isolated.then_some((&self.topic, self.partition));
        self.lanes.lane(leader, own)
    }

    /// From now on batches go over a connection of their own.
    pub(super) fn isolate(&mut self) {
        self.isolated = true;
        self.last = None;
    }

    /// The partition is healthy: its own lane is closed.
    pub(super) fn rejoin(&mut self) {
        if self.isolated {
            self.isolated = false;
            self.last = None;
            self.lanes.rejoin(&self.topic, self.partition);
        }
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        // The lanes would keep the partition's own one, and its connection.
        self.rejoin();
    }
}
