//! What embedding a Kafka client costs: produces with librdkafka, in process,
//! the messages that a gateway would get, and counts every delivery report.
//!
//! With `--messages N`, each of `--callers` always has N messages under way: it
//! sends the next N when all N have been reported as delivered, like the
//! connections of the load generator. Without it, as many as the queue takes.
//! Prints one line of JSON.

mod cpu_time;
mod librdkafka;
mod message_pool;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;

use crate::librdkafka::{Producer, Reports};
use crate::message_pool::MessagePool;

/// Messages sent between two looks at the reports, in the unbounded case.
const BURST: usize = 1000;
/// After the end, how long reports may take.
const DRAIN: Duration = Duration::from_secs(30);

/// Produces in process with librdkafka.
#[derive(Parser)]
struct Arguments {
    /// Bootstrap address
    #[arg(long, required_unless_present = "librdkafka_version")]
    brokers: Option<String>,
    /// Topic to write to
    #[arg(long, default_value = "embedded")]
    topic: String,
    /// Callers that wait for their messages [default: nobody waits]
    #[arg(long, value_name = "N")]
    messages: Option<usize>,
    /// How many callers
    #[arg(long, default_value_t = 64)]
    callers: usize,
    /// librdkafka's linger.ms
    #[arg(long, default_value_t = 0)]
    linger_ms: u32,
    /// Measured seconds
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Seconds before that
    #[arg(long, default_value_t = 2.0)]
    warmup: f64,
    /// Print librdkafka's version and end
    #[arg(long)]
    librdkafka_version: bool,
}

/// Delivered so far, and what it took.
#[derive(Clone, Copy)]
struct Look {
    at: Instant,
    delivered: u64,
    cpu: Duration,
}

struct Run {
    producer: Producer,
    pool: MessagePool,
    /// Undelivered messages of each caller's request.
    waiting: Vec<usize>,
    delivered: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.librdkafka_version {
        println!("{}", librdkafka::version());
        return ExitCode::SUCCESS;
    }
    match measure(&arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("embedded-client: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<serde_json::Value, String> {
    let brokers = arguments.brokers.clone().unwrap_or_default();
    let settings = [
        ("bootstrap.servers", brokers),
        ("acks", "all".to_owned()),
        ("enable.idempotence", "true".to_owned()),
        // Kafka's own partitioner, as the gateways use it.
        ("partitioner", "murmur2_random".to_owned()),
        ("linger.ms", arguments.linger_ms.to_string()),
    ];
    let mut run = Run {
        producer: Producer::new(&settings, &arguments.topic)?,
        pool: MessagePool::new(),
        waiting: vec![0; arguments.callers],
        delivered: 0,
    };
    if let Some(messages) = arguments.messages {
        for caller in 0..arguments.callers {
            run.request(caller, messages)?;
        }
    }
    let until = Instant::now() + Duration::from_secs_f64(arguments.warmup);
    run.work(until, arguments.messages)?;
    let before = run.look()?;
    let until = Instant::now() + Duration::from_secs_f64(arguments.seconds);
    run.work(until, arguments.messages)?;
    let after = run.look()?;
    run.drain()?;

    let seconds = (after.at - before.at).as_secs_f64();
    let delivered = after.delivered - before.delivered;
    let cpu = (after.cpu - before.cpu).as_secs_f64();
    Ok(json!({
        "version": librdkafka::version(),
        "seconds": seconds,
        "delivered_messages": delivered,
        "messages_per_second": delivered as f64 / seconds,
        "cpu_us_per_message": cpu * 1e6 / delivered.max(1) as f64,
        "cores": cpu / seconds,
        "delivered_in_all": run.delivered,
    }))
}

impl Run {
    fn look(&self) -> Result<Look, String> {
        Ok(Look {
            at: Instant::now(),
            delivered: self.delivered,
            cpu: cpu_time::of_this_process()?,
        })
    }

    fn work(&mut self, until: Instant, messages: Option<usize>) -> Result<(), String> {
        while Instant::now() < until {
            match messages {
                Some(messages) => {
                    for caller in self.served(10)? {
                        self.request(caller, messages)?;
                    }
                }
                None => self.burst()?,
            }
        }
        Ok(())
    }

    fn request(&mut self, caller: usize, messages: usize) -> Result<(), String> {
        self.waiting[caller] = messages;
        for _ in 0..messages {
            let (key, value) = self.pool.next();
            if !self.producer.send(key, value, caller)? {
                return Err("librdkafka's queue is full: too many callers or messages".to_owned());
            }
        }
        Ok(())
    }

    fn burst(&mut self) -> Result<(), String> {
        for _ in 0..BURST {
            let (key, value) = self.pool.next();
            if !self.producer.send(key, value, 0)? {
                let reports = self.producer.poll(10);
                return self.count(&reports);
            }
        }
        let reports = self.producer.poll(0);
        self.count(&reports)
    }

    /// Callers whose messages are all delivered now.
    fn served(&mut self, millis: i32) -> Result<Vec<usize>, String> {
        let reports = self.producer.poll(millis);
        self.count(&reports)?;
        let mut served = Vec::new();
        for caller in reports.delivered {
            self.waiting[caller] -= 1;
            if self.waiting[caller] == 0 {
                served.push(caller);
            }
        }
        Ok(served)
    }

    fn count(&mut self, reports: &Reports) -> Result<(), String> {
        self.delivered += reports.delivered.len() as u64;
        match &reports.first_failure {
            None => Ok(()),
            Some(reason) => Err(format!("{} not delivered: {reason}", reports.failed)),
        }
    }

    fn drain(&mut self) -> Result<(), String> {
        let until = Instant::now() + DRAIN;
        while self.producer.outstanding() > 0 {
            if Instant::now() > until {
                let left = self.producer.outstanding();
                return Err(format!("{left} messages have no report after {DRAIN:?}"));
            }
            let reports = self.producer.poll(10);
            self.count(&reports)?;
        }
        Ok(())
    }
}
