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
    /// Of one query alone, as much as the share: what does not fit here never
    /// will.
    own: Admission,
}

/// Why a query gets no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryMemoryRefused {
    /// Others hold it; later there may be enough.
    #[error(transparent)]
    Busy(#[from] MemoryLimitReached),
    /// The query alone needs more than there can be.
    #[error("it needs at least {needed} bytes of memory, the limit of queries is {limit} bytes")]
    TooLarge {
        /// Bytes that it would have held.
        needed: usize,
        /// What queries may hold: half of `delivery.memory_limit`.
        limit: usize,
    },
}

impl QueryMemory {
    pub(super) fn new(all: &Admission) -> Self {
        let share = all.limit() / 2;
        Self {
            all: all.clone(),
            share: Admission::new(share),
            own: Admission::new(share),
        }
    }

    /// The same memory, for one query.
    pub(super) fn of_one_query(&self) -> Self {
        Self {
            own: Admission::new(self.share.limit()),
            ..self.clone()
        }
    }

    pub(super) fn try_reserve(&self, bytes: usize) -> Result<QueryPermit, QueryMemoryRefused> {
        Ok(QueryPermit {
            own: self.own.try_reserve(bytes).map_err(too_large)?,
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

fn too_large(reached: MemoryLimitReached) -> QueryMemoryRefused {
    QueryMemoryRefused::TooLarge {
        needed: reached.in_flight.saturating_add(reached.asked),
        limit: reached.limit,
    }
}

/// Memory that a query holds; dropping it gives it back.
#[derive(Debug)]
pub struct QueryPermit {
    own: Permit,
    share: Permit,
    all: Permit,
}

impl QueryPermit {
    /// Reserves `more` bytes on top.
    ///
    /// # Errors
    /// When the memory limit, or the half of it that queries may have, does
    /// not hold that much: at present, or ever.
    pub fn try_grow(&mut self, more: usize) -> Result<(), QueryMemoryRefused> {
        self.own.try_grow(more).map_err(too_large)?;
        self.share.try_grow(more)?;
        Ok(self.all.try_grow(more)?)
    }

    /// Takes over another permit's bytes, of the same query.
    pub(super) fn absorb(&mut self, other: Self) {
        self.own.absorb(other.own);
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
        let one = memory.of_one_query();
        let mut first = one.try_reserve(300).unwrap();
        first.try_grow(100).unwrap();
        let refused = memory.of_one_query().try_reserve(101).unwrap_err();
        assert!(matches!(refused, QueryMemoryRefused::Busy(_)), "{refused}");
        let second = one.try_reserve(100).unwrap();
        assert_eq!(all.in_flight(), 500, "counted with everything else");
        first.absorb(second);
        assert_eq!(all.in_flight(), 500);
        drop(first);
        assert_eq!(all.in_flight(), 0);
        let others = all.try_reserve(900).unwrap();
        let refused = one.try_reserve(101).unwrap_err();
        assert!(matches!(refused, QueryMemoryRefused::Busy(_)), "{refused}");
        drop(others);
        memory.try_reserve(500).unwrap();
    }

    #[test]
    fn what_one_query_alone_cannot_have_is_said_with_limit_and_need() {
        let memory = QueryMemory::new(&Admission::new(1000)).of_one_query();
        let first = memory.try_reserve(300).unwrap();
        let mut second = memory.try_reserve(100).unwrap();
        let (needed, limit) = (501, 500);
        let too_large = QueryMemoryRefused::TooLarge { needed, limit };
        assert_eq!(memory.try_reserve(101).unwrap_err(), too_large);
        assert_eq!(second.try_grow(101).unwrap_err(), too_large);
        drop(first);
        second.try_grow(101).unwrap();
    }
}
