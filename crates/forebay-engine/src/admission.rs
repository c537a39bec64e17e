//! The memory budget: bytes of requests between their head and their answer.
//!
//! Bytes are reserved before a body is read, and given back when the last
//! holder of the permit is gone: the answer sent, and the last batch that
//! carries the request's records freed. An actor's mailbox bounds neither
//! bytes nor messages; the permit that travels inside the message does. Answers
//! that list tasks, topics or messages reserve theirs before they are made.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

/// Hands out the budget. Cheap to clone; all clones share one budget.
#[derive(Clone, Debug)]
pub struct Admission {
    budget: Arc<Budget>,
}

#[derive(Debug)]
struct Budget {
    limit: usize,
    in_flight: AtomicUsize,
}

/// The budget does not hold what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{asked} bytes more than the {in_flight} in flight would exceed the memory limit of {limit} bytes"
)]
pub struct MemoryLimitReached {
    /// Bytes that were asked for.
    pub asked: usize,
    /// Bytes in flight at that moment.
    pub in_flight: usize,
    /// The limit, `delivery.memory_limit`.
    pub limit: usize,
}

impl Admission {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            budget: Arc::new(Budget {
                limit,
                in_flight: AtomicUsize::new(0),
            }),
        }
    }

    /// Reserves `bytes` at once or not at all; never waits.
    ///
    /// # Errors
    /// When the budget does not hold that much.
    pub fn try_reserve(&self, bytes: usize) -> Result<Permit, MemoryLimitReached> {
        self.budget.take(bytes)?;
        Ok(Permit {
            budget: Arc::clone(&self.budget),
            bytes,
            share: OnceLock::new(),
        })
    }

    /// Bytes reserved now.
    pub fn in_flight(&self) -> usize {
        self.budget.in_flight.load(Ordering::Relaxed)
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.budget.limit
    }
}

impl Budget {
    fn take(&self, asked: usize) -> Result<(), MemoryLimitReached> {
        let grow = |in_flight: usize| {
            in_flight
                .checked_add(asked)
                .filter(|sum| *sum <= self.limit)
        };
        match self
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow)
        {
            Ok(_) => Ok(()),
            Err(in_flight) => Err(MemoryLimitReached {
                asked,
                in_flight,
                limit: self.limit,
            }),
        }
    }

    fn give_back(&self, bytes: usize) {
        self.in_flight.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Reserved bytes; dropping it gives them back.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
    /// What the bytes are counted in beside the budget.
    share: OnceLock<Arc<Budget>>,
}

impl Permit {
    /// Reserves `more` bytes on top: for bodies whose length is not known
    /// beforehand.
    ///
    /// # Errors
    /// When the budget does not hold that much; what was reserved stays.
    pub fn try_grow(&mut self, more: usize) -> Result<(), MemoryLimitReached> {
        self.budget.take(more)?;
        if let Some(share) = self.share.get()
            && let Err(refusal) = share.take(more)
        {
            self.budget.give_back(more);
            return Err(refusal);
        }
        self.bytes += more;
        Ok(())
    }

    /// Counts the bytes in `share`, too, until the permit is dropped: for a
    /// part of the budget that some requests may not exceed. The first share
    /// is for good; asking again changes nothing.
    ///
    /// # Errors
    /// When the share does not hold that much; the permit stays as it was.
    pub fn count_against(&self, share: &Admission) -> Result<(), MemoryLimitReached> {
        if self.share.get().is_some() {
            return Ok(());
        }
        share.budget.take(self.bytes)?;
        if self.share.set(Arc::clone(&share.budget)).is_err() {
            // Somebody was quicker.
            share.budget.give_back(self.bytes);
        }
        Ok(())
    }

    /// Takes over the bytes of another permit of the same budget.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        debug_assert!(Arc::ptr_eq(&self.budget, &other.budget));
        debug_assert!(self.share.get().is_none() && other.share.get().is_none());
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Bytes that this permit holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
        if let Some(share) = self.share.get() {
            share.give_back(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_dropping_gives_back() {
        let admission = Admission::new(100);
        let mut first = admission.try_reserve(60).unwrap();
        let refused = admission.try_reserve(41).unwrap_err();
        assert_eq!(
            refused,
            MemoryLimitReached {
                asked: 41,
                in_flight: 60,
                limit: 100
            }
        );
        first.try_grow(40).unwrap();
        assert!(first.try_grow(1).is_err());
        assert_eq!(admission.in_flight(), 100);
        drop(first);
        assert_eq!(admission.in_flight(), 0);
        assert!(
            admission.try_reserve(usize::MAX).is_err(),
            "an overflow is over the limit"
        );
    }

    #[test]
    fn a_share_is_counted_beside_the_budget_and_given_back_with_it() {
        let admission = Admission::new(100);
        let share = Admission::new(50);
        let mut first = admission.try_reserve(40).unwrap();
        first.count_against(&share).unwrap();
        first.count_against(&share).unwrap();
        assert_eq!((admission.in_flight(), share.in_flight()), (40, 40));
        let second = admission.try_reserve(20).unwrap();
        second.count_against(&share).unwrap_err();
        assert!(first.try_grow(20).is_err(), "beyond the share");
        assert_eq!((admission.in_flight(), share.in_flight()), (60, 40));
        first.try_grow(10).unwrap();
        drop(second);
        assert_eq!((admission.in_flight(), share.in_flight()), (50, 50));
        drop(first);
        assert_eq!((admission.in_flight(), share.in_flight()), (0, 0));
    }

    #[test]
    fn many_threads_never_exceed_the_limit() {
        let admission = Admission::new(1000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        if let Ok(permit) = admission.try_reserve(300) {
                            assert!(admission.in_flight() <= 1000);
                            drop(permit);
                        }
                    }
                });
            }
        });
        assert_eq!(admission.in_flight(), 0);
    }
}
