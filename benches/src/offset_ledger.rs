//! All offsets that a run was given, over all threads.

use std::collections::BTreeMap;

use crate::offset_pages::{PAGE_OFFSETS, Page};
use crate::tally::Problems;

/// A page and whose it is.
pub(crate) struct PageOf {
    pub(crate) topic: String,
    pub(crate) partition: u32,
    pub(crate) page: Page,
}

/// Full pages are kept as ranges: as long as nobody else writes, memory does
/// not grow with the run. At worst it is a bit for each offset of the log.
#[derive(Default)]
pub(crate) struct OffsetLedger {
    partitions: BTreeMap<(String, u32), Partition>,
}

#[derive(Default)]
struct Partition {
    /// First page of a row of full ones, and the one after its last.
    full: BTreeMap<u64, u64>,
    open: BTreeMap<u64, Page>,
    distinct: u64,
}

impl OffsetLedger {
    /// Takes in what threads gave away; offsets given twice go to `faults`.
    pub(crate) fn take_in(&mut self, pages: Vec<PageOf>, faults: &mut Problems) {
        for PageOf {
            topic,
            partition,
            page,
        } in pages
        {
            let place = (topic, partition);
            let twice = match self.partitions.get_mut(&place) {
                Some(known) => known.merge(page),
                None => {
                    let mut new = Partition::default();
                    let twice = new.merge(page);
                    self.partitions.insert(place.clone(), new);
                    twice
                }
            };
            for offset in twice {
                faults.note(DUPLICATE, || {
                    format!("topic {} partition {partition} offset {offset}", place.0)
                });
            }
        }
    }

    /// Offsets that were given, each counted once, by topic.
    pub(crate) fn distinct_by_topic(&self) -> BTreeMap<&str, u64> {
        let mut sums = BTreeMap::new();
        for ((topic, _), partition) in &self.partitions {
            *sums.entry(topic.as_str()).or_default() += partition.distinct;
        }
        sums
    }

    /// Number of partitions that messages went to.
    pub(crate) fn partitions(&self) -> usize {
        self.partitions.len()
    }
}

/// The kind of fault, for the report.
pub(crate) const DUPLICATE: &str = "an offset was given twice";

impl Partition {
    fn merge(&mut self, page: Page) -> Vec<u64> {
        let number = page.number;
        if self.is_full(number) {
            let mut full = Page::new(number);
            full.bits = [u64::MAX; 64];
            return full.merge(&page);
        }
        let before = self.open.get(&number).map_or(0, Page::count);
        let known = self.open.entry(number).or_insert_with(|| Page::new(number));
        let twice = known.merge(&page);
        let now = known.count();
        self.distinct += now - before;
        if now == PAGE_OFFSETS {
            self.open.remove(&number);
            self.add_full(number);
        }
        twice
    }

    fn is_full(&self, number: u64) -> bool {
        let row = self.full.range(..=number).next_back();
        row.is_some_and(|(_, end)| number < *end)
    }

    fn add_full(&mut self, number: u64) {
        let end = self.full.remove(&(number + 1)).unwrap_or(number + 1);
        match self.full.range_mut(..number).next_back() {
            Some((_, before)) if *before == number => *before = end,
            _ => {
                self.full.insert(number, end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u64, bits: u64) -> PageOf {
        let mut page = Page::new(number);
        page.bits = [bits; 64];
        PageOf {
            topic: "t".to_owned(),
            partition: 1,
            page,
        }
    }

    #[test]
    fn full_pages_become_ranges_in_any_order() {
        let mut ledger = OffsetLedger::default();
        let mut faults = Problems::default();
        for number in [5, 0, 2, 1, 4, 3] {
            ledger.take_in(
                vec![page(number, 0xffff), page(number, !0xffff)],
                &mut faults,
            );
        }
        assert_eq!(faults.total(), 0);
        let partition = &ledger.partitions[&("t".to_owned(), 1)];
        assert_eq!(partition.full, BTreeMap::from([(0, 6)]));
        assert!(partition.open.is_empty());
        assert_eq!(ledger.distinct_by_topic()["t"], 6 * PAGE_OFFSETS);
    }

    #[test]
    fn duplicates_across_threads() {
        let mut ledger = OffsetLedger::default();
        let mut faults = Problems::default();
        ledger.take_in(vec![page(0, 1), page(0, 3)], &mut faults);
        assert_eq!(faults.total(), 64);
        // A page that is full already has everything.
        ledger.take_in(vec![page(0, !3), page(0, 1)], &mut faults);
        assert_eq!(faults.total(), 128);
        assert_eq!(ledger.distinct_by_topic()["t"], PAGE_OFFSETS);
    }
}
