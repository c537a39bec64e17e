//! One broker and every lane that leads to it, event by event.
//!
//! Brokers lead equal shares and are asked independently of each other, so one
//! stands for all. A lane seals what is ready into frames while fewer than
//! [`Setup::in_flight`] are under way; the broker takes a connection's requests
//! one after the other, waits for the in-sync replicas before it takes the
//! next, and has a limited number of cores.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

pub use super::measured::Measured;
use super::{
    costs::{Costs, FRAME_BYTES},
    partitions::{Batch, Partitions},
    random::Random,
    setup::{Routing, Setup},
};

/// How long to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Seconds before anything is measured: batches have to find their size.
    pub warm_up: f64,
    /// Seconds that are measured.
    pub measured: f64,
    /// Of the random arrivals.
    pub seed: u64,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            // A broker at its limit takes seconds until batches are as large as
            // they get.
            warm_up: 4.0,
            measured: 1.0,
            seed: 1,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    /// A lane has waited long enough for more batches.
    Lingered(usize),
    /// A frame has reached the broker.
    AtBroker(usize),
    /// A core of the broker has appended a frame's batches.
    Appended(usize),
    /// The in-sync replicas have them: the answer leaves, the next request of
    /// the connection may be taken.
    Replicated(usize),
    Answered(usize),
}

struct Lane {
    partitions: Partitions,
    in_flight: usize,
    /// Frames at the broker, the one that it works on included.
    connection: VecDeque<Vec<Batch>>,
    /// Frames whose answers travel.
    answers: VecDeque<Vec<Batch>>,
    /// Where the search for the least burdened partition begins.
    turn: usize,
}

/// A simulation under way.
struct Simulation<'s> {
    setup: &'s Setup,
    costs: &'s Costs,
    random: Random,
    now: u64,
    measure_from: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    scheduled: u64,
    lanes: Vec<Lane>,
    travelling: Vec<VecDeque<Vec<Batch>>>,
    /// Lanes with a request that waits for a core.
    ready: VecDeque<usize>,
    free_cores: usize,
    found: Measured,
}

/// Simulates one broker of the setup.
pub fn simulate(setup: &Setup, costs: &Costs, course: &Course) -> Measured {
    let lanes = || Lane {
        partitions: Partitions::new(setup.partitions_per_lane(), setup.batch_limit()),
        in_flight: 0,
        connection: VecDeque::new(),
        answers: VecDeque::new(),
        turn: 0,
    };
    let count = setup.lanes_per_broker();
    let mut simulation = Simulation {
        setup,
        costs,
        random: Random::new(course.seed),
        now: 0,
        measure_from: (course.warm_up * 1e9) as u64,
        events: BinaryHeap::new(),
        scheduled: 0,
        lanes: std::iter::repeat_with(lanes).take(count).collect(),
        travelling: std::iter::repeat_with(VecDeque::new).take(count).collect(),
        ready: VecDeque::new(),
        free_cores: setup.broker_cores,
        found: Measured::default(),
    };
    simulation.run(simulation.measure_from + (course.measured * 1e9) as u64);
    simulation.found.seconds = course.measured;
    simulation.found
}

impl Simulation<'_> {
    fn run(&mut self, end: u64) {
        self.schedule_arrival();
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at > end {
                break;
            }
            self.now = at;
            match event {
                Event::Arrival => self.arrive(),
                Event::Lingered(lane) => self.send(lane),
                Event::AtBroker(lane) => self.reach_broker(lane),
                Event::Appended(lane) => self.append(lane),
                Event::Replicated(lane) => self.replicate(lane),
                Event::Answered(lane) => self.settle(lane),
            }
        }
        self.found.outstanding = self.outstanding();
    }

    fn schedule(&mut self, after_us: f64, event: Event) {
        // Numbers in order of scheduling break ties, so that runs repeat.
        self.scheduled += 1;
        let at = self.now + (after_us * 1e3) as u64;
        self.events.push(Reverse((at, self.scheduled, event)));
    }

    /// Keyed messages of a request scatter over all brokers, so that every
    /// request may touch this one; a keyless request is this one's or another's.
    fn schedule_arrival(&mut self) {
        let requests = self.setup.rate / self.setup.messages as f64;
        let per_second = match self.setup.routing {
            Routing::Keyed => requests,
            Routing::Keyless => requests / self.setup.brokers as f64,
        };
        let gap = self.random.gap_ns(per_second);
        self.schedule(gap / 1e3, Event::Arrival);
    }

    fn arrive(&mut self) {
        let first = self.random.below(self.setup.replicas) * self.setup.threads();
        let mut touched = Vec::new();
        match self.setup.routing {
            Routing::Keyed => {
                for _ in 0..self.setup.messages {
                    if self.random.below(self.setup.brokers) == 0 {
                        touched.push(self.take(first, 1));
                    }
                }
            }
            Routing::Keyless => touched.push(self.take(first, self.setup.messages)),
        }
        // Lanes send when all of a request has been appended.
        for lane in touched {
            self.send(lane);
        }
        self.schedule_arrival();
    }

    /// Appends to a partition on one of a replica's threads; gives the lane.
    fn take(&mut self, first: usize, records: usize) -> usize {
        let lane = first + self.random.below(self.setup.threads());
        let partition = match self.setup.routing {
            Routing::Keyed => self.random.below(self.lanes[lane].partitions.len()),
            Routing::Keyless => self.lanes[lane].least_burdened(),
        };
        self.found.arrived += records as u64;
        if self.now >= self.measure_from {
            self.found.offered += records as u64;
        }
        self.lanes[lane]
            .partitions
            .append(partition, self.now, records);
        lane
    }

    fn send(&mut self, lane: usize) {
        while self.lanes[lane].in_flight < self.setup.in_flight && self.has_lingered(lane) {
            let frame = self.seal_frame(lane);
            if frame.is_empty() {
                return;
            }
            self.lanes[lane].in_flight += 1;
            self.travelling[lane].push_back(frame);
            self.schedule(self.setup.round_trip_us / 2.0, Event::AtBroker(lane));
        }
    }

    /// Whether the lane has anything to send, and has waited for company.
    fn has_lingered(&mut self, lane: usize) -> bool {
        let Some(since) = self.lanes[lane].partitions.oldest() else {
            return false;
        };
        let waited_us = (self.now - since) as f64 / 1e3;
        let left_us = self.setup.linger_us - waited_us;
        if left_us > 0.0 {
            self.schedule(left_us + 0.001, Event::Lingered(lane));
        }
        left_us <= 0.0
    }

    fn seal_frame(&mut self, lane: usize) -> Vec<Batch> {
        let (mut frame, mut bytes) = (Vec::new(), 0);
        while bytes < FRAME_BYTES {
            let Some(batch) = self.lanes[lane].partitions.seal() else {
                break;
            };
            bytes += self.batch_bytes(&batch);
            frame.push(batch);
        }
        frame
    }

    fn batch_bytes(&self, batch: &Batch) -> usize {
        batch.records * self.setup.record_bytes + self.costs.batch_overhead_bytes
    }

    fn reach_broker(&mut self, lane: usize) {
        if let Some(frame) = self.travelling[lane].pop_front() {
            self.lanes[lane].connection.push_back(frame);
            if self.lanes[lane].connection.len() == 1 {
                self.ready.push_back(lane);
                self.start_work();
            }
        }
    }

    fn start_work(&mut self) {
        while self.free_cores > 0 {
            let Some(lane) = self.ready.pop_front() else {
                return;
            };
            self.free_cores -= 1;
            let busy_us = self.service_us(lane);
            if self.now >= self.measure_from {
                self.found.broker_busy_ns += (busy_us * 1e3) as u64;
            }
            self.schedule(busy_us, Event::Appended(lane));
        }
    }

    /// What the first request of a connection takes of the broker. Followers
    /// append the same batches: their share is charged here, since each broker
    /// follows as much as it leads.
    fn service_us(&self, lane: usize) -> f64 {
        let frame = self.lanes[lane].connection.front();
        let batches = frame.map_or(0, Vec::len) as f64;
        let bytes: usize = frame
            .iter()
            .flat_map(|frame| frame.iter())
            .map(|b| self.batch_bytes(b))
            .sum();
        let copies = self.setup.replication_factor as f64;
        self.costs.broker_request_us
            + copies
                * (batches * self.costs.broker_batch_us
                    + bytes as f64 / 1024.0 * self.costs.broker_kib_us)
    }

    fn append(&mut self, lane: usize) {
        self.free_cores += 1;
        self.start_work();
        let wait = match self.setup.replication_factor {
            0 | 1 => 0.0,
            _ => self.setup.replication_us,
        };
        self.schedule(wait, Event::Replicated(lane));
    }

    fn replicate(&mut self, lane: usize) {
        if let Some(frame) = self.lanes[lane].connection.pop_front() {
            self.lanes[lane].answers.push_back(frame);
            self.schedule(self.setup.round_trip_us / 2.0, Event::Answered(lane));
        }
        if !self.lanes[lane].connection.is_empty() {
            self.ready.push_back(lane);
            self.start_work();
        }
    }

    fn settle(&mut self, lane: usize) {
        let Some(frame) = self.lanes[lane].answers.pop_front() else {
            return;
        };
        let batches = frame.len() as u64;
        let records: usize = frame.iter().map(|batch| batch.records).sum();
        self.found.acknowledged += records as u64;
        if self.now >= self.measure_from {
            self.found.requests += 1;
            self.found.batches += batches;
            self.found.squares += batches * batches;
            self.found.largest_frame = self.found.largest_frame.max(batches);
            self.found.records += records as u64;
            for (at, records) in frame.iter().flat_map(|batch| &batch.runs) {
                self.found.note_latency(self.now - at, *records);
            }
        }
        for batch in frame {
            self.lanes[lane].partitions.settle(batch.partition);
        }
        self.lanes[lane].in_flight -= 1;
        self.send(lane);
    }

    fn outstanding(&self) -> u64 {
        let frames = |frames: &VecDeque<Vec<Batch>>| -> usize {
            frames.iter().flatten().map(|batch| batch.records).sum()
        };
        let lanes = self.lanes.iter().map(|lane| {
            lane.partitions.waiting() + frames(&lane.connection) + frames(&lane.answers)
        });
        let travelling = self.travelling.iter().map(frames);
        (lanes.sum::<usize>() + travelling.sum::<usize>()) as u64
    }
}

impl Lane {
    /// As `Topic::keyless_partition`: the first that is idle, looking from the
    /// next one on, else the least burdened.
    fn least_burdened(&mut self) -> usize {
        let count = self.partitions.len();
        let start = self.turn % count;
        self.turn += 1;
        let mut best = (usize::MAX, start);
        for step in 0..count {
            let index = (start + step) % count;
            let burden = self.partitions.burden(index);
            if burden < best.0 {
                best = (burden, index);
            }
            if burden == 0 {
                break;
            }
        }
        best.1
    }
}
