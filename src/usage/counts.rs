//! The sums of a cell.

use crate::types::{BilledSums, Cost, TokenKinds};

/// How many numbers a cell has, without the units that are billed beside tokens.
const COUNTS: usize = 10;

/// What the requests of a cell add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageCounts {
    /// Requests.
    pub requests: u64,
    /// Requests without a whole answer, or with an error as the answer.
    pub failed: u64,
    /// Tokens by kind.
    pub tokens: TokenKinds,
    /// The part of all these tokens that is estimated.
    pub estimated: u64,
    /// What they cost.
    pub cost: Cost,
    /// What is billed beside tokens. Boxed: most cells have none.
    pub billed: Option<Box<BilledSums>>,
}

impl UsageCounts {
    /// Returns the sums with these units as well.
    pub fn with_billed(mut self, billed: BilledSums) -> UsageCounts {
        self.add_billed(billed);
        self
    }

    /// Returns what is billed beside tokens.
    pub fn billed(&self) -> BilledSums {
        self.billed.as_deref().copied().unwrap_or_default()
    }

    /// Adds other sums.
    pub fn add(&mut self, other: &UsageCounts) {
        let sums = self.to_array();
        let mut added = other.to_array();
        for (sum, more) in added.iter_mut().zip(sums) {
            *sum = sum.saturating_add(more);
        }
        let billed = self.billed.take();
        *self = UsageCounts { billed, ..UsageCounts::from_array(added) };
        if let Some(billed) = other.billed.as_deref() {
            self.add_billed(*billed);
        }
    }

    fn add_billed(&mut self, billed: BilledSums) {
        if !billed.is_empty() {
            **self.billed.get_or_insert_default() += billed;
        }
    }

    /// Returns whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == UsageCounts::default()
    }

    /// Returns the numbers in the order of the records on disk. Units that are billed beside tokens are written apart.
    pub(super) fn to_array(&self) -> [u64; COUNTS] {
        let TokenKinds { input, cached, cache_write_5m, cache_write_1h, output, reasoning } = self.tokens;
        let UsageCounts { requests, failed, estimated, cost, .. } = *self;
        let cost = cost.picodollars();
        [requests, failed, input, cached, cache_write_5m, cache_write_1h, output, reasoning, estimated, cost]
    }

    /// Returns the sums of numbers in the same order.
    pub(super) fn from_array(numbers: [u64; COUNTS]) -> UsageCounts {
        let [requests, failed, input, cached, cache_write_5m, cache_write_1h, output, reasoning, estimated, cost] =
            numbers;
        let tokens = TokenKinds { input, cached, cache_write_5m, cache_write_1h, output, reasoning };
        UsageCounts { requests, failed, tokens, estimated, cost: Cost::from_picodollars(cost), billed: None }
    }
}
