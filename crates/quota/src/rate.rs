//! How fast units are used. The store grants at least as many at a time as are used between some samples.

/// The time between two samples (ms).
const SAMPLE_MS: u64 = 50;

/// How many units are used in [`SAMPLE_MS`], lately.
#[derive(Debug, Default)]
pub(crate) struct ConsumptionRate {
    /// All units taken so far.
    taken: u64,
    /// The value of `taken` at the last sample.
    taken_before: u64,
    /// When the last sample was made (ms, monotonic).
    sampled_at: u64,
    /// Units in one [`SAMPLE_MS`], as of the last sample.
    recent: u64,
}

impl ConsumptionRate {
    /// Records taken units.
    pub(crate) fn take(&mut self, units: u64) {
        self.taken = self.taken.wrapping_add(units);
    }

    /// Records units as not taken after all.
    pub(crate) fn take_back(&mut self, units: u64) {
        self.taken = self.taken.wrapping_sub(units);
    }

    /// Returns the units of one [`SAMPLE_MS`], lately.
    pub(crate) fn recent(&mut self, now: u64) -> u64 {
        let passed = now.saturating_sub(self.sampled_at);
        if passed >= SAMPLE_MS {
            let taken = self.taken.wrapping_sub(self.taken_before);
            // Units taken before the last sample may have been taken back since: then nothing was used.
            let taken = if taken > u64::MAX / 2 { 0 } else { taken };
            self.recent = taken.saturating_mul(SAMPLE_MS) / passed;
            self.sampled_at = now;
            self.taken_before = self.taken;
        }
        self.recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_follows_what_is_used() {
        let mut rate = ConsumptionRate::default();
        assert_eq!(rate.recent(1_000), 0);
        rate.take(100);
        assert_eq!(rate.recent(1_010), 0, "too soon for a sample");
        assert_eq!(rate.recent(1_100), 50);
        assert_eq!(rate.recent(61_100), 0, "a pause");
        rate.take_back(10);
        assert_eq!(rate.recent(61_200), 0, "given back");
    }
}
