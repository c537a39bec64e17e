//! One produce request, from sealed batches to their answers.

use std::{sync::Arc, time::Duration};

use super::{
    batch::BatchSlot,
    freeze::freeze,
    lane::{Attempt, Job},
};
use crate::{
    Error,
    connection::Connection,
    messages::produce::{ProduceAnswer, RawProduce, TopicBatches},
    record_batch::compress::Codec,
};

/// How long a broker may take to answer a produce request, not counting the
/// time for which it throttles us.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the broker is told to wait for the in-sync replicas: less than we wait
/// for the broker, so that a slow replica shows as RequestTimedOut of its
/// partition and not as silence of all.
const REPLICATION_TIMEOUT: Duration = Duration::from_secs(4);

/// How a request ended, as far as the lane is concerned.
pub(super) struct Ended {
    /// The connection's number, to tell it from a newer one.
    pub(super) connection: u64,
    pub(super) broken: bool,
    pub(super) throttle: Duration,
}

/// Sends one frame and hands each job its part of the answer.
///
/// Not cancelled by anything but the end of the runtime: whoever waits for a
/// job gets its slot back.
pub(super) async fn send(
    id: u64,
    connection: Arc<Connection>,
    mut jobs: Vec<Job>,
    codec: Option<Codec>,
) -> Ended {
    if freeze(&mut jobs, codec).await {
        jobs = still_to_send(jobs, &connection);
    }
    jobs.retain_mut(|job| job.contained(BatchSlot::hand_over).is_some());
    if jobs.is_empty() {
        return Ended {
            connection: id,
            broken: connection.is_closed(),
            throttle: Duration::ZERO,
        };
    }
    match connection
        .request_throttled(frame(&jobs), ATTEMPT_TIMEOUT)
        .await
    {
        Ok(answer) => {
            let throttle = answer.throttle;
            dispatch(jobs, &answer);
            Ended {
                connection: id,
                broken: false,
                throttle,
            }
        }
        Err(error) => {
            // Its late answer, if any, must not be taken for that of a resend.
            connection.close();
            for job in jobs {
                job.answer(Attempt::NoAnswer(error.clone()));
            }
            Ended {
                connection: id,
                broken: true,
                throttle: Duration::ZERO,
            }
        }
    }
}

/// Answers jobs that, while they were compressed, ran out of time or lost their
/// connection, and leaves the others.
fn still_to_send(jobs: Vec<Job>, connection: &Connection) -> Vec<Job> {
    let mut left = Vec::with_capacity(jobs.len());
    for job in jobs {
        if job.slot.is_given_up() {
            job.answer(Attempt::OutOfTime);
        } else if connection.is_closed() {
            job.answer(Attempt::NotHanded(Error::Closed));
        } else {
            left.push(job);
        }
    }
    left
}

fn frame(jobs: &[Job]) -> RawProduce<'_> {
    let mut topics: Vec<TopicBatches<'_>> = Vec::new();
    for job in jobs {
        let Some(batch) = job.slot.frozen() else {
            continue;
        };
        let partition = (job.partition, batch.bytes());
        match topics.iter_mut().find(|(topic, _)| *topic == &*job.topic) {
            Some((_, partitions)) => partitions.push(partition),
            None => topics.push((&job.topic, vec![partition])),
        }
    }
    RawProduce {
        acks: -1,
        timeout_ms: REPLICATION_TIMEOUT.as_millis() as i32,
        topics,
    }
}

fn dispatch(jobs: Vec<Job>, answer: &ProduceAnswer) {
    let mut answers = answer.lookup();
    for job in jobs {
        let attempt = match answers.partition(&job.topic, job.partition) {
            Some(part) => Attempt::Answered {
                code: part.code,
                base_offset: part.base_offset,
            },
            None => Attempt::NoAnswer(Error::protocol(format!(
                "produce answer leaves out partition {} of topic {}",
                job.partition, job.topic
            ))),
        };
        job.answer(attempt);
    }
}
