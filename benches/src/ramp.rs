//! The search for the highest rate that is sustained.

/// Ends when the answer is known to this part of it.
const PRECISION: f64 = 0.04;
/// A rate that no endpoint reaches.
const HIGHEST: f64 = 1e9;
/// Even if nothing is ever sustained.
const LOWEST: f64 = 1.0;

/// Doubles until a rate is not sustained, then halves the distance.
pub(crate) struct RampSearch {
    next: f64,
    sustained: Option<f64>,
    failed: Option<f64>,
}

impl RampSearch {
    pub(crate) fn new(first: f64) -> Self {
        Self {
            next: first,
            sustained: None,
            failed: None,
        }
    }

    /// The rate to try; `None` when the search is over.
    pub(crate) fn next(&self) -> Option<f64> {
        if !(LOWEST..=HIGHEST).contains(&self.next) {
            return None;
        }
        match (self.sustained, self.failed) {
            (Some(low), Some(high)) if high - low <= PRECISION * high => None,
            _ => Some(self.next),
        }
    }

    /// What came of the rate last tried.
    pub(crate) fn judge(&mut self, sustained: bool) {
        if sustained {
            self.sustained = Some(self.next);
        } else {
            self.failed = Some(self.next);
        }
        self.next = match (self.sustained, self.failed) {
            (Some(low), Some(high)) => f64::midpoint(low, high),
            (Some(low), None) => low * 2.0,
            (None, Some(high)) => high / 2.0,
            (None, None) => self.next,
        };
    }

    /// The highest rate that was sustained.
    pub(crate) fn best(&self) -> Option<f64> {
        self.sustained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(first: f64, capacity: f64) -> (Option<f64>, usize) {
        let mut search = RampSearch::new(first);
        let mut steps = 0;
        while let Some(rate) = search.next() {
            search.judge(rate <= capacity);
            steps += 1;
            assert!(steps < 60, "it ends");
        }
        (search.best(), steps)
    }

    #[test]
    fn finds_the_capacity_from_below_and_from_above() {
        for first in [10.0, 1000.0, 50_000.0, 1e6] {
            let (best, steps) = search(first, 37_500.0);
            let best = best.unwrap();
            assert!((36_000.0..=37_500.0).contains(&best), "{first}: {best}");
            assert!(steps <= 20, "{steps}");
        }
    }

    #[test]
    fn nothing_sustained_and_everything_sustained_end() {
        assert_eq!(search(1000.0, 0.0).0, None);
        assert!(search(1000.0, f64::INFINITY).0.unwrap() > 5e8);
    }
}
