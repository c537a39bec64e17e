//! Freezing a frame's batches: with a codec, each is compressed first.
//!
//! What is small is compressed where it is, on the thread of the connection.
//! What is not would hold up the HTTP requests that this thread serves, and
//! goes to the runtime's threads for blocking work; the lane goes on with other
//! frames. The order of frames does not matter, as a partition never has two
//! batches under way.

use std::{
    sync::{Arc, LazyLock},
    thread::available_parallelism,
};

use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
};

use super::{batch::BatchSlot, lane::Job};
use crate::record_batch::{
    compress::{Codec, Packed, compress},
    encode::BatchEncoder,
};

/// How many frames of this process are compressed on other threads at once:
/// more of them than cores would only take memory for their tables.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// Freezes whatever is not frozen yet. Says whether that took time, in which
/// the connection may have closed and jobs may have been given up. A job whose
/// batch panics is dropped.
///
/// # Cancellation
/// Dropping the future leaves the batches unfrozen; a thread that compresses
/// them ends by itself.
pub(super) async fn freeze(jobs: &mut Vec<Job>, codec: Option<Codec>) -> bool {
    let Some(codec) = codec else {
        jobs.retain_mut(|job| job.contained(|slot| slot.freeze(None)).is_some());
        return false;
    };
    let sealed = jobs.iter().filter_map(|job| job.slot.sealed());
    let bytes: usize = sealed.map(|records| records.encoded_len()).sum();
    if bytes <= codec.inline_bytes() {
        let freeze = |slot: &mut BatchSlot| {
            let packed = slot.sealed().map(|it| compress(codec, it.records()));
            slot.freeze(packed.flatten());
        };
        jobs.retain_mut(|job| job.contained(freeze).is_some());
        return false;
    }
    let sealed = jobs.iter().filter_map(|job| job.slot.sealed());
    let packed = elsewhere(codec, sealed.cloned().collect()).await;
    let mut packed = packed.unwrap_or_else(|error| {
        tracing::error!(%error, %codec, "cannot compress; sending as it is");
        Vec::new()
    });
    // Both lists are in the order of the jobs that are not frozen.
    let mut packed = packed.drain(..);
    jobs.retain_mut(|job| {
        if job.slot.sealed().is_none() {
            return true;
        }
        let packed = packed.next().flatten();
        job.slot.delay();
        job.contained(|slot| slot.freeze(packed)).is_some()
    });
    true
}

async fn elsewhere(
    codec: Codec,
    batches: Vec<Arc<BatchEncoder>>,
) -> Result<Vec<Option<Packed>>, JoinError> {
    let turn = TURNS.acquire().await.expect("nobody closes this semaphore");
    spawn_blocking(move || {
        let _turn = turn;
        let packed = batches.into_iter();
        packed
            .map(|batch| compress(codec, batch.records()))
            .collect()
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        time::Duration,
    };

    use tokio::{sync::oneshot, time::Instant};

    use super::*;
    use crate::{
        produce::{PendingBatch, SealedBatch},
        record_batch::{
            decode::decode_batches,
            encode::ProducerStamp,
            header::{BatchHeader, Compression},
        },
    };

    #[derive(Debug)]
    struct Source {
        value: Vec<u8>,
        delayed: Arc<AtomicUsize>,
    }

    impl PendingBatch for Source {
        fn is_wanted(&mut self) -> bool {
            true
        }

        fn seal(&mut self) -> Option<SealedBatch> {
            let mut records = BatchEncoder::default();
            records.push(1, None, Some(&self.value));
            Some(SealedBatch {
                records,
                give_up: Instant::now() + Duration::from_secs(60),
            })
        }

        fn delayed(&mut self) {
            self.delayed.fetch_add(1, SeqCst);
        }
    }

    /// Sealed jobs of values of these lengths, with how often they were delayed.
    fn jobs(lengths: &[usize]) -> (Vec<Job>, Arc<AtomicUsize>) {
        let delayed = Arc::new(AtomicUsize::new(0));
        let job = |(partition, len): (usize, &usize)| {
            let source = Source {
                value: vec![b'a' + partition as u8; *len],
                delayed: Arc::clone(&delayed),
            };
            let stamp = ProducerStamp {
                producer_id: 1,
                epoch: 0,
                base_sequence: 0,
            };
            let mut slot = BatchSlot::new(Box::new(source), stamp);
            assert!(slot.seal().unwrap() > *len);
            Job {
                topic: "t".into(),
                partition: partition as i32,
                slot,
                reply: oneshot::channel().0,
            }
        };
        (lengths.iter().enumerate().map(job).collect(), delayed)
    }

    fn compression(job: &Job) -> Compression {
        let bytes = job.slot.frozen().unwrap().bytes().to_vec();
        let header = BatchHeader::read(&bytes).unwrap().unwrap();
        let records = decode_batches(bytes.into(), 0).unwrap().records;
        let value = records[0].value.clone().unwrap();
        assert!(
            value.iter().all(|byte| *byte == b'a' + job.partition as u8),
            "each partition gets its own"
        );
        header.compression()
    }

    #[tokio::test]
    async fn small_frames_are_compressed_here_and_large_ones_elsewhere() {
        for codec in Codec::ALL {
            let large = codec.inline_bytes() / 2 + 1;
            for (lengths, elsewhere) in [([100, 1000, 50], false), ([large, large, 50], true)] {
                let (mut jobs, delayed) = jobs(&lengths);
                assert_eq!(freeze(&mut jobs, Some(codec)).await, elsewhere);
                for job in &mut jobs[..2] {
                    assert_eq!(compression(job), codec.into());
                    let bytes = job.slot.frozen().unwrap().bytes().to_vec();
                    job.slot.hand_over();
                    job.slot.hand_over();
                    assert_eq!(job.slot.frozen().unwrap().bytes(), bytes);
                }
                let expected = if elsewhere { 2 } else { 0 };
                assert_eq!(delayed.load(SeqCst), expected, "at the first attempt");
            }
        }
    }

    #[tokio::test]
    async fn what_is_frozen_keeps_its_bytes_beside_what_is_not() {
        let len = Codec::Gzip.inline_bytes();
        let (mut jobs, delayed) = jobs(&[len, len]);
        jobs[0].slot.freeze(None);
        assert!(freeze(&mut jobs, Some(Codec::Gzip)).await);
        assert_eq!(compression(&jobs[0]), Compression::None);
        assert_eq!(compression(&jobs[1]), Compression::Gzip);
        jobs[0].slot.hand_over();
        assert_eq!(delayed.load(SeqCst), 0);
    }

    #[tokio::test]
    async fn without_a_codec_nothing_is_compressed() {
        let (mut jobs, delayed) = jobs(&[1 << 20]);
        assert!(!freeze(&mut jobs, None).await);
        assert_eq!(compression(&jobs[0]), Compression::None);
        jobs[0].slot.hand_over();
        assert_eq!(delayed.load(SeqCst), 0);
    }
}
