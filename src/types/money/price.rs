//! What tokens cost.

use super::cost::{Cost, scaled};
use crate::types::{CountedTokens, TokenEstimate, TokenKinds};

/// The price of a model's tokens, in pico-dollars for one token of each kind. A price of *x* dollars for a million tokens is
/// *x* million pico-dollars for a token.
///
/// # Invariants
/// A kind that a table leaves out has the price of the input or of the output: a budget is never counted too low for a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// For a token of each kind.
    each: TokenKinds,
    factor: PriceFactor,
}

/// What an account pays of the usual price, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceFactor(u64);

/// The whole price.
const WHOLE: u64 = 1_000_000;

/// The decimals of a price in dollars for a million tokens.
const PRICE_DECIMALS: usize = 6;

impl PriceFactor {
    /// The usual price.
    pub const USUAL: PriceFactor = PriceFactor(WHOLE);

    /// Reads a factor, rounded up to a millionth. `None`: no number from zero on.
    pub fn read(text: &str) -> Option<PriceFactor> {
        scaled(text, PRICE_DECIMALS).map(PriceFactor)
    }
}

impl Price {
    /// Returns a price of so many pico-dollars for a token of each kind.
    pub fn new(each: TokenKinds) -> Price {
        Price { each, factor: PriceFactor::USUAL }
    }

    /// Reads dollars for a million tokens, as pico-dollars for a token. Digits beyond the sixth decimal round up.
    pub fn read_dollars(text: &str) -> Option<u64> {
        scaled(text, PRICE_DECIMALS)
    }

    /// Returns the price at this account.
    pub fn with_factor(self, factor: PriceFactor) -> Price {
        Price { factor, ..self }
    }

    /// Returns the price of a token of each kind at the usual rate, in pico-dollars.
    pub fn each(&self) -> TokenKinds {
        self.each
    }

    /// Returns what these tokens cost. Rounded once, up, to a pico-dollar.
    pub fn cost(&self, tokens: &TokenKinds) -> Cost {
        let each = self.each.by_name().into_iter();
        let sum = each.zip(tokens.by_name()).fold(0_u128, |sum, ((_, price), (_, tokens))| {
            // Six products of two 64-bit numbers: the sum stops at the end of 128 bits.
            sum.saturating_add(u128::from(price) * u128::from(tokens))
        });
        let (whole, factor) = (u128::from(WHOLE), u128::from(self.factor.0));
        let due = if factor == whole { sum } else { sum.saturating_mul(factor).div_ceil(whole) };
        Cost::from_picodollars(u64::try_from(due).unwrap_or(u64::MAX))
    }

    /// Returns what a request may cost, with `typical` generated tokens for a request without a bound. Of the kinds that nobody
    /// knows before the answer, the dearest is foreseen.
    pub fn estimate(&self, estimate: TokenEstimate, typical: u64) -> Cost {
        let tokens = estimate.tokens(typical, CountedTokens::ALL);
        let completion = tokens.saturating_sub(estimate.prompt);
        let is_thought_dearer = self.each.reasoning > self.each.output;
        let (output, reasoning) = if is_thought_dearer { (0, completion) } else { (completion, 0) };
        self.cost(&TokenKinds { input: estimate.prompt, output, reasoning, ..TokenKinds::default() })
    }
}
