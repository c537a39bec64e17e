//! Histograms that are counted where they are recorded.
//!
//! The exporter's own keep every sample, with its time, until the next upkeep:
//! at 40 samples a request that was a tenth of the request's CPU and tens of
//! megabytes. All of ours have fixed buckets, which need a counter each.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::available_parallelism;

use metrics::{Histogram, HistogramFn, Key, SharedString};
use parking_lot::Mutex;

/// More shards than this are added up at each scrape for nothing.
const MOST_SHARDS: usize = 16;

/// Room in a shard, the last bucket included.
const MOST_BUCKETS: usize = 24;

/// Every histogram of the process.
#[derive(Debug, Default)]
pub(crate) struct Histograms {
    families: Mutex<BTreeMap<String, Family>>,
}

/// The series of one name.
#[derive(Debug, Default)]
struct Family {
    help: String,
    /// By labels, written as in the text format: `action="SendMessage"`.
    series: BTreeMap<String, Arc<BucketCounts>>,
}

impl Histograms {
    /// What `# HELP` says of `name`.
    pub(crate) fn describe(&self, name: &str, help: &SharedString) {
        let mut families = self.families.lock();
        families.entry(name.to_owned()).or_default().help = escaped(help, false);
    }

    /// The histogram of a name and labels, made at its first use. `bounds` are
    /// the upper ends of its buckets, rising; the last bucket has none.
    pub(crate) fn get(&self, key: &Key, bounds: &'static [f64]) -> Histogram {
        let labels: Vec<String> = key
            .labels()
            .map(|label| format!("{}=\"{}\"", label.key(), escaped(label.value(), true)))
            .collect();
        let mut families = self.families.lock();
        let family = families.entry(key.name().to_owned()).or_default();
        let make = || Arc::new(BucketCounts::new(bounds));
        let series = family.series.entry(labels.join(",")).or_insert_with(make);
        Histogram::from_arc(Arc::clone(series))
    }

    /// Appends all series in the Prometheus text format 0.0.4.
    pub(crate) fn render(&self, text: &mut String) {
        let families = self.families.lock();
        for (name, family) in families.iter().filter(|(_, it)| !it.series.is_empty()) {
            let help = &family.help;
            push(text, format_args!("# HELP {name} {help}\n"));
            push(text, format_args!("# TYPE {name} histogram\n"));
            for (labels, series) in &family.series {
                series.render(name, labels, text);
            }
            text.push('\n');
        }
    }
}

/// Counts by bucket, and the sum of the values.
#[derive(Debug)]
struct BucketCounts {
    bounds: &'static [f64],
    /// Threads count in different ones, so that they do not take the cache
    /// line from each other for every message.
    shards: Box<[Shard]>,
}

#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    /// One more than there are bounds are in use.
    counts: [AtomicU64; MOST_BUCKETS],
    /// Bits of an f64.
    sum: AtomicU64,
}

impl BucketCounts {
    fn new(bounds: &'static [f64]) -> Self {
        assert!(bounds.len() < MOST_BUCKETS, "too many bounds: {bounds:?}");
        let cores = available_parallelism().map_or(1, usize::from);
        let shard = || Shard {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            sum: AtomicU64::new(0f64.to_bits()),
        };
        Self {
            bounds,
            shards: (0..cores.min(MOST_SHARDS)).map(|_| shard()).collect(),
        }
    }

    fn render(&self, name: &str, labels: &str, text: &mut String) {
        let comma = if labels.is_empty() { "" } else { "," };
        let bounds = self.bounds.iter().map(|bound| bound.to_string());
        let mut count = 0;
        for (bucket, bound) in bounds.chain(["+Inf".to_owned()]).enumerate() {
            let shards = self.shards.iter();
            count += shards
                .map(|it| it.counts[bucket].load(Relaxed))
                .sum::<u64>();
            push(
                text,
                format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}\n"),
            );
        }
        let shards = self.shards.iter();
        let sum: f64 = shards.map(|it| f64::from_bits(it.sum.load(Relaxed))).sum();
        let braced = match labels {
            "" => String::new(),
            labels => format!("{{{labels}}}"),
        };
        push(text, format_args!("{name}_sum{braced} {sum}\n"));
        push(text, format_args!("{name}_count{braced} {count}\n"));
    }
}

impl HistogramFn for BucketCounts {
    fn record(&self, value: f64) {
        self.record_many(value, 1);
    }

    fn record_many(&self, value: f64, count: usize) {
        // As Prometheus counts: a bucket holds what is at most its bound.
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        let shard = &self.shards[thread_number() % self.shards.len()];
        shard.counts[bucket].fetch_add(count as u64, Relaxed);
        let more = value * count as f64;
        let add = |sum| Some((f64::from_bits(sum) + more).to_bits());
        let added = shard.sum.fetch_update(Relaxed, Relaxed, add);
        added.expect("`add` never declines");
    }
}

/// Threads in the order of their first sample.
fn thread_number() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.get().unwrap_or_else(|| {
        let number = THREADS.fetch_add(1, Relaxed);
        NUMBER.set(Some(number));
        number
    })
}

/// Label values have quotes, so these are escaped there.
fn escaped(text: &str, quoted: bool) -> String {
    let text = text.replace('\\', r"\\").replace('\n', r"\n");
    match quoted {
        true => text.replace('"', r#"\""#),
        false => text,
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use metrics::Label;

    use super::*;

    fn histogram(histograms: &Histograms, labels: &[(&'static str, &'static str)]) -> Histogram {
        let labels = labels.iter().map(|(key, value)| Label::new(*key, *value));
        let key = Key::from_parts("seconds", labels.collect::<Vec<_>>());
        histograms.get(&key, &[0.001, 0.5, 2.])
    }

    #[test]
    fn text_has_cumulative_buckets_with_bounds_included() {
        let histograms = Histograms::default();
        histograms.describe("seconds", &"how \\ long".into());
        let one = histogram(&histograms, &[("stage", "a\"b"), ("x", "y")]);
        for value in [0.001, 0.0011, 0.5, 1., 7.5] {
            one.record(value);
        }
        one.record_many(0.25, 4);
        histogram(&histograms, &[]).record(0.);
        let mut text = String::new();
        histograms.render(&mut text);
        let expected = r#"# HELP seconds how \\ long
# TYPE seconds histogram
seconds_bucket{le="0.001"} 1
seconds_bucket{le="0.5"} 1
seconds_bucket{le="2"} 1
seconds_bucket{le="+Inf"} 1
seconds_sum 0
seconds_count 1
seconds_bucket{stage="a\"b",x="y",le="0.001"} 1
seconds_bucket{stage="a\"b",x="y",le="0.5"} 7
seconds_bucket{stage="a\"b",x="y",le="2"} 8
seconds_bucket{stage="a\"b",x="y",le="+Inf"} 9
seconds_sum{stage="a\"b",x="y"} 10.0021
seconds_count{stage="a\"b",x="y"} 9

"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn handles_of_the_same_labels_count_together_over_threads() {
        let histograms = Histograms::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let one = histogram(&histograms, &[("stage", "a")]);
                scope.spawn(move || (0..1000).for_each(|_| one.record(0.5)));
            }
        });
        let mut text = String::new();
        histograms.render(&mut text);
        assert!(
            text.contains("seconds_sum{stage=\"a\"} 2000\nseconds_count{stage=\"a\"} 4000\n"),
            "{text}"
        );
    }

    #[test]
    fn a_name_that_is_only_described_is_not_shown() {
        let histograms = Histograms::default();
        histograms.describe("seconds", &"how long".into());
        let mut text = String::new();
        histograms.render(&mut text);
        assert_eq!(text, "");
    }
}
