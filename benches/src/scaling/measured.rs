//! What a simulation counts.

/// What a simulated broker and its lanes did in the measured time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Simulated seconds that were measured.
    pub seconds: f64,
    /// Records that arrived, from the very beginning.
    pub arrived: u64,
    /// Records acknowledged, from the very beginning.
    pub acknowledged: u64,
    /// Records that waited or were under way at the end.
    pub outstanding: u64,
    /// Records that arrived in the measured time.
    pub offered: u64,
    /// Records acknowledged in the measured time.
    pub records: u64,
    /// Batches acknowledged in the measured time.
    pub batches: u64,
    /// Produce requests acknowledged in the measured time.
    pub requests: u64,
    /// Sum over frames of the squares of their batches.
    pub squares: u64,
    /// Most batches that one frame had.
    pub largest_frame: u64,
    /// Nanoseconds of the broker's cores spent on produce requests.
    pub broker_busy_ns: u64,
    /// Records by latency, see [`Measured::note_latency`].
    latencies: Vec<u64>,
}

/// Steps of a histogram for each doubling.
const STEPS: f64 = 16.0;

impl Measured {
    /// Adds the latency of records, in nanoseconds; kept to about 4 %.
    pub(super) fn note_latency(&mut self, ns: u64, records: usize) {
        let step = ((ns.max(1) as f64).log2() * STEPS) as usize;
        if self.latencies.len() <= step {
            self.latencies.resize(step + 1, 0);
        }
        self.latencies[step] += records as u64;
    }

    /// Milliseconds from append to acknowledgement that this share of records
    /// did not exceed; 0 without records.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        let all: u64 = self.latencies.iter().sum();
        let mut left = (all as f64 * quantile).ceil() as u64;
        for (step, records) in self.latencies.iter().enumerate() {
            if left <= *records {
                return if all == 0 {
                    0.0
                } else {
                    ((step as f64 + 0.5) / STEPS).exp2() / 1e6
                };
            }
            left -= records;
        }
        0.0
    }

    /// Whether less comes out than goes in: what waits grows, and with it the
    /// latency, for as long as one looks.
    pub fn falls_behind(&self) -> bool {
        (self.records as f64) < 0.95 * self.offered as f64
    }

    /// Records acknowledged a second.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }

    /// Mean records of a batch; 0 without batches.
    pub fn records_per_batch(&self) -> f64 {
        self.records as f64 / self.batches.max(1) as f64
    }

    /// Mean batches of a produce request; 0 without requests.
    pub fn batches_per_request(&self) -> f64 {
        self.batches as f64 / self.requests.max(1) as f64
    }

    /// Produce requests a second.
    pub fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}
