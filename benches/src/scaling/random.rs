//! Randomness that is the same everywhere, for ever.

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): ten lines, and no other
/// version of a dependency can change what a published table says.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        // The high half of a product: no division, and the bias is below 2⁻³².
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }

    /// Nanoseconds to the next of independent events at `per_second`.
    pub(super) fn gap_ns(&mut self, per_second: f64) -> f64 {
        // 53 bits, never 0: the logarithm is finite.
        let uniform = ((self.next() >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        -uniform.ln() * 1e9 / per_second
    }
}
