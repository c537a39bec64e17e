//! The tables of `docs/scaling.md`, as Markdown.

use std::fmt::Write as _;

use super::{
    costs::Costs,
    limits::{Connections, GatewayLoad, Standing, TaskLoad, resident_bytes},
    setup::{Routing, Setup},
    simulation::{Course, simulate},
};

/// Everything that tables are made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Model {
    /// What each table starts from; its rows change some of it.
    pub setup: Setup,
    /// Costs of messages, batches and requests.
    pub costs: Costs,
    /// Costs of tasks, partitions and connections.
    pub standing: Standing,
    /// How long to simulate, and the seed.
    pub course: Course,
}

const BATCHING_HEAD: &str = "| replicas | partitions | producer threads | routing | messages/request | in flight | linger ms | offered/s | acked/s | records/batch | batches/request | requests/s and broker | broker cores | added latency p50 / p99 ms | gateway cores a replica | busiest producer thread |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";

impl Model {
    /// Batches, produce requests, latency and CPU of the setup as it is.
    pub fn one(&self) -> String {
        BATCHING_HEAD.to_owned() + &self.batching_row(&self.setup)
    }

    /// The same as replicas and partitions grow.
    pub fn growth(&self) -> String {
        let mut text = BATCHING_HEAD.to_owned();
        for replicas in [1, 3, 10] {
            for partitions in [100, 1000, 10_000] {
                text += &self.batching_row(&Setup {
                    replicas,
                    partitions,
                    rate: self.setup.rate * replicas as f64 / self.setup.replicas as f64,
                    ..self.setup
                });
            }
        }
        text
    }

    /// The same as the load grows, at the setup's replicas and partitions.
    pub fn load(&self) -> String {
        let mut text = BATCHING_HEAD.to_owned();
        for factor in [0.1, 0.3, 1.0, 2.0, 4.0] {
            let rate = self.setup.rate * factor;
            text += &self.batching_row(&Setup { rate, ..self.setup });
        }
        text
    }

    /// The same with each remedy on its own, and with all.
    pub fn remedies(&self) -> String {
        let setup = self.setup;
        let one_thread = Setup {
            producer_threads: Some(1),
            ..setup
        };
        let linger = Setup {
            linger_us: 5000.0,
            ..setup
        };
        let long_linger = Setup {
            linger_us: 100_000.0,
            ..setup
        };
        let large = Setup {
            messages: 100,
            ..setup
        };
        let four_in_flight = Setup {
            in_flight: 4,
            ..setup
        };
        let one_in_flight = Setup {
            in_flight: 1,
            ..setup
        };
        let keyless = Setup {
            routing: Routing::Keyless,
            ..setup
        };
        let both = Setup {
            routing: Routing::Keyless,
            ..large
        };
        let all = Setup {
            producer_threads: Some(1),
            linger_us: 5000.0,
            ..both
        };
        [
            setup,
            four_in_flight,
            one_in_flight,
            one_thread,
            linger,
            long_linger,
            large,
            keyless,
            both,
            all,
        ]
        .iter()
        .fold(BATCHING_HEAD.to_owned(), |text, setup| {
            text + &self.batching_row(setup)
        })
    }

    fn batching_row(&self, setup: &Setup) -> String {
        let found = simulate(setup, &self.costs, &self.course);
        let gateway = GatewayLoad::of(setup, &self.costs, &found);
        let acked = found.rate() * setup.brokers as f64;
        let latency = match found.falls_behind() {
            true => "grows".to_owned(),
            false => format!(
                "{:.1} / {:.1}",
                found.latency_ms(0.5),
                found.latency_ms(0.99)
            ),
        };
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} | {:.1} | {} | {:.1} of {} | {} | {:.1} of {} | {:.0} % |\n",
            setup.replicas,
            setup.partitions,
            setup.threads(),
            match setup.routing {
                Routing::Keyed => "keyed",
                Routing::Keyless => "keyless",
            },
            setup.messages,
            setup.in_flight,
            setup.linger_us / 1e3,
            thousands(setup.rate),
            thousands(acked),
            found.records_per_batch(),
            found.batches_per_request(),
            thousands(found.requests_per_second()),
            found.broker_busy_ns as f64 / 1e9 / found.seconds,
            setup.broker_cores,
            latency,
            gateway.cores,
            setup.cores,
            gateway.producer_thread * 100.0,
        )
    }

    /// Connections of one broker.
    pub fn connections(&self) -> String {
        let mut text = "| replicas | cores | brokers | produce lanes | control | queries | registry (its leader only) | sum | if every partition timed out |\n|---|---|---|---|---|---|---|---|---|\n".to_owned();
        for (replicas, cores) in [(1, 16), (3, 16), (10, 4), (10, 16), (10, 64), (50, 16)] {
            let setup = Setup {
                replicas,
                cores,
                ..self.setup
            };
            let c = Connections::of(&setup);
            let row = [
                replicas,
                cores,
                setup.brokers,
                c.lanes,
                c.control,
                c.queries,
                c.registry,
                c.healthy(),
            ];
            for cell in row {
                let _infallible = write!(text, "| {cell} ");
            }
            let _infallible = writeln!(text, "| +{} |", thousands(c.isolated as f64));
        }
        text
    }

    /// Tasks, each with a topic of its own, on one replica.
    pub fn tasks(&self) -> String {
        let mut text = "| tasks | registry log MB | load s | create all, serially s | metric series | round of upkeep s | upkeep requests/s, all replicas | RSS at rest MB: 8 / all partitions written |\n|---|---|---|---|---|---|---|---|\n".to_owned();
        for tasks in [1, 1000, 10_000] {
            let load = TaskLoad::of(tasks, tasks, &self.setup, &self.standing);
            let few = Setup {
                partitions: 8,
                ..self.setup
            };
            let resident = |setup: &Setup| resident_bytes(setup, tasks, 0, &self.standing) / 1e6;
            let _infallible = writeln!(
                text,
                "| {tasks} | {:.1} | {:.2} | {:.0} | {} | {:.1} | {:.0} | {:.0} / {:.0} |",
                load.log_bytes / 1e6,
                load.load_seconds,
                load.create_seconds,
                thousands(load.series as f64),
                load.upkeep_seconds,
                load.upkeep_requests,
                resident(&few),
                resident(&self.setup),
            );
        }
        text
    }
}

/// `1.5 M`, `25 k`, `300`.
fn thousands(number: f64) -> String {
    match number {
        n if n >= 1e6 => format!("{:.2} M", n / 1e6),
        n if n >= 1e4 => format!("{:.0} k", n / 1e3),
        n if n >= 1e3 => format!("{:.1} k", n / 1e3),
        n => format!("{n:.0}"),
    }
}
