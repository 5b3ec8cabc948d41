//! The sums of a cell.

use crate::types::{Cost, TokenKinds};

/// How many numbers a cell has.
pub(super) const COUNTS: usize = 10;

/// What the requests of a cell add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
}

impl UsageCounts {
    /// Adds other sums.
    pub fn add(&mut self, other: &UsageCounts) {
        let sums = self.to_array();
        let mut added = other.to_array();
        for (sum, more) in added.iter_mut().zip(sums) {
            *sum = sum.saturating_add(more);
        }
        *self = UsageCounts::from_array(added);
    }

    /// Returns whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == UsageCounts::default()
    }

    /// Returns the numbers in the order of the records on disk. A new one goes to the end.
    pub(super) fn to_array(self) -> [u64; COUNTS] {
        let TokenKinds { input, cached, cache_write_5m, cache_write_1h, output, reasoning } = self.tokens;
        let UsageCounts { requests, failed, estimated, cost, .. } = self;
        let cost = cost.picodollars();
        [requests, failed, input, cached, cache_write_5m, cache_write_1h, output, reasoning, estimated, cost]
    }

    /// Returns the sums of numbers in the same order.
    pub(super) fn from_array(numbers: [u64; COUNTS]) -> UsageCounts {
        let [requests, failed, input, cached, cache_write_5m, cache_write_1h, output, reasoning, estimated, cost] =
            numbers;
        let tokens = TokenKinds { input, cached, cache_write_5m, cache_write_1h, output, reasoning };
        UsageCounts { requests, failed, tokens, estimated, cost: Cost::from_picodollars(cost) }
    }
}
