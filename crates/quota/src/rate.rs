//! How fast units are used: what is drawn from a store at a time is to last for a moment, however fast that is.

/// How long a moment is (ms): a load costs a store some twenty commits a second.
const MOMENT_MS: u64 = 50;

/// Counts what is taken, and looks at it now and then.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Units that were taken so far.
    pub(super) taken: u64,
    /// When it was last looked at (ms, monotonic), and how many had been taken by then.
    seen: (u64, u64),
    /// Units in a moment, as of then.
    recent: u64,
}

impl Pace {
    /// Units that are taken in a moment, lately.
    pub(super) fn recent(&mut self, now: u64) -> u64 {
        let (at, before) = self.seen;
        let passed = now.saturating_sub(at);
        if passed >= MOMENT_MS {
            let taken = self.taken.wrapping_sub(before);
            // What is called in may have been taken before: then nothing was used since.
            let taken = if taken > u64::MAX / 2 { 0 } else { taken };
            self.recent = taken.saturating_mul(MOMENT_MS) / passed;
            self.seen = (now, self.taken);
        }
        self.recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_follows_what_is_used() {
        let mut pace = Pace::default();
        assert_eq!(pace.recent(1_000), 0);
        pace.taken += 100;
        assert_eq!(pace.recent(1_010), 0, "too soon to tell");
        assert_eq!(pace.recent(1_100), 50);
        assert_eq!(pace.recent(61_100), 0, "a pause");
        pace.taken -= 10;
        assert_eq!(pace.recent(61_200), 0, "given back");
    }
}
