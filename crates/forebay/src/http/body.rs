//! Reads request bodies: bounded in size, memory and time.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use forebay_api::limits::{MAX_DISCARD_BYTES, MAX_DISCARD_SECONDS, MAX_RAW_BODY_BYTES};
use forebay_engine::admission::{MemoryLimitReached, Permit};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

/// First reservation for a body of unknown length; doubles as it grows.
pub(super) const FIRST_STEP: usize = 64 * 1024;

/// A body may be slow for this long before its rate counts: a TCP slow start
/// or one lost packet is no slow client.
const RATE_GRACE: Duration = Duration::from_secs(2);

/// How slow a body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyPace {
    /// Longest time for the whole body.
    pub(crate) timeout: Duration,
    /// Least bytes per second on average, after a grace; 0 is no limit.
    pub(crate) min_rate: u64,
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyFault {
    #[error("the request body has more than {MAX_RAW_BODY_BYTES} bytes")]
    TooLarge,
    #[error(transparent)]
    Memory(#[from] MemoryLimitReached),
    #[error("the request body was cut: {received} bytes in {elapsed:.1?}, {rule}")]
    TooSlow {
        received: usize,
        elapsed: Duration,
        rule: String,
    },
    #[error("the request body did not arrive whole: {0}")]
    Broken(PayloadError),
}

/// Reads a body to its end. `declared` is its Content-Length, whose bytes
/// `permit` holds already; without one the permit grows with the body.
///
/// # Errors
/// See [`BodyFault`]; what was read is freed.
///
/// # Cancellation
/// Nothing is held afterwards.
pub(super) async fn read(
    payload: &mut Payload,
    declared: Option<usize>,
    permit: &mut Permit,
    pace: BodyPace,
) -> Result<Bytes, BodyFault> {
    let started = Instant::now();
    let mut budget = Budget::new(declared, permit);
    let Some(first) = next_chunk(payload, pace, started, 0).await? else {
        return Ok(Bytes::new());
    };
    budget.hold(first.len())?;
    if declared == Some(first.len()) {
        // The usual small request, all in one read: no copy.
        return Ok(first);
    }
    let mut body = BytesMut::with_capacity(budget.reserved);
    body.extend_from_slice(&first);
    drop(first);
    while let Some(chunk) = next_chunk(payload, pace, started, body.len()).await? {
        budget.hold(body.len() + chunk.len())?;
        body.reserve(budget.reserved - body.len());
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// What of the permit is for the body.
struct Budget<'a> {
    permit: &'a mut Permit,
    reserved: usize,
}

impl<'a> Budget<'a> {
    fn new(declared: Option<usize>, permit: &'a mut Permit) -> Self {
        let reserved = declared.unwrap_or(FIRST_STEP);
        Self { permit, reserved }
    }

    /// Makes room for a body of `total` bytes.
    fn hold(&mut self, total: usize) -> Result<(), BodyFault> {
        if total > MAX_RAW_BODY_BYTES {
            return Err(BodyFault::TooLarge);
        }
        if total > self.reserved {
            let target = (self.reserved * 2).max(total).min(MAX_RAW_BODY_BYTES);
            self.permit.try_grow(target - self.reserved)?;
            self.reserved = target;
        }
        Ok(())
    }
}

/// Waits for the next chunk, at most until the body is too slow.
async fn next_chunk(
    payload: &mut Payload,
    pace: BodyPace,
    started: Instant,
    received: usize,
) -> Result<Option<Bytes>, BodyFault> {
    let whole = started + pace.timeout;
    let by_rate = (received as u64 * 1000)
        .checked_div(pace.min_rate)
        .map(|ms| started + RATE_GRACE + Duration::from_millis(ms));
    let until = by_rate.map_or(whole, |by_rate| by_rate.min(whole));
    match timeout_at(until, payload.next()).await {
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(Some(Err(error))) => Err(BodyFault::Broken(error)),
        Ok(None) => Ok(None),
        Err(_) => Err(BodyFault::TooSlow {
            received,
            elapsed: started.elapsed(),
            rule: if until == whole {
                format!("the whole body has {:?}", pace.timeout)
            } else {
                format!("at least {} bytes a second are expected", pace.min_rate)
            },
        }),
    }
}

/// Reads and forgets what is left of a refused body, so that a client which
/// writes before it reads sees the answer instead of a broken pipe.
pub(super) async fn discard(payload: &mut Payload) {
    let until = Instant::now() + Duration::from_secs(MAX_DISCARD_SECONDS);
    let mut seen = 0;
    while seen <= MAX_DISCARD_BYTES {
        match timeout_at(until, payload.next()).await {
            Ok(Some(Ok(chunk))) => seen += chunk.len(),
            Ok(Some(Err(_)) | None) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forebay_engine::admission::Admission;

    const PACE: BodyPace = BodyPace {
        timeout: Duration::from_secs(30),
        min_rate: 16 * 1024,
    };

    fn payload(chunks: Vec<Bytes>) -> Payload {
        let stream = futures_util::stream::iter(chunks.into_iter().map(Ok));
        Payload::Stream {
            payload: Box::pin(stream),
        }
    }

    #[actix_web::test]
    async fn chunked_bodies_grow_their_permit_and_never_hold_more() {
        let admission = Admission::new(16 << 20);
        let mut permit = admission.try_reserve(FIRST_STEP).unwrap();
        let chunk = Bytes::from(vec![7; 100_000]);
        let body = read(&mut payload(vec![chunk; 10]), None, &mut permit, PACE)
            .await
            .unwrap();
        assert_eq!(body.len(), 1_000_000);
        assert!(
            (1_000_000..=2_000_000).contains(&permit.bytes()),
            "{}",
            permit.bytes()
        );
    }

    #[actix_web::test]
    async fn a_body_over_the_limit_or_the_budget_is_refused() {
        let admission = Admission::new(1 << 30);
        let chunk = Bytes::from(vec![0; 1 << 20]);
        let mut permit = admission.try_reserve(FIRST_STEP).unwrap();
        let mut chunks = vec![chunk.clone(); 10];
        let fits = read(&mut payload(chunks.clone()), None, &mut permit, PACE).await;
        assert_eq!(fits.unwrap().len(), 10 << 20);
        chunks.push(Bytes::from_static(b"x"));
        let mut permit = admission.try_reserve(FIRST_STEP).unwrap();
        let fault = read(&mut payload(chunks.clone()), None, &mut permit, PACE).await;
        assert!(matches!(fault, Err(BodyFault::TooLarge)), "{fault:?}");

        let small = Admission::new(4 << 20);
        let mut permit = small.try_reserve(FIRST_STEP).unwrap();
        let fault = read(&mut payload(chunks), None, &mut permit, PACE).await;
        assert!(matches!(fault, Err(BodyFault::Memory(_))), "{fault:?}");
        drop(permit);
        assert_eq!(small.in_flight(), 0);
    }

    #[actix_web::test]
    async fn a_body_that_stalls_is_cut_when_its_rate_falls_below_the_limit() {
        tokio::time::pause();
        let stream = futures_util::stream::iter([Ok(Bytes::from_static(b"0123456789"))])
            .chain(futures_util::stream::pending());
        let mut payload: Payload = Payload::Stream {
            payload: Box::pin(stream),
        };
        let admission = Admission::new(1 << 20);
        let mut permit = admission.try_reserve(20).unwrap();
        let pace = BodyPace {
            timeout: Duration::from_secs(30),
            min_rate: 10,
        };
        let started = Instant::now();
        let fault = read(&mut payload, Some(20), &mut permit, pace).await;
        let Err(BodyFault::TooSlow { received, .. }) = fault else {
            panic!("{fault:?}");
        };
        assert_eq!(received, 10);
        // Two seconds of grace and one for the ten bytes.
        assert!(
            started.elapsed() < Duration::from_secs(4),
            "{:?}",
            started.elapsed()
        );
        assert!(
            started.elapsed() >= Duration::from_secs(3),
            "{:?}",
            started.elapsed()
        );
    }
}
