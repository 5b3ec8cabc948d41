//! What a request of a key may take, as far as known before any upstream is asked.

use quota::Demand;

use crate::types::{CountedTokens, Price, TokenEstimate};

/// The tokens of an answer before any was seen.
const DEFAULT_COMPLETION: u64 = 512;

/// What a request may take: the estimate of the tokens, and the dearest price for which the request may be served.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyDemand {
    /// As far as the body tells.
    pub(super) estimate: TokenEstimate,
    /// `None` where no upstream of the model has a price, or no budget asks: then the request costs nothing.
    pub(super) price: Option<Price>,
}

impl KeyDemand {
    /// Returns the units to reserve, with `expected` generated tokens for a request without a bound.
    pub(super) fn units(&self, expected: u64) -> Demand {
        Demand {
            tokens: self.estimate.tokens(expected, CountedTokens::ALL),
            cost: self.price.map_or(0, |price| price.estimate(self.estimate, expected).nanodollars()),
        }
    }
}

/// The tokens of a key's answers, as a moving average.
#[derive(Debug, Default)]
pub(super) struct AverageCompletion(Option<u64>);

impl AverageCompletion {
    /// Returns the tokens of an answer to a request without a bound.
    pub(super) fn tokens(&self) -> u64 {
        self.0.unwrap_or(DEFAULT_COMPLETION)
    }

    /// Records the tokens of an answer.
    pub(super) fn record(&mut self, completion: u64) {
        let before = self.0.unwrap_or(completion);
        self.0 = Some(before.saturating_mul(7).saturating_add(completion).div_ceil(8));
    }
}
