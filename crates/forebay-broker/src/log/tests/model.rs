//! Random histories against a plain list.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append { records: i32, producer: i64 },
    Resend { producer: i64 },
    DeleteBefore { percent: i64 },
    KeepUp,
    Close,
    Kill,
    Tear { bytes: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..6, 0_i64..3).prop_map(|(records, producer)| Step::Append { records, producer }),
        2 => (0_i64..3).prop_map(|producer| Step::Resend { producer }),
        1 => (0_i64..=100).prop_map(|percent| Step::DeleteBefore { percent }),
        1 => Just(Step::KeepUp),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        1 => (1_u64..40).prop_map(|bytes| Step::Tear { bytes }),
    ]
}

/// What should be there: each batch's first offset, records and producer.
#[derive(Default)]
struct Model {
    batches: Vec<(i64, i32, i64, i32)>,
    start: i64,
    /// End of what has been saved or synced on purpose: only later may tear.
    durable: i64,
}

impl Model {
    fn end(&self) -> i64 {
        self.batches
            .last()
            .map_or(0, |(base, records, ..)| base + i64::from(*records))
    }

    fn newest(&self, producer: i64) -> Option<(i64, i32, i64, i32)> {
        self.batches
            .iter()
            .rev()
            .find(|batch| batch.2 == producer)
            .copied()
    }
}

fn batch(producer: i64, sequence: i32, records: i32) -> BatchFixture {
    BatchFixture::default()
        .timestamp(NOW)
        .producer(producer, 0, sequence)
        .records(records)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_a_list(steps in prop::collection::vec(step(), 1..60)) {
        let bench = Bench::new(&[("segment.bytes", "1024")]);
        let mut log = bench.open();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Append { records, producer } => {
                    let sequence = model.newest(producer).map_or(0, |(_, n, _, s)| s + n);
                    let offset = append(&log, &batch(producer, sequence, records));
                    prop_assert_eq!(offset, model.end());
                    model.batches.push((offset, records, producer, sequence));
                }
                Step::Resend { producer } => {
                    if let Some((base, records, _, sequence)) = model.newest(producer) {
                        prop_assert_eq!(append(&log, &batch(producer, sequence, records)), base);
                    }
                }
                Step::DeleteBefore { percent } => {
                    let offset = model.end() * percent / 100;
                    log.delete_records_before(offset).unwrap();
                    model.start = model.start.max(offset);
                }
                Step::KeepUp => {
                    log.keep_up(NOW).unwrap();
                    model.durable = model.end();
                }
                Step::Close => {
                    log.close().unwrap();
                    model.durable = model.end();
                    log = bench.open();
                }
                Step::Kill => log = bench.open(),
                Step::Tear { bytes } => {
                    let last = bench.files("log").pop().unwrap();
                    let length = std::fs::metadata(&last).unwrap().len();
                    let from = model.start.max(model.durable);
                    let can_tear = length > 0 && model.batches.last().is_some_and(|b| b.0 >= from);
                    if can_tear {
                        let file = std::fs::OpenOptions::new().write(true).open(&last).unwrap();
                        file.set_len(length.saturating_sub(bytes)).unwrap();
                        model.batches.pop();
                    }
                    log = bench.open();
                }
            }
            prop_assert_eq!(log.bounds(), (model.start, model.end().max(model.start)));
        }
        let expected: Vec<i64> = model
            .batches
            .iter()
            .flat_map(|(base, records, ..)| (0..i64::from(*records)).map(move |n| base + n))
            .collect();
        let found: Vec<i64> = read_all(&log).into_iter().map(|(offset, _)| offset).collect();
        let from = expected.iter().position(|offset| found.first() == Some(offset)).unwrap_or(expected.len());
        // Reading begins with the whole batch that holds the first offset.
        prop_assert!(expected[from..].first().is_none_or(|first| *first <= model.start));
        prop_assert_eq!(&expected[from..], &found[..]);
    }
}
