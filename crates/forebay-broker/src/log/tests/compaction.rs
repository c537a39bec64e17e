use super::super::append::AppendError;
use super::*;

const COMPACTED: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("segment.bytes", "1024"),
    ("delete.retention.ms", "1000"),
];

/// Fills segments, so that everything before is sealed.
fn seal(log: &Partition) {
    for n in 0..30 {
        append(log, &keyed(&[(&format!("fill{n}"), Some("x"))]));
    }
}

fn keys_of(log: &Partition, wanted: &str) -> Vec<i64> {
    read_all(log)
        .into_iter()
        .filter(|(_, key)| key == wanted)
        .map(|(offset, _)| offset)
        .collect()
}

#[test]
fn only_the_newest_of_each_key_stays_at_its_offset() {
    let bench = Bench::new(COMPACTED);
    let log = bench.open();
    for n in 0..40 {
        append(
            &log,
            &keyed(&[
                ("a", Some("1")),
                ("b", Some("2")),
                (&format!("c{n}"), Some("3")),
            ]),
        );
    }
    seal(&log);
    let newest = [keys_of(&log, "a"), keys_of(&log, "b")].map(|offsets| *offsets.last().unwrap());
    let (start, end) = log.bounds();
    log.keep_up(NOW).unwrap();
    assert_eq!(
        (keys_of(&log, "a"), keys_of(&log, "b")),
        (vec![newest[0]], vec![newest[1]])
    );
    assert_eq!(
        (0..40)
            .map(|n| keys_of(&log, &format!("c{n}")).len())
            .sum::<usize>(),
        40
    );
    assert_eq!(log.bounds(), (start, end));
    // The same after a restart, after another round, and with more written.
    let before = read_all(&log);
    let log = bench.open();
    assert_eq!(read_all(&log), before);
    log.keep_up(NOW).unwrap();
    assert_eq!(read_all(&log), before);
    append(&log, &keyed(&[("a", Some("new"))]));
    seal(&log);
    log.keep_up(NOW).unwrap();
    assert_eq!(keys_of(&log, "a"), [end]);
}

#[test]
fn tombstones_go_after_their_time_and_what_they_delete_goes_first() {
    let bench = Bench::new(COMPACTED);
    let log = bench.open();
    append(&log, &keyed(&[("a", Some("1")), ("keep", Some("1"))]));
    append(&log, &keyed(&[("a", None)]));
    seal(&log);
    log.keep_up(1_500).unwrap();
    assert_eq!(
        keys_of(&log, "a"),
        [2],
        "the tombstone itself, while it is young"
    );
    seal(&log);
    log.keep_up(NOW).unwrap();
    assert!(keys_of(&log, "a").is_empty());
    assert_eq!(keys_of(&log, "keep"), [1]);
}

#[test]
fn compressed_batches_stay_and_keep_tombstones_from_going() {
    let bench = Bench::new(COMPACTED);
    let log = bench.open();
    // Zstd by its attributes; the broker does not look inside.
    append(&log, &keyed(&[("a", Some("1"))]).attributes(4));
    append(&log, &keyed(&[("a", None)]));
    append(&log, &keyed(&[("b", Some("1"))]));
    append(&log, &keyed(&[("b", Some("2"))]));
    seal(&log);
    log.keep_up(NOW).unwrap();
    assert_eq!(keys_of(&log, "a"), [0, 1]);
    assert_eq!(keys_of(&log, "b"), [3]);
}

#[test]
fn records_without_a_key_are_refused() {
    let bench = Bench::new(COMPACTED);
    let log = bench.open();
    let batch = BatchFixture::default()
        .record(Some(b"a"), None)
        .record(None, Some(b"1"))
        .build();
    assert!(matches!(
        log.append(&batch, NOW),
        Err(AppendError::KeyMissing { index: 1 })
    ));
}

#[test]
fn producers_whose_batches_were_compacted_away_are_known_after_a_kill() {
    let bench = Bench::new(COMPACTED);
    let log = bench.open();
    append(&log, &keyed(&[("a", Some("1"))]).producer(7, 0, 0));
    append(&log, &keyed(&[("a", Some("2"))]));
    seal(&log);
    log.keep_up(NOW).unwrap();
    assert_eq!(keys_of(&log, "a"), [1]);
    let log = bench.open();
    assert_eq!(
        append(&log, &keyed(&[("a", Some("1"))]).producer(7, 0, 0)),
        0
    );
}

#[test]
fn a_crash_in_the_middle_leaves_a_whole_log() {
    let bench = Bench::new(COMPACTED);
    let log = bench.open();
    for _ in 0..60 {
        append(&log, &keyed(&[("a", Some("1"))]));
    }
    let before = read_all(&log);
    let first = bench.files("log").remove(0);
    std::fs::write(first.with_extension("compacting"), b"half of a batch").unwrap();
    let log = bench.open();
    assert_eq!(read_all(&log), before);
    assert!(bench.files("compacting").is_empty());
}
