//! The idempotent writer against Apache Kafka, sound and faulty.
//!
//! What is stored is read by the test kit's own client.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, UNIX_EPOCH},
};

use forebay_kafka::{
    Cluster, ClusterConfig,
    produce::{PendingBatch, ProduceLanes, ProduceObserver, SealedBatch},
    record_batch::{encode::BatchEncoder, header::BatchHeader},
    writer::{IdempotentWriter, PartitionWriter, WriteOutcome},
};
use forebay_testkit::{AfterDrop, KafkaCluster, Mode, Options, await_condition, kafka_or_skip};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

/// For what must succeed in the end.
const LIMIT: Duration = Duration::from_secs(120);

/// How long an attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// What the lanes reported.
#[derive(Default)]
struct Recorder {
    resent: AtomicUsize,
    bumped: AtomicUsize,
    throttled: AtomicUsize,
    made: AtomicUsize,
    lost: AtomicUsize,
    /// The next connection is told of to deaf ears.
    panics_when_connected: AtomicBool,
}

impl ProduceObserver for Recorder {
    fn resent(&self) {
        self.resent.fetch_add(1, SeqCst);
    }
    fn bumped(&self) {
        self.bumped.fetch_add(1, SeqCst);
    }
    fn throttled(&self, pause: Duration) {
        assert!(!pause.is_zero());
        self.throttled.fetch_add(1, SeqCst);
    }
    fn connected(&self, _: i32, up: bool) {
        let counter = if up { &self.made } else { &self.lost };
        counter.fetch_add(1, SeqCst);
        if up && self.panics_when_connected.swap(false, SeqCst) {
            panic!("told to panic: the lane ends");
        }
    }
}

/// Panics when it is to be sealed.
#[derive(Debug)]
struct PanickingBatch;

impl PendingBatch for PanickingBatch {
    fn is_wanted(&mut self) -> bool {
        true
    }

    fn seal(&mut self) -> Option<SealedBatch> {
        panic!("told to panic: this batch is lost");
    }
}

/// A batch whose callers wait until `give_up`.
#[derive(Debug)]
struct Batch {
    records: Option<BatchEncoder>,
    give_up: Instant,
    sealed: Arc<AtomicBool>,
}

impl PendingBatch for Batch {
    fn is_wanted(&mut self) -> bool {
        self.records.is_some() && Instant::now() < self.give_up
    }

    fn seal(&mut self) -> Option<SealedBatch> {
        let records = self.is_wanted().then(|| self.records.take())??;
        self.sealed.store(true, SeqCst);
        Some(SealedBatch {
            records,
            give_up: self.give_up,
        })
    }
}

/// The writers of one topic over one set of lanes.
struct Bench {
    client: Cluster,
    topic: Arc<str>,
    lanes: ProduceLanes,
    seen: Arc<Recorder>,
}

impl Bench {
    fn new(bootstrap: Vec<String>, topic: &str) -> Self {
        Self::with_config(ClusterConfig::new(bootstrap), topic)
    }

    fn with_config(config: ClusterConfig, topic: &str) -> Self {
        let client = Cluster::new(config);
        let seen = Arc::new(Recorder::default());
        Self {
            lanes: ProduceLanes::new(client.clone(), Arc::clone(&seen) as Arc<_>),
            client,
            topic: topic.into(),
            seen,
        }
    }

    fn writer(&self, partition: i32) -> Writer {
        self.writer_of(&self.topic, partition)
    }

    fn writer_of(&self, topic: &str, partition: i32) -> Writer {
        Writer {
            inner: IdempotentWriter::new(topic.into(), partition, self.lanes.clone()),
        }
    }

    /// (epoch, first sequence) of each batch in a partition.
    async fn stamps(&self, partition: i32) -> Vec<(i16, i32)> {
        let chunk = self
            .client
            .fetch(&self.topic, partition, 0, Duration::ZERO, 1 << 20)
            .await
            .unwrap();
        BatchHeader::scan(&chunk.batches)
            .map(|header| (header.producer_epoch, header.base_sequence))
            .collect()
    }
}

struct Writer {
    inner: IdempotentWriter,
}

impl Writer {
    /// Writes `values` as one batch; also says whether it was sealed.
    async fn write(&mut self, values: &[String], patience: Duration) -> (WriteOutcome, bool) {
        let mut records = BatchEncoder::default();
        // Of now: what is older than the retention is soon deleted.
        let time = UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
        for value in values {
            records.push(time, Some(b"key"), Some(value.as_bytes()));
        }
        let sealed = Arc::new(AtomicBool::new(false));
        let batch = Batch {
            records: Some(records),
            give_up: Instant::now() + patience,
            sealed: Arc::clone(&sealed),
        };
        let outcome = timeout(patience + LIMIT, self.inner.write(Box::new(batch)))
            .await
            .unwrap();
        (outcome, sealed.load(SeqCst))
    }

    /// Writes a batch that must be acknowledged; gives its offset.
    async fn ack(&mut self, values: &[String]) -> i64 {
        match self.write(values, LIMIT).await {
            (WriteOutcome::Acked { base_offset }, true) => base_offset,
            other => panic!("expected an acknowledgement, got {other:?}"),
        }
    }
}

fn values(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{name}-{i}")).collect()
}

/// What a topic holds: per partition its values, in order, from offset 0.
async fn stored(kafka: &KafkaCluster, topic: &str) -> BTreeMap<i32, Vec<String>> {
    let mut found: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for record in kafka.read_all(topic).await.unwrap() {
        let values = found.entry(record.partition).or_default();
        assert_eq!(record.offset, values.len() as i64, "{topic}");
        values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
    }
    found
}

fn is_not_stored(outcome: &WriteOutcome, why: &str) -> bool {
    matches!(outcome, WriteOutcome::NotStored { reason } if reason.contains(why))
}

#[tokio::test]
async fn batches_of_several_partitions_are_stored_in_order_over_one_connection() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    kafka.create_topic("sequence", 4, 1, &[]).await.unwrap();
    let bench = Bench::new(kafka.bootstrap(), "sequence");
    let writing = (0..4).map(async |partition| {
        let mut writer = bench.writer(partition);
        let mut written = Vec::new();
        for batch in 0..50 {
            let batch = values(&format!("{partition}-{batch}"), batch % 7 + 1);
            assert_eq!(writer.ack(&batch).await, written.len() as i64);
            written.extend(batch);
        }
        assert!(writer.inner.is_healthy());
        (partition, written)
    });
    let written: BTreeMap<_, _> = join_all(writing).await.into_iter().collect();
    assert_eq!(stored(kafka, "sequence").await, written);
    // A new topic's leader may refuse the first attempts; it keeps the connection.
    assert_eq!(bench.seen.made.load(SeqCst), 1, "the lane is shared");
    assert_eq!(bench.seen.bumped.load(SeqCst), 0);
}

#[tokio::test]
async fn a_panic_costs_the_batch_that_it_is_of_and_a_lane_that_panics_is_replaced() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    kafka.create_topic("panics", 2, 1, &[]).await.unwrap();
    let bench = Bench::new(kafka.bootstrap(), "panics");
    let mut writers = [bench.writer(0), bench.writer(1)];
    for writer in &mut writers {
        assert_eq!(writer.ack(&values("before", 1)).await, 0);
    }
    let made = bench.seen.made.load(SeqCst);

    // A batch of one partition panics, among those of another on the same lane.
    let [panicking, other] = &mut writers;
    let (lost, _) = tokio::join!(
        timeout(LIMIT, panicking.inner.write(Box::new(PanickingBatch))),
        async {
            for batch in 0..20 {
                let offset = other.ack(&values(&format!("beside-{batch}"), 1)).await;
                assert_eq!(offset, 1 + batch);
            }
        }
    );
    let lost = lost.expect("an end, long before the limit");
    assert!(matches!(lost, WriteOutcome::Unknown { .. }), "{lost:?}");
    assert_eq!(panicking.ack(&values("after", 1)).await, 1);
    assert_eq!(bench.stamps(0).await, [(0, 0), (1, 0)], "under a new epoch");
    assert_eq!(bench.seen.made.load(SeqCst), made, "the lane goes on");

    // The lane itself panics, with at least one batch in its hands.
    let fresh = Bench::new(kafka.bootstrap(), "panics");
    fresh.seen.panics_when_connected.store(true, SeqCst);
    let mut writers = [fresh.writer(0), fresh.writer(1)];
    let began = Instant::now();
    let outcomes = join_all(writers.iter_mut().map(async |writer| {
        let batch = values("at the panic", 1);
        writer.write(&batch, LIMIT).await
    }));
    let mut ends = [2, 21];
    for ((outcome, sealed), end) in outcomes.await.into_iter().zip(&mut ends) {
        match outcome {
            // Nothing was connected to when it was lost.
            WriteOutcome::Unknown { .. } => assert!(!sealed),
            WriteOutcome::Acked { base_offset } => {
                assert_eq!(base_offset, *end);
                *end += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_ne!(ends, [3, 22], "the panic took a batch along");
    assert!(began.elapsed() < LIMIT / 2, "long before anybody gives up");
    for (writer, end) in writers.iter_mut().zip(ends) {
        assert_eq!(writer.ack(&values("replaced", 1)).await, end);
    }
    assert_eq!(fresh.seen.made.load(SeqCst), 2);
}

#[tokio::test]
async fn a_batch_after_one_that_was_dropped_is_not_taken_for_it() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    kafka.create_topic("dropped", 1, 1, &[]).await.unwrap();
    let bench = Bench::new(kafka.bootstrap(), "dropped");
    let mut writer = bench.writer(0);
    assert_eq!(writer.ack(&values("before", 1)).await, 0);
    // Dropped when it is sealed: under way, and stored in the end.
    let sealed = Arc::new(AtomicBool::new(false));
    let mut records = BatchEncoder::default();
    let time = UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    records.push(time, None, Some(b"dropped"));
    let batch = Batch {
        records: Some(records),
        give_up: Instant::now() + LIMIT,
        sealed: Arc::clone(&sealed),
    };
    tokio::select! {
        biased;
        _ = writer.inner.write(Box::new(batch)) => panic!("it is dropped before its answer"),
        () = async {
            while !sealed.load(SeqCst) {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    await_condition(LIMIT, "the dropped batch is stored", async || {
        stored(kafka, "dropped").await[&0].len() == 2
    })
    .await
    .unwrap();
    assert_eq!(writer.ack(&values("after", 1)).await, 2);
    assert_eq!(bench.stamps(0).await, [(0, 0), (0, 1), (1, 0)]);
}

#[tokio::test]
async fn after_a_batch_that_is_too_large_the_next_goes_under_a_bumped_epoch() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    kafka
        .create_topic("too-large", 2, 1, &[("max.message.bytes", "10000")])
        .await
        .unwrap();
    let bench = Bench::new(kafka.bootstrap(), "too-large");
    let large = vec!["x".repeat(20_000)];

    let mut writer = bench.writer(0);
    assert_eq!(writer.ack(&values("a", 3)).await, 0);
    assert_eq!(writer.ack(&values("b", 2)).await, 3);
    let (outcome, sealed) = writer.write(&large, LIMIT).await;
    assert!(is_not_stored(&outcome, "MESSAGE_TOO_LARGE"), "{outcome:?}");
    assert!(sealed && writer.inner.is_healthy(), "the partition is well");
    assert_eq!(bench.seen.bumped.load(SeqCst), 1);
    assert_eq!(writer.ack(&values("c", 2)).await, 5);
    assert_eq!(writer.ack(&values("d", 1)).await, 7);
    assert_eq!(bench.stamps(0).await, [(0, 0), (0, 3), (1, 0), (1, 2)]);

    // The broker has never heard of this producer when the hole comes.
    let mut fresh = bench.writer(1);
    for _ in 0..2 {
        let (outcome, _) = fresh.write(&large, LIMIT).await;
        assert!(is_not_stored(&outcome, "MESSAGE_TOO_LARGE"), "{outcome:?}");
    }
    assert_eq!(fresh.ack(&values("e", 1)).await, 0);
    assert_eq!(bench.stamps(1).await, [(2, 0)]);

    let first = [
        values("a", 3),
        values("b", 2),
        values("c", 2),
        values("d", 1),
    ]
    .concat();
    let expected = BTreeMap::from([(0, first), (1, values("e", 1))]);
    assert_eq!(stored(kafka, "too-large").await, expected);
}

#[tokio::test]
async fn a_deleted_topic_is_noticed_and_a_recreated_one_used() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    kafka.create_topic("recreated", 2, 1, &[]).await.unwrap();
    let bench = Bench::new(kafka.bootstrap(), "recreated");
    let mut writers = [bench.writer(0), bench.writer(1)];
    for writer in &mut writers {
        assert_eq!(writer.ack(&values("before", 2)).await, 0);
    }
    kafka.delete_topic("recreated").await.unwrap();

    // The leader is remembered, so the batch is sealed: its answer proves nothing.
    let started = Instant::now();
    let (outcome, sealed) = writers[0].write(&values("lost", 1), LIMIT).await;
    assert!(sealed);
    assert!(
        matches!(outcome, WriteOutcome::Unknown { .. }),
        "{outcome:?}"
    );
    // By now it is known to be gone.
    for writer in &mut writers {
        let (outcome, sealed) = writer.write(&values("refused", 1), LIMIT).await;
        assert!(is_not_stored(&outcome, "is gone"), "{outcome:?}");
        assert!(!sealed && !writer.inner.is_healthy());
    }
    assert!(started.elapsed() < LIMIT / 3, "long before the deadline");

    // With fewer partitions than before.
    kafka.create_topic("recreated", 1, 1, &[]).await.unwrap();
    assert_eq!(writers[0].ack(&values("after", 2)).await, 0);
    let started = Instant::now();
    let (outcome, sealed) = writers[1].write(&values("refused", 1), LIMIT).await;
    assert!(is_not_stored(&outcome, "is gone"), "{outcome:?}");
    assert!(!sealed && started.elapsed() < LIMIT / 3);

    kafka.add_partitions("recreated", 3).await.unwrap();
    assert_eq!(writers[1].ack(&values("grown", 1)).await, 0);
    assert_eq!(bench.writer(2).ack(&values("new", 3)).await, 0);
    let expected = BTreeMap::from([
        (0, values("after", 2)),
        (1, values("grown", 1)),
        (2, values("new", 3)),
    ]);
    assert_eq!(stored(kafka, "recreated").await, expected);
}

#[tokio::test]
async fn without_enough_replicas_nothing_is_stored_until_they_are_back() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::start(&home, Options::three_nodes())
        .await
        .unwrap();
    kafka
        .create_topic("replicas", 1, 3, &[("min.insync.replicas", "3")])
        .await
        .unwrap();
    let bench = Bench::new(kafka.bootstrap(), "replicas");
    let mut writer = bench.writer(0);
    assert_eq!(writer.ack(&values("a", 2)).await, 0);

    let leader = kafka.leader_of("replicas", 0).await.unwrap().unwrap();
    let others: Vec<usize> = (0..3).filter(|node| *node != leader).collect();
    kafka.kill9(others[0]).unwrap();
    // The controllers' quorum has to see it before the second is killed.
    await_condition(LIMIT, "two replicas in sync", async || {
        kafka
            .isr_of("replicas", 0)
            .await
            .is_ok_and(|isr| isr.len() == 2)
    })
    .await
    .unwrap();
    let leader = kafka.await_leader("replicas", 0, None).await.unwrap();
    let second = (0..3).find(|node| *node != leader && *node != others[0]);
    kafka.kill9(second.unwrap()).unwrap();
    for name in ["b", "c"] {
        let (outcome, _) = writer.write(&values(name, 1), LIMIT).await;
        assert!(
            is_not_stored(&outcome, "NOT_ENOUGH_REPLICAS"),
            "{outcome:?}"
        );
        assert!(!writer.inner.is_healthy());
    }
    assert!(!writer.inner.probe().await, "two of three are missing");

    kafka.restart(others[0]).unwrap();
    kafka.restart(second.unwrap()).unwrap();
    kafka.await_ready().await.unwrap();
    kafka.await_isr("replicas", 3).await.unwrap();
    assert!(writer.inner.probe().await && writer.inner.is_healthy());
    assert_eq!(writer.ack(&values("d", 2)).await, 2);
    assert_eq!(bench.seen.bumped.load(SeqCst), 2);
    let expected = [values("a", 2), values("d", 2)].concat();
    assert_eq!(
        stored(&kafka, "replicas").await,
        BTreeMap::from([(0, expected)])
    );
}

#[tokio::test]
async fn a_silent_broker_leaves_what_was_sent_unknown_and_what_was_not_withdrawn() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::start(&home, Options::one_node())
        .await
        .unwrap();
    kafka.create_topic("silent", 1, 1, &[]).await.unwrap();
    let bench = Bench::new(kafka.bootstrap(), "silent");
    let mut writer = bench.writer(0);
    assert_eq!(writer.ack(&values("before", 2)).await, 0);

    // The first attempt takes 5 s; then the rest goes by with connecting.
    let patience = Duration::from_secs(7);
    kafka.stop(0).unwrap();
    let started = Instant::now();
    let (outcome, sealed) = writer.write(&values("unknown", 2), patience).await;
    let took = started.elapsed();
    assert!(
        matches!(outcome, WriteOutcome::Unknown { .. }) && sealed,
        "{outcome:?}"
    );
    assert!(
        patience <= took && took < patience + ATTEMPT,
        "took {took:?}"
    );

    let started = Instant::now();
    let (outcome, sealed) = writer.write(&values("withdrawn", 1), patience).await;
    let took = started.elapsed();
    assert_eq!((outcome, sealed), (WriteOutcome::Withdrawn, false));
    assert!(
        patience <= took && took < patience + ATTEMPT,
        "took {took:?}"
    );
    assert!(!writer.inner.is_healthy());

    // Nor does a writer that has no producer id and no leader yet wait longer.
    let mut fresh = Bench::new(kafka.bootstrap(), "silent").writer(0);
    let started = Instant::now();
    let (outcome, sealed) = fresh.write(&values("fresh", 1), patience).await;
    let took = started.elapsed();
    assert_eq!((outcome, sealed), (WriteOutcome::Withdrawn, false));
    assert!(
        patience <= took && took < patience + ATTEMPT,
        "took {took:?}"
    );

    kafka.cont(0).unwrap();
    let offset = writer.ack(&values("after", 2)).await as usize;
    let found = stored(&kafka, "silent").await.remove(&0).unwrap();
    let mut allowed = values("before", 2);
    if offset == 4 {
        allowed.extend(values("unknown", 2));
    }
    allowed.extend(values("after", 2));
    assert_eq!(found, allowed);
    assert_eq!(bench.stamps(0).await.last(), Some(&(1, 0)));
    assert_eq!(bench.seen.bumped.load(SeqCst), 1);
    assert!(writer.inner.is_healthy());
}

#[tokio::test]
async fn a_quota_slows_down_and_doubles_nothing() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    kafka.create_topic("quota", 4, 1, &[]).await.unwrap();
    // About ten seconds' worth are free; what is beyond is paid for.
    kafka
        .set_producer_byte_rate(Some("throttled-client"), Some(5_000.0))
        .await
        .unwrap();
    let config = ClusterConfig {
        client_id: "throttled-client".to_owned(),
        ..ClusterConfig::new(kafka.bootstrap())
    };
    let bench = Bench::with_config(config, "quota");
    let padding = "x".repeat(1_000);
    let writing = (0..4).map(async |partition| {
        let mut writer = bench.writer(partition);
        let mut written = Vec::new();
        for batch in 0..5 {
            let batch = values(&format!("{padding}{partition}-{batch}"), 5);
            assert_eq!(writer.ack(&batch).await, written.len() as i64);
            written.extend(batch);
        }
        (partition, written)
    });
    let written: BTreeMap<_, _> = join_all(writing).await.into_iter().collect();
    assert_eq!(stored(kafka, "quota").await, written);
    assert!(bench.seen.throttled.load(SeqCst) > 0);
    assert_eq!(bench.seen.bumped.load(SeqCst), 0);
}

#[tokio::test]
async fn what_waits_out_a_throttle_can_still_be_withdrawn() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::shared(&home).await;
    kafka.create_topic("muted", 1, 1, &[]).await.unwrap();
    kafka
        .set_producer_byte_rate(Some("muted-client"), Some(1_000.0))
        .await
        .unwrap();
    let config = ClusterConfig {
        client_id: "muted-client".to_owned(),
        ..ClusterConfig::new(kafka.bootstrap())
    };
    let bench = Bench::with_config(config, "muted");
    let mut writer = bench.writer(0);
    // The broker answers at once, and then throttles for about twenty seconds:
    // until the rate over the last ten is that of the quota.
    assert_eq!(writer.ack(&["x".repeat(30_000)]).await, 0);
    await_condition(LIMIT, "the answer's throttle is noted", async || {
        bench.seen.throttled.load(SeqCst) > 0
    })
    .await
    .unwrap();
    let started = Instant::now();
    let (outcome, sealed) = writer
        .write(&values("withdrawn", 1), Duration::from_secs(1))
        .await;
    let took = started.elapsed();
    assert_eq!((outcome, sealed), (WriteOutcome::Withdrawn, false));
    assert!(took < Duration::from_secs(6), "took {took:?}");
    assert_eq!(writer.ack(&values("after", 1)).await, 1);
    assert_eq!(bench.seen.bumped.load(SeqCst), 0);
}

#[tokio::test]
async fn lost_answers_double_nothing() {
    let Some(home) = kafka_or_skip() else { return };
    let kafka = KafkaCluster::start(&home, Options::one_node().proxied())
        .await
        .unwrap();
    kafka.create_topic("answers", 3, 1, &[]).await.unwrap();
    let bench = Bench::new(kafka.bootstrap(), "answers");
    let proxy = kafka.proxy(0);
    let mut writers = [bench.writer(0), bench.writer(1), bench.writer(2)];
    let mut written: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for (then, every, rounds) in [(AfterDrop::Close, 3, 12), (AfterDrop::Silence, 4, 4)] {
        let (dropped, resent) = (proxy.dropped(), bench.seen.resent.load(SeqCst));
        proxy.set_mode(Mode::DropProduceResponses { every, then });
        for round in 0..rounds {
            let writing = writers.iter_mut().enumerate().map(async |(index, writer)| {
                let batch = values(&format!("{then:?}-{index}-{round}"), 2);
                (index as i32, writer.ack(&batch).await, batch)
            });
            for (partition, offset, batch) in join_all(writing).await {
                let written = written.entry(partition).or_default();
                assert_eq!(offset, written.len() as i64);
                written.extend(batch);
            }
        }
        assert!(proxy.dropped() > dropped && bench.seen.resent.load(SeqCst) > resent);
    }

    // With a sound connection again, its answers are held back.
    proxy.set_mode(Mode::Pass);
    let batch = values("sound", 1);
    let first = written.get_mut(&0).unwrap();
    assert_eq!(writers[0].ack(&batch).await, first.len() as i64);
    first.extend(batch);
    proxy.set_mode(Mode::HoldResponses);
    let lost = bench.seen.lost.load(SeqCst);
    let held = async {
        // Until the client has given the attempt up.
        await_condition(LIMIT, "the connection is given up", async || {
            bench.seen.lost.load(SeqCst) > lost
        })
        .await
        .unwrap();
        proxy.set_mode(Mode::Pass);
    };
    let batch = values("held", 3);
    let (offset, ()) = tokio::join!(writers[0].ack(&batch), held);
    let first = written.get_mut(&0).unwrap();
    assert_eq!(offset, first.len() as i64);
    first.extend(batch);
    assert_eq!(stored(&kafka, "answers").await, written);
    assert_eq!(bench.seen.bumped.load(SeqCst), 0);
}

#[tokio::test]
async fn a_partition_with_a_silent_replica_holds_the_others_up_only_once() {
    let Some(home) = kafka_or_skip() else { return };
    // A silent replica is to stay in sync for as long as the test lasts.
    let options = Options::three_nodes()
        .property("broker.session.timeout.ms", 300_000)
        .property("replica.lag.time.max.ms", 300_000);
    let kafka = KafkaCluster::start(&home, options).await.unwrap();
    kafka.create_topic("slow", 1, 3, &[]).await.unwrap();
    let leader = kafka.await_leader("slow", 0, None).await.unwrap();
    // Partitions without other replicas, of which the same node leads one.
    kafka
        .create_topic("fast", 3, 1, &[("min.insync.replicas", "1")])
        .await
        .unwrap();
    let mut beside = 0;
    while kafka.leader_of("fast", beside).await.unwrap() != Some(leader) {
        beside += 1;
    }
    let bench = Bench::new(vec![kafka.bootstrap().swap_remove(leader)], "slow");
    let mut slow = bench.writer(0);
    let mut fast = bench.writer_of("fast", beside);
    assert_eq!(slow.ack(&values("before", 1)).await, 0);
    assert_eq!(fast.ack(&values("fast", 1)).await, 0);

    let follower = (0..3).find(|node| *node != leader).unwrap();
    kafka.stop(follower).unwrap();
    let done = AtomicBool::new(false);
    let patience = Duration::from_secs(12);
    let slowly = async {
        let started = Instant::now();
        let (outcome, sealed) = slow.write(&values("unknown", 1), patience).await;
        done.store(true, SeqCst);
        assert!(
            matches!(outcome, WriteOutcome::Unknown { .. }) && sealed,
            "{outcome:?}"
        );
        started.elapsed()
    };
    let fastly = async {
        let mut stalls = Vec::new();
        let mut written = 1;
        while !done.load(SeqCst) {
            let started = Instant::now();
            assert_eq!(fast.ack(&values("fast", 1)).await, written);
            written += 1;
            if started.elapsed() > Duration::from_secs(2) {
                stalls.push(started.elapsed());
            }
        }
        (stalls, written)
    };
    let (took, (stalls, written)) = tokio::join!(slowly, fastly);
    assert!(took < patience + Duration::from_secs(8), "took {took:?}");
    assert!(
        stalls.len() <= 1,
        "held up once, until it is isolated: {stalls:?}"
    );
    assert!(
        stalls.iter().all(|stall| *stall < Duration::from_secs(8)),
        "{stalls:?}"
    );
    assert!(written > 10, "{written} written meanwhile");

    kafka.cont(follower).unwrap();
    let offset = slow.ack(&values("after", 1)).await;
    let mut expected = values("before", 1);
    expected.extend(values("unknown", 1));
    expected.extend(values("after", 1));
    assert_eq!(offset, 2, "it was appended, though not acknowledged");
    assert_eq!(
        stored(&kafka, "slow").await,
        BTreeMap::from([(0, expected)])
    );
    assert!(slow.inner.is_healthy());
}
