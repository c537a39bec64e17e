//! `scaling-model`: what many replicas, partitions and brokers would do, by
//! simulation; the tables of `docs/scaling.md`.

use std::io::Write as _;

use clap::{Parser, ValueEnum};
use forebay_bench::scaling::{
    costs::{Costs, MAX_IN_FLIGHT},
    limits::Standing,
    setup::{Routing, Setup},
    simulation::Course,
    tables::Model,
};

/// Computes how batches, produce requests, latency and connections change with
/// replicas, partitions and load. Deterministic; takes seconds.
#[derive(Parser)]
#[command(name = "scaling-model", version, about)]
struct Arguments {
    /// What to print, as Markdown
    #[arg(value_enum, default_value_t = Table::One)]
    table: Table,
    /// Forebay processes
    #[arg(long, default_value_t = 10, value_parser = at_least_one)]
    replicas: usize,
    /// Cores of each replica
    #[arg(long, default_value_t = 16, value_parser = at_least_one)]
    cores: usize,
    /// Producer threads of each replica [default: a quarter of its cores]
    #[arg(long, value_parser = at_least_one)]
    producer_threads: Option<usize>,
    /// Kafka brokers
    #[arg(long, default_value_t = 6, value_parser = at_least_one)]
    brokers: usize,
    /// Cores of each broker that serve produce requests
    #[arg(long, default_value_t = 8, value_parser = at_least_one)]
    broker_cores: usize,
    /// Partitions of all topics together
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
    partitions: usize,
    /// Messages per second, all replicas together
    #[arg(long, default_value_t = 1e6, value_parser = positive)]
    rate: f64,
    /// Messages of each request, up to 500
    #[arg(long, default_value_t = 10, value_parser = at_least_one)]
    messages: usize,
    /// Messages have no keys
    #[arg(long)]
    keyless: bool,
    /// Network round trip to a broker, milliseconds
    #[arg(long, default_value_t = 0.2, value_parser = not_negative)]
    round_trip: f64,
    /// Until the in-sync replicas have a batch, milliseconds
    #[arg(long, default_value_t = 1.0, value_parser = not_negative)]
    replication: f64,
    /// What if lanes had another number of requests under way
    #[arg(long, default_value_t = MAX_IN_FLIGHT, value_parser = at_least_one)]
    in_flight: usize,
    /// What if lanes lingered, milliseconds
    #[arg(long, default_value_t = 0.0, value_parser = not_negative)]
    linger: f64,
    /// Broker CPU of a produce request, of each batch, of each KiB: microseconds
    #[arg(long, num_args = 3, value_names = ["REQUEST", "BATCH", "KIB"], value_parser = not_negative)]
    broker_costs: Option<Vec<f64>>,
    /// Of the random arrivals
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Table {
    /// The setup as given
    One,
    /// As replicas and partitions grow, at the same rate for each replica
    Growth,
    /// As the rate grows
    Load,
    /// With each remedy
    Remedies,
    /// Connections of one broker
    Connections,
    /// As tasks grow
    Tasks,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("expected a whole number from 1, got {text}")),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|number| match number {
        number if number > 0.0 => Ok(number),
        _ => Err("expected more than 0".to_owned()),
    })
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err(format!("expected a number from 0, got {text}")),
    }
}

impl Arguments {
    fn model(&self) -> Model {
        let mut costs = Costs::default();
        if let Some([request, batch, kib]) = self.broker_costs.as_deref() {
            costs.broker_request_us = *request;
            costs.broker_batch_us = *batch;
            costs.broker_kib_us = *kib;
        }
        let routing = match self.keyless {
            true => Routing::Keyless,
            false => Routing::Keyed,
        };
        Model {
            setup: Setup {
                replicas: self.replicas,
                cores: self.cores,
                producer_threads: self.producer_threads,
                brokers: self.brokers,
                broker_cores: self.broker_cores,
                partitions: self.partitions,
                rate: self.rate,
                messages: self.messages,
                routing,
                round_trip_us: self.round_trip * 1e3,
                replication_us: self.replication * 1e3,
                in_flight: self.in_flight,
                linger_us: self.linger * 1e3,
                ..Setup::default()
            },
            costs,
            standing: Standing::default(),
            course: Course {
                seed: self.seed,
                ..Course::default()
            },
        }
    }
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let model = arguments.model();
    let text = match arguments.table {
        Table::One => model.one(),
        Table::Growth => model.growth(),
        Table::Load => model.load(),
        Table::Remedies => model.remedies(),
        Table::Connections => model.connections(),
        Table::Tasks => model.tasks(),
    };
    std::io::stdout().write_all(text.as_bytes())
}
