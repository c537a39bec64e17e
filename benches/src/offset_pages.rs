//! The offsets that a thread has seen, in few bytes.

/// Offsets of a page.
pub(crate) const PAGE_OFFSETS: u64 = 4096;

const WORDS: usize = 64;

/// Pages of a partition that a thread keeps for itself. Answers come about in
/// the order of their offsets, so that older ones are seldom needed again.
const PAGES_KEPT: usize = 8;

/// Which of 4096 offsets in a row were given.
#[derive(Clone)]
pub(crate) struct Page {
    /// Its first offset divided by [`PAGE_OFFSETS`].
    pub(crate) number: u64,
    pub(crate) bits: [u64; WORDS],
}

impl Page {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            bits: [0; WORDS],
        }
    }

    /// `false` if it was there already.
    fn insert(&mut self, within: u64) -> bool {
        let word = &mut self.bits[usize::try_from(within / 64).unwrap_or(0)];
        let bit = 1 << (within % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Takes in another page of the same number; the offsets that both have.
    pub(crate) fn merge(&mut self, other: &Self) -> Vec<u64> {
        let mut twice = Vec::new();
        for (at, (mine, theirs)) in (0..).zip(self.bits.iter_mut().zip(other.bits)) {
            let mut both = *mine & theirs;
            while both != 0 {
                let bit = u64::from(both.trailing_zeros());
                twice.push(self.number * PAGE_OFFSETS + 64 * at + bit);
                both &= both - 1;
            }
            *mine |= theirs;
        }
        twice
    }

    pub(crate) fn count(&self) -> u64 {
        self.bits
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum()
    }
}

/// A partition's pages; those that have not been used for long are given away.
#[derive(Default)]
pub(crate) struct OffsetPages {
    pages: Vec<Page>,
}

impl OffsetPages {
    /// Notes an offset. `false` if it was noted before, as far as this thread
    /// still knows. A page there is no room for any more goes to `given_away`.
    pub(crate) fn insert(&mut self, offset: u64, given_away: &mut Vec<Page>) -> bool {
        let (number, within) = (offset / PAGE_OFFSETS, offset % PAGE_OFFSETS);
        // The latest page is the likeliest.
        if let Some(page) = self
            .pages
            .iter_mut()
            .rev()
            .find(|page| page.number == number)
        {
            return page.insert(within);
        }
        if self.pages.len() == PAGES_KEPT {
            let oldest = (0..PAGES_KEPT).min_by_key(|at| self.pages[*at].number);
            given_away.push(self.pages.remove(oldest.unwrap_or(0)));
        }
        let mut page = Page::new(number);
        page.insert(within);
        self.pages.push(page);
        true
    }

    /// Gives all pages away.
    pub(crate) fn take(&mut self) -> Vec<Page> {
        std::mem::take(&mut self.pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_time_is_noticed() {
        let mut pages = OffsetPages::default();
        let mut away = Vec::new();
        for offset in 0..20_000 {
            assert!(pages.insert(offset, &mut away));
        }
        for offset in [0, 63, 64, 4095, 4096, 19_999] {
            assert!(!pages.insert(offset, &mut away));
        }
    }

    #[test]
    fn old_pages_go_and_nothing_is_lost() {
        let mut pages = OffsetPages::default();
        let mut away = Vec::new();
        for offset in 0..100_000 {
            pages.insert(offset, &mut away);
        }
        assert_eq!(away.len(), 25 - PAGES_KEPT);
        away.extend(pages.take());
        assert_eq!(away.iter().map(Page::count).sum::<u64>(), 100_000);
    }

    #[test]
    fn merging_finds_what_both_have() {
        let (mut one, mut two) = (Page::new(2), Page::new(2));
        for within in [0, 70, 4095] {
            one.insert(within);
        }
        for within in [1, 70, 4095] {
            two.insert(within);
        }
        assert_eq!(one.merge(&two), [2 * 4096 + 70, 3 * 4096 - 1]);
        assert_eq!(one.count(), 4);
    }
}
