//! kcat, which is librdkafka.

use forebay_testkit::{Kcat, kcat_or_skip};

use crate::batches::{NO_PRODUCER, batch_at};
use crate::target::Target;

on_both!(
    lists_topics,
    produces_in_every_codec_and_consumes_from_anywhere,
    consumes_by_time,
    creates_nothing_by_asking,
);

const RECORDS: usize = 100;

/// kcat against a target; `None` where it is missing and may be.
struct Run<'a>(Kcat, &'a Target);

impl<'a> Run<'a> {
    fn of(target: &'a Target) -> Option<Self> {
        kcat_or_skip().map(|kcat| Self(kcat, target))
    }

    fn run(&self, args: &[&str], input: &str) -> String {
        let bootstrap = self.1.address().to_string();
        self.0.run(&bootstrap, args, input).unwrap()
    }

    /// `offset key value` of each record, up to the end.
    fn consume(&self, topic: &str, from: &[&str]) -> Vec<String> {
        let args = ["-C", "-t", topic, "-p", "0", "-e", "-q", "-f", "%o %k %s\n"];
        // It learns of the end by a fetch that finds nothing.
        let settings = ["-X", "check.crcs=true", "-X", "fetch.wait.max.ms=20"];
        let args = [&args[..], &settings, from].concat();
        self.run(&args, "").lines().map(str::to_owned).collect()
    }
}

fn lists_topics(target: &Target) {
    let Some(kcat) = Run::of(target) else { return };
    let topic = target.create_topic(3, &[]);
    let all = kcat.run(&["-L"], "");
    let line = format!("topic \"{topic}\" with 3 partitions:");
    assert!(all.contains(&line), "{all}");
    assert!(all.contains(&target.address().to_string()), "{all}");
    let one = kcat.run(&["-L", "-t", &topic], "");
    for partition in 0..3 {
        let line = format!("partition {partition}, leader ");
        assert!(one.contains(&line), "{one}");
    }
}

fn produces_in_every_codec_and_consumes_from_anywhere(target: &Target) {
    let Some(kcat) = Run::of(target) else { return };
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = target.create_topic(1, &[]);
        let line = |n: usize| format!("key{n}:value {n} of {}\n", "many ".repeat(5));
        let lines: String = (0..RECORDS).map(line).collect();
        let settings = ["enable.idempotence=true", "linger.ms=100"];
        let produce = ["-P", "-t", &topic, "-p", "0", "-K", ":", "-z", codec];
        let args = [&produce[..], &["-X", settings[0], "-X", settings[1]]].concat();
        kcat.run(&args, &lines);
        let expected: Vec<String> = lines
            .lines()
            .enumerate()
            .map(|(n, line)| format!("{n} {}", line.replacen(':', " ", 1)))
            .collect();
        for from in [0, 1, RECORDS / 2, RECORDS - 1] {
            let found = kcat.consume(&topic, &["-o", &from.to_string()]);
            assert_eq!(found, expected[from..], "{codec} from {from}");
        }
        let last = kcat.consume(&topic, &["-o", "-3"]);
        assert_eq!(last, expected[RECORDS - 3..], "{codec}, the last three");
    }
}

fn consumes_by_time(target: &Target) {
    let Some(kcat) = Run::of(target) else { return };
    let topic = target.create_topic(1, &[("retention.ms", "-1")]);
    let t = 1_700_000_000_000_i64;
    let mut client = target.connect();
    for n in 0..5 {
        let rows = [(t + n * 20, "a"), (t + n * 20 + 10, "b")];
        client.produce(&topic, 0, batch_at(NO_PRODUCER, &rows));
    }
    let from = format!("s@{}", t + 50);
    let until = format!("e@{}", t + 80);
    let found = kcat.consume(&topic, &["-o", &from, "-o", &until]);
    assert_eq!(found, ["5 key1 b", "6 key0 a", "7 key1 b"]);
    let query = format!("{topic}:0:{}", t + 50);
    let answer = kcat.run(&["-Q", "-t", &query], "");
    assert!(answer.contains("offset 5"), "{answer}");
}

fn creates_nothing_by_asking(target: &Target) {
    let Some(kcat) = Run::of(target) else { return };
    let name = crate::target::unique_name();
    let answer = kcat.run(&["-L", "-t", &name], "");
    assert!(answer.contains("Unknown topic or partition"), "{answer}");
    assert_eq!(target.connect().describe_topic(&name).0, 3);
}
