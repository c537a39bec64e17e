use super::super::Health;
use super::super::append::AppendError;
use super::super::producer_state::SequenceError;
use super::*;

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_rest_is_there() {
    let bench = Bench::new(&[]);
    let log = bench.open();
    for n in 0..3 {
        append(
            &log,
            &BatchFixture::default().producer(1, 0, n * 2).records(2),
        );
    }
    let path = bench.files("log").remove(0);
    let whole = std::fs::read(&path).unwrap();
    let last = whole.len() / 3;
    for kept in 0..=last {
        let length = whole.len() - last + kept;
        std::fs::write(&path, &whole[..length]).unwrap();
        let log = bench.open();
        let records = if kept == last { 6 } else { 4 };
        assert_eq!(log.bounds(), (0, records), "{kept} of {last} bytes");
        assert_eq!(read_all(&log).len() as i64, records);
        // The producer goes on exactly where the log ends.
        let next = BatchFixture::default()
            .producer(1, 0, records as i32)
            .records(1);
        assert_eq!(append(&log, &next), records);
        assert_eq!(read_all(&bench.open()).len() as i64, records + 1);
    }
}

#[test]
fn a_damaged_byte_anywhere_in_the_last_batch_cuts_it() {
    let bench = Bench::new(&[]);
    let log = bench.open();
    append(&log, &BatchFixture::default().records(2));
    append(&log, &BatchFixture::default().records(2));
    let path = bench.files("log").remove(0);
    let whole = std::fs::read(&path).unwrap();
    let batch = whole.len() / 2;
    for at in batch..whole.len() {
        // Offset and leader epoch are outside of the checksum.
        if (batch..batch + 8).contains(&at) || (batch + 12..batch + 16).contains(&at) {
            continue;
        }
        std::fs::write(&path, &whole).unwrap();
        flip_byte(&path, at as u64);
        assert_eq!(bench.open().bounds(), (0, 2), "byte {at}");
    }
}

#[test]
fn a_crash_after_a_clean_stop_is_seen_despite_the_saved_index() {
    let bench = Bench::new(&[]);
    let log = bench.open();
    append(&log, &BatchFixture::default().producer(4, 0, 0).records(2));
    log.close().unwrap();
    let log = bench.open();
    append(&log, &BatchFixture::default().producer(4, 0, 2).records(2));
    let path = bench.files("log").remove(0);
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(length - 1)
        .unwrap();
    let log = bench.open();
    assert_eq!(log.bounds(), (0, 2));
    assert_eq!(
        append(&log, &BatchFixture::default().producer(4, 0, 2).records(2)),
        2
    );
}

#[test]
fn indexes_and_snapshot_lost_change_nothing() {
    let bench = Bench::new(&[("segment.bytes", "1024")]);
    let log = bench.open();
    for n in 0..100 {
        append(
            &log,
            &BatchFixture::default()
                .producer(n % 3, 0, n as i32 / 3)
                .records(1),
        );
    }
    let before = read_all(&log);
    log.close().unwrap();
    assert!(bench.files("log").len() > 3);
    assert_eq!(bench.files("log").len(), bench.files("index").len());
    assert_eq!(read_all(&bench.open()), before);
    for index in bench.files("index") {
        std::fs::remove_file(index).unwrap();
    }
    std::fs::remove_file(bench.dir.path().join("p/producers")).unwrap();
    let log = bench.open();
    assert_eq!(read_all(&log), before);
    let again = BatchFixture::default().producer(0, 0, 33).records(1);
    assert_eq!(
        append(&log, &again),
        99,
        "the duplicate of the newest batch"
    );
}

#[test]
fn a_damaged_sealed_segment_leaves_the_later_ones() {
    let bench = Bench::new(&[("segment.bytes", "1024")]);
    let log = bench.open();
    for _ in 0..50 {
        append(&log, &BatchFixture::default().records(1));
    }
    let all = read_all(&log);
    flip_byte(&bench.files("log")[0], 70);
    for index in bench.files("index") {
        std::fs::remove_file(index).unwrap();
    }
    let log = bench.open();
    assert_eq!(log.bounds(), (0, 50));
    let left = read_all(&log);
    assert!(left.len() < all.len() && left.len() > 30);
    assert_eq!(left.last(), all.last());
    assert_eq!(append(&log, &BatchFixture::default().records(1)), 50);
}

#[test]
fn producers_are_known_after_a_kill() {
    let bench = Bench::new(&[]);
    let log = bench.open();
    for n in 0..6 {
        append(&log, &BatchFixture::default().producer(9, 1, n).records(1));
    }
    let log = bench.open();
    for (sequence, offset) in [(5, 5), (1, 1)] {
        assert_eq!(
            append(
                &log,
                &BatchFixture::default().producer(9, 1, sequence).records(1)
            ),
            offset
        );
    }
    for (epoch, sequence) in [(1, 0), (1, 7), (2, 1)] {
        let batch = BatchFixture::default()
            .producer(9, epoch, sequence)
            .records(1)
            .build();
        let refused = log.append(&batch, NOW).unwrap_err();
        assert!(
            matches!(
                refused,
                AppendError::Sequence(SequenceError::OutOfOrder { .. })
            ),
            "{refused}"
        );
    }
    let stale = BatchFixture::default().producer(9, 0, 0).records(1).build();
    assert!(matches!(
        log.append(&stale, NOW),
        Err(AppendError::Sequence(SequenceError::StaleEpoch { .. }))
    ));
    assert_eq!(
        append(&log, &BatchFixture::default().producer(9, 2, 0).records(1)),
        6
    );
}

#[test]
fn records_below_the_log_start_stay_deleted() {
    let bench = Bench::new(&[]);
    let log = bench.open();
    append(&log, &BatchFixture::default().records(5));
    append(&log, &BatchFixture::default().records(5));
    assert_eq!(log.delete_records_before(7).unwrap(), Some(7));
    assert_eq!(
        log.delete_records_before(3).unwrap(),
        Some(7),
        "never backwards"
    );
    assert_eq!(log.delete_records_before(11).unwrap(), None);
    let log = bench.open();
    assert_eq!(log.bounds(), (7, 10));
    assert!(log.read(6, 100, true).is_err());
    assert_eq!(log.delete_records_before(-1).unwrap(), Some(10));
    assert_eq!(bench.open().bounds(), (10, 10));
}

#[tokio::test]
async fn with_fsync_readers_see_only_what_is_stored() {
    let mut bench = Bench::new(&[("segment.bytes", "1024")]);
    bench.fsync = true;
    let log = bench.open();
    for n in 0..30 {
        let appended = log
            .append(&BatchFixture::default().records(1).build(), NOW)
            .unwrap();
        assert_eq!(log.stored(appended.end).await, super::super::Health::Well);
        assert_eq!(log.bounds(), (0, n + 1));
    }
    assert_eq!(read_all(&log).len(), 30);
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_deleted_file() {
    for fsync in [true, false] {
        let mut bench = Bench::new(&[]);
        bench.fsync = fsync;
        let log = bench.open();
        let batch = BatchFixture::default().records(1).build();
        assert_eq!(
            log.stored(log.append(&batch, NOW).unwrap().end).await,
            Health::Well
        );
        std::fs::remove_dir_all(bench.dir.path().join("p")).unwrap();
        let health = match log.append(&batch, NOW) {
            Ok(appended) => log.stored(appended.end).await,
            Err(_) => log.health(),
        };
        let Health::Broken(why) = health else {
            panic!("{health:?} with fsync {fsync}");
        };
        assert!(why.contains("has been deleted"), "{why}");
        assert!(matches!(
            log.append(&batch, NOW),
            Err(AppendError::Broken(_))
        ));
    }
}

#[tokio::test]
async fn a_directory_that_is_only_moved_goes_on() {
    let mut bench = Bench::new(&[]);
    bench.fsync = true;
    let log = bench.open();
    let folder = bench.dir.path();
    std::fs::rename(folder.join("p"), folder.join("q")).unwrap();
    let batch = BatchFixture::default().records(1).build();
    assert_eq!(
        log.stored(log.append(&batch, NOW).unwrap().end).await,
        Health::Well
    );
}
