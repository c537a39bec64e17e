use super::super::append::AppendError;
use super::super::{ReadError, TimedOffset};
use super::*;

#[test]
fn what_is_not_one_sound_batch_is_refused_and_leaves_nothing() {
    let bench = Bench::new(&[("max.message.bytes", "200")]);
    let log = bench.open();
    let good = BatchFixture::default().records(2).build();
    let mut broken = good.clone();
    *broken.last_mut().unwrap() ^= 1;
    let mut old = good.clone();
    old[16] = 1;
    let refuse = |batch: &[u8]| log.append(batch, NOW).unwrap_err();
    assert!(matches!(refuse(&broken), AppendError::Batch(_)));
    assert!(matches!(refuse(&old), AppendError::Batch(_)));
    assert!(matches!(refuse(&[]), AppendError::Batch(_)));
    assert!(matches!(
        refuse(&[good.clone(), good].concat()),
        AppendError::Invalid(_)
    ));
    let large = BatchFixture::default().records(20).build();
    assert!(matches!(
        refuse(&large),
        AppendError::TooLarge { limit: 200, .. }
    ));
    let late = BatchFixture::default()
        .timestamp(NOW + 3_600_001)
        .records(1)
        .build();
    assert!(matches!(refuse(&late), AppendError::Timestamp { .. }));
    let transactional = BatchFixture::default()
        .attributes(0x10)
        .producer(1, 0, 0)
        .records(1)
        .build();
    assert!(matches!(refuse(&transactional), AppendError::Transactional));
    let control = BatchFixture::default()
        .attributes(0x20)
        .producer(1, 0, 0)
        .records(1)
        .build();
    assert!(matches!(refuse(&control), AppendError::Invalid(_)));
    assert_eq!(log.bounds(), (0, 0));
    assert_eq!(std::fs::metadata(&bench.files("log")[0]).unwrap().len(), 0);
}

#[test]
fn reads_give_whole_batches_within_bounds() {
    let bench = Bench::new(&[("segment.bytes", "1024")]);
    let log = bench.open();
    for _ in 0..40 {
        append(&log, &BatchFixture::default().records(3));
    }
    let size = BatchFixture::default().records(3).build().len();
    for offset in 0..120 {
        let first = |max, one| log.read(offset, max, one).unwrap().batches;
        let header = BatchHeader::parse(&first(size, false)).unwrap();
        assert_eq!(header.base_offset, offset / 3 * 3);
        assert_eq!(first(size * 2 - 1, false).len(), size);
        assert_eq!(
            first(1, true).len(),
            size,
            "one batch even if it is too large"
        );
        assert!(first(size - 1, false).is_empty());
    }
    assert!(log.read(120, 1000, true).unwrap().batches.is_empty());
    for offset in [-1, 121] {
        assert!(matches!(
            log.read(offset, 1000, true),
            Err(ReadError::OutOfRange {
                log_start: 0,
                stored: 120,
                ..
            })
        ));
    }
}

#[test]
fn offsets_by_time_are_exact_inside_batches() {
    let bench = Bench::new(&[("segment.bytes", "1024")]);
    let log = bench.open();
    for n in 0..30 {
        append(
            &log,
            &BatchFixture::default().timestamp(1000 + n * 100).records(5),
        );
    }
    let at = |timestamp| log.first_at_or_after(timestamp).unwrap();
    assert_eq!(
        at(0),
        Some(TimedOffset {
            offset: 0,
            timestamp: 1000
        })
    );
    assert_eq!(
        at(1002),
        Some(TimedOffset {
            offset: 2,
            timestamp: 1002
        })
    );
    assert_eq!(
        at(1005),
        Some(TimedOffset {
            offset: 5,
            timestamp: 1100
        })
    );
    assert_eq!(
        at(3904),
        Some(TimedOffset {
            offset: 149,
            timestamp: 3904
        })
    );
    assert_eq!(at(3905), None);
    assert_eq!(
        log.latest_in_time().unwrap(),
        Some(TimedOffset {
            offset: 149,
            timestamp: 3904
        })
    );
    log.delete_records_before(7).unwrap();
    assert_eq!(
        at(0),
        Some(TimedOffset {
            offset: 7,
            timestamp: 1102
        })
    );
}

#[test]
fn retention_by_size_keeps_the_limit_and_the_end() {
    let bench = Bench::new(&[("segment.bytes", "1024"), ("retention.bytes", "2048")]);
    let log = bench.open();
    for n in 0..100 {
        append(
            &log,
            &BatchFixture::default()
                .timestamp(NOW)
                .producer(n, 0, 0)
                .records(1),
        );
    }
    log.keep_up(NOW).unwrap();
    let (start, end) = log.bounds();
    assert!(start > 50 && end == 100);
    let bytes: u64 = bench
        .files("log")
        .iter()
        .map(|path| std::fs::metadata(path).unwrap().len())
        .sum();
    assert!((2048..3072 + 1024).contains(&bytes), "{bytes}");
    assert_eq!(read_all(&log).len() as i64, end - start);
    // Opened anew, it is the same, and producers whose batches went are known.
    let log = bench.open();
    assert_eq!(log.bounds(), (start, end));
    assert_eq!(
        append(
            &log,
            &BatchFixture::default()
                .timestamp(NOW)
                .producer(0, 0, 0)
                .records(1)
        ),
        0
    );
}

#[test]
fn retention_by_age_empties_the_log_and_offsets_go_on() {
    let bench = Bench::new(&[("segment.bytes", "1024"), ("retention.ms", "1000")]);
    let log = bench.open();
    for _ in 0..30 {
        append(&log, &BatchFixture::default().timestamp(NOW).records(1));
    }
    log.keep_up(NOW + 1000).unwrap();
    assert_eq!(log.bounds(), (0, 30));
    log.keep_up(NOW + 1001).unwrap();
    assert_eq!(log.bounds(), (30, 30));
    let log = bench.open();
    assert_eq!(log.bounds(), (30, 30));
    assert_eq!(append(&log, &BatchFixture::default().records(1)), 30);
}

#[tokio::test]
async fn deletion_ends_waits_and_refuses() {
    let bench = Bench::new(&[]);
    let log = bench.open();
    append(&log, &BatchFixture::default().records(1));
    let waiting = tokio::spawn({
        let log = Arc::clone(&log);
        async move { log.stored(99).await }
    });
    log.mark_deleted();
    assert_eq!(waiting.await.unwrap(), super::super::Health::Deleted);
    let batch = BatchFixture::default().records(1).build();
    assert!(matches!(log.append(&batch, NOW), Err(AppendError::Deleted)));
    assert!(matches!(log.read(0, 100, true), Err(ReadError::Deleted)));
}
