//! What of one kind of unit the store has to grant, and when.

use clock::Now;

use super::UnitCounter;

/// How many samples of the rate a block lasts where that is a small part of the limit: 250 ms.
const BLOCK_SAMPLES: u64 = 5;

/// A five-hundredth of a limit is a small part.
const SMALL_PART: u64 = 500;

/// How many samples of the rate a while is: 100 ms.
const SAMPLES_OF_A_WHILE: u64 = 2;

/// The units needed by waiting attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnitNeed {
    /// Units of the first attempt.
    pub(crate) first: u64,
    /// Units of all waiting attempts.
    pub(crate) all: u64,
}

impl UnitCounter {
    /// Returns how many units the store has to grant before `amount` can be reserved.
    pub(crate) fn shortfall(&self, amount: u64) -> u64 {
        self.tightest().map_or(0, |_| amount.saturating_sub(self.granted))
    }

    /// Returns the units of one block, the amount of one grant; `None` if nothing is bounded, and so nothing has to be on disk before
    /// use. A block is a fiftieth of the tightest bound, because a crash loses as many. A block has at most `max_block` units, or at
    /// a high rate the units of one sample; of [`BLOCK_SAMPLES`] where these are a [`SMALL_PART`].
    fn block(&mut self, now: Now) -> Option<u64> {
        let (tightest, recent) = (self.tightest()?, self.rate.recent(now.mono));
        let large = recent.saturating_mul(BLOCK_SAMPLES).min(tightest / SMALL_PART);
        Some((tightest / 50).clamp(1, self.bounds.max_block.max(recent).max(large)))
    }

    /// Returns whether the second half of a block lasts for a while, at the present rate.
    pub(crate) fn lasts_for_a_while(&mut self, now: Now) -> bool {
        let used = self.rate.recent(now.mono).saturating_mul(SAMPLES_OF_A_WHILE);
        self.block(now).is_none_or(|block| block / 2 >= used)
    }

    /// Returns how many units to ask the store for. With a `need`: what the first attempt needs, and what all waiting attempts need
    /// if there is room. Without: a new block when half of the last one is used, so requests rarely wait for the store.
    /// (A block of one is not prefetched: of a small limit every unit counts, and a crash would lose one.)
    pub(crate) fn prefetch_size(&mut self, need: Option<UnitNeed>, now: Now) -> u64 {
        let Some(block) = self.block(now) else { return 0 };
        let wanted = match need {
            Some(UnitNeed { first, all }) => {
                let left = self.tightest_window(now).map_or(0, |window| window.remaining());
                first.max(block).max(all.min(left))
            }
            None if block > 1 && self.granted <= block / 2 => block,
            None => 0,
        };
        wanted.saturating_sub(self.granted)
    }

    /// Records the store's grant. More than was requested is not believed.
    pub(crate) fn record_grant(&mut self, units: u64) {
        self.granted = self.granted.saturating_add(units.min(self.requested));
        self.requested = 0;
    }
}
