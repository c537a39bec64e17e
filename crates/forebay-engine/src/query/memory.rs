//! The memory of queries: counted in the limit, and at most half of it.

use crate::admission::{Admission, MemoryLimitReached, Permit};

/// Longest batch that is decompressed where memory is plenty, in bytes.
const MAX_INFLATED: usize = 64 << 20;

/// Hands out what queries may hold.
#[derive(Clone, Debug)]
pub(super) struct QueryMemory {
    all: Admission,
    /// Of queries alone, so that they leave the other half to those who send.
    share: Admission,
}

impl QueryMemory {
    pub(super) fn new(all: &Admission) -> Self {
        Self {
            all: all.clone(),
            share: Admission::new(all.limit() / 2),
        }
    }

    pub(super) fn try_reserve(&self, bytes: usize) -> Result<QueryPermit, MemoryLimitReached> {
        Ok(QueryPermit {
            share: self.share.try_reserve(bytes)?,
            all: self.all.try_reserve(bytes)?,
        })
    }

    /// Longest batch that is decompressed, in bytes: a decoder may take as
    /// much again twice, and all of that has to fit.
    pub(super) fn inflate_limit(&self) -> usize {
        (self.share.limit() / 4).min(MAX_INFLATED)
    }
}

/// Memory that a query holds; dropping it gives it back.
#[derive(Debug)]
pub struct QueryPermit {
    share: Permit,
    all: Permit,
}

impl QueryPermit {
    /// Reserves `more` bytes on top.
    ///
    /// # Errors
    /// When the memory limit, or the half of it that queries may have, does
    /// not hold that much.
    pub fn try_grow(&mut self, more: usize) -> Result<(), MemoryLimitReached> {
        self.share.try_grow(more)?;
        self.all.try_grow(more)
    }

    /// Takes another permit's bytes over.
    pub(super) fn absorb(&mut self, other: Self) {
        self.share.absorb(other.share);
        self.all.absorb(other.all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_get_half_and_no_more_than_there_is() {
        let all = Admission::new(1000);
        let memory = QueryMemory::new(&all);
        let mut first = memory.try_reserve(300).unwrap();
        first.try_grow(100).unwrap();
        assert!(memory.try_reserve(101).is_err(), "beyond the half");
        let second = memory.try_reserve(100).unwrap();
        assert_eq!(all.in_flight(), 500, "counted with everything else");
        first.absorb(second);
        assert_eq!(all.in_flight(), 500);
        drop(first);
        assert_eq!(all.in_flight(), 0);
        let others = all.try_reserve(900).unwrap();
        assert!(memory.try_reserve(101).is_err(), "there is no more");
        drop(others);
        memory.try_reserve(500).unwrap();
    }
}
