//! The actor that writes one partition.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, fut::wrap_future};
use forebay_kafka::writer::{PartitionWriter, WriteOutcome};

use tokio::sync::Notify;

use super::{
    batch::{QueuedBatch, SealedParts},
    queue::PartitionQueue,
};
use crate::telemetry::BatchMetrics;

/// Between two probes of a partition that failed.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// There is something in the queue. Sent by an append that found the producer
/// asleep; one that is at work sees by itself what was appended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Flush;

/// Writes one topic-partition: one batch at a time; what arrives meanwhile
/// forms the next (group commit).
///
/// Its mailbox holds at most the one [`Flush`] of a sleeping producer.
pub(crate) struct ProducerActor {
    queue: Arc<PartitionQueue>,
    /// `None` while it is at work.
    writer: Option<Box<dyn PartitionWriter>>,
    metrics: Arc<BatchMetrics>,
    /// Of the batch under way.
    sealed: SealedParts,
    /// Told when the partition seems to be gone.
    suspicion: Arc<Notify>,
    probe_is_due: bool,
}

impl ProducerActor {
    pub(crate) fn new(
        queue: Arc<PartitionQueue>,
        writer: Box<dyn PartitionWriter>,
        metrics: Arc<BatchMetrics>,
        suspicion: Arc<Notify>,
    ) -> Self {
        Self {
            queue,
            writer: Some(writer),
            metrics,
            sealed: SealedParts::default(),
            suspicion,
            probe_is_due: false,
        }
    }

    /// Lends the writer to `work` and goes on when it is back.
    fn lend<W, F>(&mut self, context: &mut Context<Self>, work: W)
    where
        W: FnOnce(Box<dyn PartitionWriter>) -> F,
        F: Future<Output = Box<dyn PartitionWriter>> + 'static,
    {
        let Some(writer) = self.writer.take() else {
            return;
        };
        let work = wrap_future::<_, Self>(work(writer)).map(|writer, actor, context| {
            actor.queue.set_failing(!writer.is_healthy());
            actor.writer = Some(writer);
            actor.next(context);
        });
        context.spawn(work);
    }

    fn next(&mut self, context: &mut Context<Self>) {
        if self.queue.sleep_unless_more() {
            self.write(context);
        } else if self.queue.is_failing() && !self.probe_is_due {
            // Nothing is sent to it while it fails: somebody must try.
            self.probe_is_due = true;
            context.run_later(PROBE_INTERVAL, Self::probe);
        }
    }

    fn write(&mut self, context: &mut Context<Self>) {
        let (queue, metrics) = (Arc::clone(&self.queue), Arc::clone(&self.metrics));
        let sealed = self.sealed.clone();
        let suspicion = Arc::clone(&self.suspicion);
        self.lend(context, |mut writer| async move {
            let batch = QueuedBatch::new(Arc::clone(&queue), sealed.clone(), Arc::clone(&metrics));
            let outcome = writer.write(Box::new(batch)).await;
            if !writer.is_healthy() {
                suspicion.notify_one();
            }
            settle(&queue, &sealed, &outcome, &metrics);
            writer
        });
    }

    fn probe(&mut self, context: &mut Context<Self>) {
        self.probe_is_due = false;
        if self.queue.is_failing() {
            self.lend(context, |mut writer| async move {
                writer.probe().await;
                writer
            });
        }
    }
}

/// Tells every part of the batch what became of it.
fn settle(
    queue: &PartitionQueue,
    sealed: &SealedParts,
    outcome: &WriteOutcome,
    metrics: &BatchMetrics,
) {
    let Some(batch) = sealed.take() else {
        if let WriteOutcome::NotStored { reason } = outcome {
            refuse_all(queue, reason);
        }
        queue.count_again();
        return;
    };
    let reason: Arc<str> = match outcome {
        WriteOutcome::NotStored { reason } | WriteOutcome::Unknown { reason } => {
            reason.as_str().into()
        }
        WriteOutcome::Acked { .. } | WriteOutcome::Withdrawn => "the producer was stopped".into(),
    };
    let seconds = batch.at.elapsed().as_secs_f64();
    let mut acked = 0;
    let mut waits = Waits::default();
    for part in batch.parts {
        waits.add(part.handle.waited_ms(), metrics);
        match outcome {
            WriteOutcome::Acked { base_offset } => {
                part.handle.ack(base_offset + part.records.start as i64);
                acked += 1;
            }
            WriteOutcome::NotStored { .. } => part.handle.refuse(&reason),
            WriteOutcome::Unknown { .. } | WriteOutcome::Withdrawn => part.handle.lose(&reason),
        }
        queue.relieve(part.handle.bytes());
    }
    waits.record(metrics);
    if acked > 0 {
        metrics.sent_to_acked.record_many(seconds, acked);
    }
}

/// Neighbours in a batch have mostly waited equally long: they are recorded in
/// one go.
#[derive(Default)]
struct Waits {
    ms: i64,
    count: usize,
}

impl Waits {
    fn add(&mut self, ms: i64, metrics: &BatchMetrics) {
        if ms != self.ms {
            self.record(metrics);
            *self = Self { ms, count: 0 };
        }
        self.count += 1;
    }

    fn record(&self, metrics: &BatchMetrics) {
        if self.count > 0 {
            let seconds = self.ms as f64 / 1e3;
            metrics.received_to_sent.record_many(seconds, self.count);
        }
    }
}

/// The partition is gone: nothing in its queue can be stored any more.
fn refuse_all(queue: &PartitionQueue, reason: &str) {
    let reason: Arc<str> = reason.into();
    while let Some(batch) = queue.take() {
        for part in batch.parts {
            part.handle.refuse(&reason);
            queue.relieve(part.handle.bytes());
        }
    }
}

impl Actor for ProducerActor {
    type Context = Context<Self>;
}

impl Drop for ProducerActor {
    /// After a panic, or with its thread: everything in its hands is answered,
    /// and the partition's next message starts another producer, under a new
    /// producer id. What was sealed is never written again.
    fn drop(&mut self) {
        let reason: Arc<str> = match std::thread::panicking() {
            true => "the partition's producer has failed; another one takes over".into(),
            false => "the producer was stopped".into(),
        };
        let queued = self.queue.abandon();
        let mut lost = 0;
        for part in self.sealed.take().map_or(Vec::new(), |sealed| sealed.parts) {
            part.handle.lose(&reason);
            lost += 1;
        }
        let mut refused = 0;
        for part in queued.into_iter().flat_map(|batch| batch.parts) {
            part.handle.refuse(&reason);
            refused += 1;
        }
        if std::thread::panicking() {
            let partition = self.queue.partition();
            tracing::error!(partition, unknown = lost, refused, "{reason}");
        }
    }
}

impl Handler<Flush> for ProducerActor {
    type Result = ();

    fn handle(&mut self, _: Flush, context: &mut Context<Self>) {
        self.write(context);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, time::Instant as StdInstant};

    use forebay_kafka::writer::fake::{FakeLog, FakeStep, FakeWriter};
    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;
    use crate::{
        admission::Admission,
        delivery::{Delivery, MessageOutcome, PartSize, Report, Shipment},
        producer::QueuedMessages,
        telemetry::{TaskMetrics, Telemetry},
    };

    struct Bench {
        queue: Arc<PartitionQueue>,
        producer: RefCell<actix::Addr<ProducerActor>>,
        writer: FakeWriter,
        admission: Admission,
        log: FakeLog,
    }

    impl Bench {
        fn start(script: Vec<FakeStep>) -> Self {
            let queue = Arc::new(PartitionQueue::new(0));
            let log = FakeLog::default();
            let writer = FakeWriter::new(log.clone(), script);
            Self {
                producer: RefCell::new(Self::producer(&queue, &writer)),
                queue,
                writer,
                admission: Admission::new(usize::MAX),
                log,
            }
        }

        fn producer(
            queue: &Arc<PartitionQueue>,
            writer: &FakeWriter,
        ) -> actix::Addr<ProducerActor> {
            let writer = Box::new(writer.clone());
            let metrics = Telemetry::new().batches.clone();
            ProducerActor::new(Arc::clone(queue), writer, metrics, Arc::default()).start()
        }

        /// As [`Topic`](crate::topic::Topic) wakes it.
        fn wake(&self) {
            if self.queue.take_abandoned() {
                *self.producer.borrow_mut() = Self::producer(&self.queue, &self.writer);
            }
            let producer = self.producer.borrow();
            producer
                .try_send(Flush)
                .expect("a sleeping producer's mailbox is empty");
        }

        fn send(&self, values: &[&str], wait: Duration) -> Delivery {
            let permit = Arc::new(self.admission.try_reserve(10).expect("fits"));
            let bytes = values.iter().map(|value| value.len() as u64).sum();
            let size = PartSize {
                partition: 0,
                messages: values.len() as u32,
                bytes,
            };
            let shipment = Shipment::new(
                std::iter::once(size),
                5,
                Instant::now() + wait,
                Arc::new(TaskMetrics::noop()),
                permit,
            );
            let part = QueuedMessages {
                part: shipment.part(0),
                max_encoded_len: values.iter().map(|value| value.len() + 40).sum(),
                messages: values.iter().map(|value| (None, value.as_bytes())),
            };
            if self.queue.append(std::iter::once(part), 1000) {
                self.wake();
            }
            Delivery::new(shipment, Vec::new())
        }

        async fn settled(&self) {
            let until = StdInstant::now() + Duration::from_secs(60);
            while self.queue.burden() > 0 || self.admission.in_flight() > 0 {
                assert!(
                    StdInstant::now() < until,
                    "something is never settled: {:?}",
                    self.queue
                );
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    fn stored(offset: i64) -> impl Fn(&MessageOutcome<'_>) -> bool {
        move |outcome| matches!(outcome, MessageOutcome::Stored { offset: o, .. } if *o == offset)
    }

    fn one(report: &Report) -> MessageOutcome<'_> {
        report.outcomes().next().expect("one message")
    }

    #[actix::test]
    async fn what_arrives_during_a_write_shares_the_next_batch() {
        let bench = Bench::start(vec![FakeStep::Ack(Duration::from_millis(30))]);
        let first = bench.send(&["a"], LONG);
        tokio::task::yield_now().await;
        let second = bench.send(&["b", "c"], LONG);
        let third = bench.send(&["d"], LONG);
        assert!(stored(0)(&one(&first.outcome().await)));
        let second = second.outcome().await;
        assert!(
            second
                .outcomes()
                .zip(1..)
                .all(|(outcome, offset)| stored(offset)(&outcome))
        );
        assert!(stored(3)(&one(&third.outcome().await)));
        drop(second);
        bench.settled().await;
    }

    #[actix::test]
    async fn a_deadline_withdraws_from_an_unreachable_partition_and_a_probe_heals_it() {
        let bench = Bench::start(vec![FakeStep::Unreachable]);
        let hopeless = bench
            .send(&["a"], Duration::from_millis(30))
            .outcome()
            .await;
        assert!(matches!(one(&hopeless), MessageOutcome::NotStored(_)));
        drop(hopeless);
        bench.settled().await;
        let until = StdInstant::now() + LONG;
        while bench.queue.is_failing() {
            assert!(StdInstant::now() < until);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(stored(0)(&one(&bench.send(&["b"], LONG).outcome().await)));
        assert_eq!(
            bench.log.records().len(),
            1,
            "what was withdrawn is not in the log"
        );
    }

    #[actix::test]
    async fn what_a_caller_left_behind_is_given_up_at_its_deadline() {
        let bench = Bench::start(vec![FakeStep::Unreachable]);
        drop(bench.send(&["a"], Duration::from_millis(30)));
        bench.settled().await;
        assert!(bench.log.records().is_empty());
    }

    #[actix::test]
    async fn a_silent_broker_leaves_sent_messages_unknown_and_queued_ones_withdrawn() {
        let bench = Bench::start(vec![FakeStep::Silence]);
        let sent = bench.send(&["a"], Duration::from_millis(50));
        let outcome = sent.outcome();
        tokio::task::yield_now().await;
        let queued = bench.send(&["b"], Duration::from_millis(50));
        assert!(matches!(one(&outcome.await), MessageOutcome::Unknown(_)));
        assert!(matches!(
            one(&queued.outcome().await),
            MessageOutcome::NotStored(_)
        ));
    }

    #[actix::test]
    async fn what_a_panic_leaves_is_answered_at_once_and_the_next_message_is_written() {
        for (step, is_stored) in [
            (FakeStep::PanicUnsealed, false),
            (FakeStep::PanicStored, true),
        ] {
            let bench = Bench::start(vec![FakeStep::Ack(Duration::from_millis(20)), step]);
            let first = bench.send(&["a"], LONG);
            tokio::task::yield_now().await;
            let begun = StdInstant::now();
            let second = bench.send(&["b"], LONG);
            assert!(stored(0)(&one(&first.outcome().await)));
            let second = second.outcome().await;
            assert!(begun.elapsed() < LONG / 2, "not only at its deadline");
            match one(&second) {
                MessageOutcome::NotStored(reason) if !is_stored => {
                    assert!(reason.contains("producer has failed"), "{reason}");
                }
                MessageOutcome::Unknown(reason) if is_stored => {
                    assert!(reason.contains("producer has failed"), "{reason}");
                }
                other => panic!("{other:?}"),
            }
            drop(second);
            bench.settled().await;
            let third = bench.send(&["c"], LONG).outcome().await;
            assert!(stored(1 + i64::from(is_stored))(&one(&third)));
            drop(third);
            bench.settled().await;
        }
    }

    #[actix::test]
    async fn what_is_queued_behind_a_panic_is_refused() {
        let bench = Bench::start(vec![FakeStep::PanicStored]);
        // A batch takes 1000 bytes: three of them.
        let value = "x".repeat(900);
        let sent: Vec<_> = (0..3).map(|_| bench.send(&[&value], LONG)).collect();
        let mut outcomes = Vec::new();
        for delivery in sent {
            outcomes.push(delivery.outcome().await);
        }
        assert!(matches!(one(&outcomes[0]), MessageOutcome::Unknown(_)));
        assert!(matches!(one(&outcomes[1]), MessageOutcome::NotStored(_)));
        assert!(matches!(one(&outcomes[2]), MessageOutcome::NotStored(_)));
        drop(outcomes);
        bench.settled().await;
        assert_eq!(bench.log.records().len(), 1);
    }

    fn steps() -> impl Strategy<Value = FakeStep> {
        prop_oneof![
            4 => (0u64..3).prop_map(|ms| FakeStep::Ack(Duration::from_millis(ms))),
            1 => Just(FakeStep::NotStored),
            1 => Just(FakeStep::UnknownButStored),
            1 => Just(FakeStep::PanicUnsealed),
            1 => Just(FakeStep::PanicStored),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Every message is settled exactly once and truly, in order.
        #[test]
        fn every_message_is_acknowledged_truly_or_refused_or_unknown(
            script in proptest::collection::vec(steps(), 0..12),
            sizes in proptest::collection::vec(1usize..6, 1..30),
            waits in proptest::collection::vec(prop_oneof![Just(2u64), Just(60_000)], 30),
        ) {
            actix::System::new().block_on(async move {
                let bench = Bench::start(script);
                let mut reports = Vec::new();
                let mut deliveries = Vec::new();
                for (request, size) in sizes.iter().enumerate() {
                    let values: Vec<_> = (0..*size).map(|i| format!("{request}/{i}{}", "x".repeat(100))).collect();
                    let borrowed: Vec<_> = values.iter().map(String::as_str).collect();
                    deliveries.push(bench.send(&borrowed, Duration::from_millis(waits[request])));
                    tokio::task::yield_now().await;
                    reports.push((values, None));
                }
                for (delivery, (_, report)) in deliveries.into_iter().zip(&mut reports) {
                    *report = Some(delivery.outcome().await);
                }
                let records = bench.log.records();
                let position = |value: &str| {
                    let mut found = records.iter().filter(|record| record.value.as_deref() == Some(value.as_bytes()));
                    let first = found.next().map(|record| record.offset);
                    assert!(found.next().is_none(), "stored twice: {value}");
                    first
                };
                let mut last = -1;
                for (values, report) in &reports {
                    let report = report.as_ref().expect("awaited");
                    assert_eq!(report.len(), values.len());
                    for (value, outcome) in values.iter().zip(report.outcomes()) {
                        match outcome {
                            MessageOutcome::Stored { offset, .. } => {
                                assert_eq!(position(value), Some(offset));
                                assert!(offset > last, "order is kept");
                                last = offset;
                            }
                            MessageOutcome::NotStored(_) => assert_eq!(position(value), None),
                            MessageOutcome::Unknown(_) => {}
                        }
                    }
                }
                drop(reports);
                bench.settled().await;
            });
        }
    }
}
