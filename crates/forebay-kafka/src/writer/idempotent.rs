//! The attempts of one batch, from open to its outcome.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use super::{
    PartitionWriter, WriteOutcome,
    health::Health,
    read_back,
    route::Route,
    sequence::Sequence,
    verdict::{Verdict, judge},
    while_wanted::while_wanted,
};
use crate::{
    Error, ErrorCode,
    cluster::Cluster,
    produce::{
        PendingBatch, ProduceLanes,
        batch::BatchSlot,
        lane::{Attempt, Job},
    },
};

/// Pauses between attempts: short, as most faults are a leader that moves.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// For how long a topic must be reported as missing before its messages are
/// refused: a broker that has just started may not know all topics yet.
const GONE_AFTER: Duration = Duration::from_secs(1);

/// Writes to one topic-partition with an idempotent producer (KIP-98).
///
/// At most one batch is unacknowledged at any time: with more, a broker that
/// restarts remembers only the newest, and a retry of an older one could not
/// be told from a duplicate.
#[derive(Debug)]
pub struct IdempotentWriter {
    route: Route,
    sequence: Sequence,
    /// Offset after the last batch known to be stored: where a search begins.
    known_end: Option<i64>,
    health: Health,
    /// From a batch's stamp until its end: what finds it set follows one whose
    /// future was dropped.
    under_way: bool,
}

/// How an attempt leaves its batch.
enum Next {
    Done(WriteOutcome),
    Retry,
}

/// The batch under way, and what was seen of it.
struct Progress {
    slot: BatchSlot,
    /// What went wrong last, for the reason that callers read.
    trouble: String,
    pause: Duration,
    /// Since when the topic is reported as missing.
    gone_since: Option<Instant>,
}

impl IdempotentWriter {
    /// Connects to nothing before the first batch.
    pub fn new(topic: Arc<str>, partition: i32, lanes: ProduceLanes) -> Self {
        Self {
            route: Route::new(topic, partition, lanes),
            sequence: Sequence::default(),
            known_end: None,
            health: Health::new(Arc::default()),
            under_way: false,
        }
    }

    /// Has `failing` tell, after every attempt, whether the partition fails:
    /// long before the batch that finds it out is given up.
    #[must_use]
    pub fn reporting_to(mut self, failing: Arc<AtomicBool>) -> Self {
        self.health = Health::new(failing);
        self
    }

    fn cluster(&self) -> &Cluster {
        self.route.cluster()
    }

    /// What is seldom is boxed: this future is made for every batch, and its
    /// size is that of its largest branch.
    async fn run(&mut self, mut batch: Box<dyn PendingBatch>) -> WriteOutcome {
        if std::mem::take(&mut self.under_way) {
            // It may be stored, and another batch of its sequence would be
            // taken for it.
            self.sequence.bump();
            self.route.lanes.observer().bumped();
        }
        if self.sequence.next().is_none() {
            Box::pin(self.begin(&mut *batch)).await;
        }
        let Some(stamp) = self.sequence.next() else {
            return WriteOutcome::Withdrawn;
        };
        self.under_way = true;
        let mut progress = Progress {
            slot: BatchSlot::new(batch, stamp),
            trouble: String::new(),
            pause: FIRST_PAUSE,
            gone_since: None,
        };
        loop {
            let Some((slot, attempt)) = self.attempt(progress.slot).await else {
                return Box::pin(self.lost()).await;
            };
            progress.slot = slot;
            let next = match attempt {
                Attempt::Answered {
                    code: 0,
                    base_offset: base_offset @ 0..,
                } => Next::Done(WriteOutcome::Acked { base_offset }),
                trouble => Box::pin(self.settle(&mut progress, trouble)).await,
            };
            match next {
                Next::Done(outcome) => return self.conclude(&progress, outcome),
                Next::Retry => rest(&mut progress.pause).await,
            }
        }
    }

    /// Gets a producer id, unless nobody wants `batch` any more.
    async fn begin(&mut self, batch: &mut dyn PendingBatch) {
        let mut pause = FIRST_PAUSE;
        while self.sequence.next().is_none() {
            let asking = self.cluster().init_producer_id();
            match while_wanted(|| batch.is_wanted(), asking).await {
                // A broker that still loads answers with an error and id −1:
                // with that id it would not deduplicate at all.
                Ok((id, epoch)) => self.sequence.begin(id, epoch),
                Err(error) => {
                    tracing::debug!(topic = %self.route.topic, %error, "no producer id yet");
                    self.health.note_fault();
                    if !batch.is_wanted() {
                        return;
                    }
                    rest(&mut pause).await;
                }
            }
        }
    }

    /// Hands the batch to its leader's lane once. `None` if a panic there took
    /// the batch along.
    async fn attempt(&mut self, mut slot: BatchSlot) -> Option<(BatchSlot, Attempt)> {
        let lane = match self.route.known_lane() {
            Some(lane) => lane,
            None => {
                let asking = self
                    .cluster()
                    .leader(&self.route.topic, self.route.partition);
                match Box::pin(while_wanted(|| slot.has_time(), asking)).await {
                    Ok(leader) => self.route.lane_to(&leader),
                    Err(error) => return Some((slot, Attempt::NotHanded(error))),
                }
            }
        };
        let (reply, answer) = oneshot::channel();
        lane.submit(Job {
            topic: Arc::clone(&self.route.topic),
            partition: self.route.partition,
            slot,
            reply,
        });
        // While it waits the lane may go: it answers what it has.
        drop(lane);
        answer.await.ok()
    }

    /// Nobody knows how far the batch came; its sequence is never used again.
    async fn lost(&mut self) -> WriteOutcome {
        self.under_way = false;
        self.sequence.bump();
        self.route.lanes.observer().bumped();
        // What panics each time must not make its caller spin.
        sleep(LONGEST_PAUSE).await;
        tracing::error!(topic = %self.route.topic, partition = self.route.partition, "a batch was lost to a panic on its way");
        WriteOutcome::Unknown {
            reason: "a fault inside Forebay ended its connection to Kafka".to_owned(),
        }
    }

    async fn settle(&mut self, progress: &mut Progress, attempt: Attempt) -> Next {
        let error = match attempt {
            Attempt::Withdrawn => return Next::Done(WriteOutcome::Withdrawn),
            Attempt::Answered { code, base_offset } => {
                return self
                    .settle_answer(progress, ErrorCode(code), base_offset)
                    .await;
            }
            Attempt::OutOfTime => return self.retry_or_give_up(progress),
            Attempt::NotHanded(error) => error,
            Attempt::NoAnswer(error) => {
                // Until the next success, which also closes the lane of its own.
                if matches!(error, Error::Timeout { .. }) {
                    self.route.isolate();
                }
                error
            }
        };
        self.health.note_fault();
        let gone = self.is_gone(progress, &error).await;
        progress.trouble = error.to_string();
        if gone {
            let reason = format!(
                "topic {} or its partition {} is gone",
                self.route.topic, self.route.partition
            );
            return Next::Done(match progress.slot.attempts() {
                0 => WriteOutcome::NotStored { reason },
                _ => WriteOutcome::Unknown { reason },
            });
        }
        self.retry_or_give_up(progress)
    }

    /// Asks again who leads, and says whether the topic has been missing for
    /// long enough to be taken for deleted.
    async fn is_gone(&self, progress: &mut Progress, error: &Error) -> bool {
        let asking = self.cluster().refresh(&self.route.topic);
        let missing = match while_wanted(|| progress.slot.has_time(), asking).await {
            // It may have been created anew with fewer partitions.
            Ok(topic) => topic.partition(self.route.partition).is_none(),
            Err(refreshed) => refreshed.is_unknown_topic() || error.is_unknown_topic(),
        };
        if !missing {
            progress.gone_since = None;
            return false;
        }
        progress
            .gone_since
            .get_or_insert_with(Instant::now)
            .elapsed()
            >= GONE_AFTER
    }

    async fn settle_answer(
        &mut self,
        progress: &mut Progress,
        code: ErrorCode,
        base_offset: i64,
    ) -> Next {
        let verdict = match judge(code, progress.slot.attempts()) {
            // An offset that we were not told must not be made up.
            Verdict::Acked if base_offset < 0 => Verdict::ReadBack,
            verdict => verdict,
        };
        if code != ErrorCode::NONE {
            progress.trouble = format!("the leader answered {code}");
            tracing::debug!(topic = %self.route.topic, partition = self.route.partition, %code, "produce refused");
        }
        match verdict {
            Verdict::Acked => return Next::Done(WriteOutcome::Acked { base_offset }),
            Verdict::NotStored => {
                let reason = progress.trouble.clone();
                self.health.note_refusal(code);
                return Next::Done(WriteOutcome::NotStored { reason });
            }
            Verdict::ReadBack => {
                if let Some(outcome) = self.look_into_log(progress).await {
                    return Next::Done(outcome);
                }
            }
            Verdict::Retry { refresh, isolate } => {
                if isolate {
                    self.route.isolate();
                }
                self.health.note_refusal(code);
                if refresh {
                    let error = Error::api(code, "produce", None);
                    if self.is_gone(progress, &error).await {
                        let reason = format!("topic {} is gone", self.route.topic);
                        return Next::Done(WriteOutcome::Unknown { reason });
                    }
                }
            }
        }
        self.retry_or_give_up(progress)
    }

    /// `None` while the log cannot be read.
    async fn look_into_log(&self, progress: &mut Progress) -> Option<WriteOutcome> {
        let frozen = progress.slot.frozen()?;
        let search = read_back::find(
            self.cluster(),
            &self.route.topic,
            self.route.partition,
            frozen,
            self.known_end,
        );
        let give_up = progress.slot.give_up();
        let has_time = || give_up.is_some_and(|give_up| Instant::now() < give_up);
        match while_wanted(has_time, search).await {
            Ok(Some(base_offset)) => Some(WriteOutcome::Acked { base_offset }),
            // What is appended and not yet replicated cannot be read: not
            // finding it proves nothing.
            Ok(None) => Some(WriteOutcome::Unknown {
                reason: progress.trouble.clone(),
            }),
            Err(error) => {
                progress.trouble =
                    format!("{}, and reading back failed: {error}", progress.trouble);
                None
            }
        }
    }

    fn retry_or_give_up(&self, progress: &mut Progress) -> Next {
        if progress.slot.is_given_up() {
            let reason = progress.trouble.clone();
            Next::Done(WriteOutcome::Unknown { reason })
        } else if progress.slot.is_wanted() {
            Next::Retry
        } else {
            Next::Done(WriteOutcome::Withdrawn)
        }
    }

    /// Brings the writer's state in order for the next batch.
    fn conclude(&mut self, progress: &Progress, outcome: WriteOutcome) -> WriteOutcome {
        self.under_way = false;
        let Some(frozen) = progress.slot.frozen() else {
            return outcome;
        };
        if let WriteOutcome::Acked { base_offset } = outcome {
            self.sequence.advance(frozen.count());
            self.known_end = Some(base_offset + i64::from(frozen.count()));
            self.health.note_success();
            self.route.rejoin();
        } else {
            // A batch that was frozen and given up leaves a hole in the
            // sequence, and its bytes must never be stored under another.
            self.sequence.bump();
            self.route.lanes.observer().bumped();
        }
        outcome
    }

    async fn run_probe(&mut self) -> bool {
        let cluster = self.cluster().clone();
        let probe = self
            .health
            .probe(&cluster, &self.route.topic, self.route.partition)
            .await;
        if let Err(error) = &probe {
            tracing::debug!(topic = %self.route.topic, partition = self.route.partition, %error, "probe failed");
        }
        self.health.is_good()
    }
}

async fn rest(pause: &mut Duration) {
    sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}

impl PartitionWriter for IdempotentWriter {
    fn write(&mut self, batch: Box<dyn PendingBatch>) -> BoxFuture<'_, WriteOutcome> {
        Box::pin(self.run(batch))
    }

    fn probe(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(self.run_probe())
    }

    fn is_healthy(&self) -> bool {
        self.health.is_good()
    }
}

#[cfg(test)]
mod read_back_tests;
