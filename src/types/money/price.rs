//! What tokens cost.

use super::cost::{Cost, DECIMALS as DOLLAR_DECIMALS, scaled};
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

    /// Nothing is paid.
    pub const NOTHING: PriceFactor = PriceFactor(0);

    /// Reads a factor, rounded up to a millionth. `None`: no number from zero on.
    pub fn read(text: &str) -> Option<PriceFactor> {
        scaled(text, PRICE_DECIMALS).map(PriceFactor)
    }

    /// Returns this part of an amount, rounded up.
    fn of(self, amount: u128) -> u128 {
        if self == PriceFactor::USUAL {
            return amount;
        }
        amount.saturating_mul(self.0.into()).div_ceil(WHOLE.into())
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

    /// Reads dollars for one token, as pico-dollars.
    pub fn read_dollars_of_one(text: &str) -> Option<u64> {
        scaled(text, DOLLAR_DECIMALS)
    }

    /// Returns pico-dollars for a token as dollars for a million tokens.
    pub fn dollars_text(amount: u64) -> String {
        let text = format!("{}.{:06}", amount / WHOLE, amount % WHOLE);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Returns the price at this account.
    pub fn with_factor(self, factor: PriceFactor) -> Price {
        Price { factor, ..self }
    }

    /// Returns the price of a token of each kind at the usual rate, in pico-dollars.
    pub fn each(&self) -> TokenKinds {
        self.each
    }

    /// Returns the dearer price of each kind.
    pub fn dearer(self, other: Price) -> Price {
        let (one, two) = (self.due(), other.due());
        Price::new(TokenKinds {
            input: one.input.max(two.input),
            cached: one.cached.max(two.cached),
            cache_write_5m: one.cache_write_5m.max(two.cache_write_5m),
            cache_write_1h: one.cache_write_1h.max(two.cache_write_1h),
            output: one.output.max(two.output),
            reasoning: one.reasoning.max(two.reasoning),
        })
    }

    /// Returns the price of a token of each kind at this account, rounded up to a pico-dollar.
    pub fn due(&self) -> TokenKinds {
        let due = |each: u64| self.factor.of(each.into()).try_into().unwrap_or(u64::MAX);
        let TokenKinds { input, cached, cache_write_5m, cache_write_1h, output, reasoning } = self.each;
        TokenKinds {
            input: due(input),
            cached: due(cached),
            cache_write_5m: due(cache_write_5m),
            cache_write_1h: due(cache_write_1h),
            output: due(output),
            reasoning: due(reasoning),
        }
    }

    /// Returns what these tokens cost. Rounded once, up, to a pico-dollar.
    pub fn cost(&self, tokens: &TokenKinds) -> Cost {
        let each = self.each.by_name().into_iter();
        let sum = each.zip(tokens.by_name()).fold(0_u128, |sum, ((_, price), (_, tokens))| {
            // Six products of two 64-bit numbers: the sum stops at the end of 128 bits.
            sum.saturating_add(u128::from(price) * u128::from(tokens))
        });
        Cost::from_picodollars(u64::try_from(self.factor.of(sum)).unwrap_or(u64::MAX))
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

/// The price of a model as a table or a person gives one: pico-dollars for a token, with gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartialPrice {
    /// Of a token of the prompt.
    pub input: Option<u64>,
    /// Of a generated token.
    pub output: Option<u64>,
    /// Of a token that a cache gave.
    pub cache_read: Option<u64>,
    /// Of a token written into a cache for five minutes.
    pub cache_write: Option<u64>,
    /// Of a token written into a cache for an hour.
    pub cache_write_1h: Option<u64>,
    /// Of a token of thought.
    pub reasoning: Option<u64>,
}

impl PartialPrice {
    /// Returns the price without gaps: reading from a cache or writing into one costs as much as other input, thoughts as much
    /// as other output, and output as much as input. Where a write costs more than other input, one for an hour costs twice the
    /// input. `None`: not even the input has a price.
    pub fn filled(self) -> Option<Price> {
        let input = self.input?;
        let output = self.output.unwrap_or(input);
        let cache_write_5m = self.cache_write.unwrap_or(input);
        let is_write_dearer = cache_write_5m > input;
        let an_hour = if is_write_dearer { cache_write_5m.max(input.saturating_mul(2)) } else { cache_write_5m };
        Some(Price::new(TokenKinds {
            input,
            cached: self.cache_read.unwrap_or(input),
            cache_write_5m,
            cache_write_1h: self.cache_write_1h.unwrap_or(an_hour),
            output,
            reasoning: self.reasoning.unwrap_or(output),
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(input: u64, output: Option<u64>) -> PartialPrice {
        PartialPrice { input: Some(input), output, ..PartialPrice::default() }
    }

    #[test]
    fn a_gap_costs_as_much_as_the_kind_beside() {
        let all = |price: PartialPrice| price.filled().map(|price| price.each().by_name().map(|(_, each)| each));
        assert_eq!(all(parts(3, Some(15))), Some([3, 3, 3, 3, 15, 15]));
        assert_eq!(all(parts(3, None)), Some([3, 3, 3, 3, 3, 3]), "an embedding generates nothing");
        let caches = PartialPrice { cache_read: Some(1), cache_write: Some(4), ..parts(3, Some(15)) };
        assert_eq!(all(caches), Some([3, 1, 4, 6, 15, 15]), "a write of an hour costs twice the input");
        let full = PartialPrice { cache_write_1h: Some(5), reasoning: Some(20), ..caches };
        assert_eq!(all(full), Some([3, 1, 4, 5, 15, 20]));
        assert_eq!(all(PartialPrice { output: Some(1), ..PartialPrice::default() }), None);
    }

    #[test]
    fn an_estimate_foresees_the_dearest_generated_token() {
        let price = PartialPrice { reasoning: Some(20), ..parts(3, Some(15)) }.filled().expect("a price");
        let estimate = TokenEstimate { prompt: 10, completion: Some(2), longest: None };
        assert_eq!(price.estimate(estimate, 512).picodollars(), 10 * 3 + 2 * 20);
        let open = TokenEstimate { prompt: 10, completion: None, longest: Some(4) };
        assert_eq!(price.estimate(open, 512).picodollars(), 10 * 3 + 4 * 20);
        assert_eq!(price.estimate(TokenEstimate { longest: None, ..open }, 5).picodollars(), 10 * 3 + 5 * 20);
    }

    #[test]
    fn a_factor_rounds_once_and_up() {
        let price = parts(150_000, Some(600_000)).filled().expect("a price");
        let tokens = TokenKinds { input: 7, output: 3, ..TokenKinds::default() };
        for (factor, cost) in
            [("1", 2_850_000), ("0", 0), ("0.5", 1_425_000), ("0.333333", 950_000), ("1.1", 3_135_000)]
        {
            let price = price.with_factor(PriceFactor::read(factor).expect("a factor"));
            assert_eq!(price.cost(&tokens).picodollars(), cost, "{factor}");
        }
    }

    /// Adds and multiplies digit by digit, as on paper: shares no arithmetic with the code.
    fn on_paper(products: &[(u64, u64)]) -> String {
        let digits = |number: u64| number.to_string().bytes().rev().map(|b| u32::from(b - b'0')).collect::<Vec<_>>();
        let mut sum = vec![0_u32; 64];
        for (one, other) in products {
            for (i, a) in digits(*one).iter().enumerate() {
                for (j, b) in digits(*other).iter().enumerate() {
                    sum[i + j] += a * b;
                }
            }
            for place in 0..sum.len() - 1 {
                sum[place + 1] += sum[place] / 10;
                sum[place] %= 10;
            }
        }
        let text: String = sum.iter().rev().map(u32::to_string).collect();
        let text = text.trim_start_matches('0');
        if text.is_empty() { "0".to_owned() } else { text.to_owned() }
    }

    proptest! {
        #[test]
        fn a_cost_is_the_sum_of_tokens_and_prices_to_the_pico_dollar(
            prices in prop::array::uniform6(0_u64..2_000_000_000),
            tokens in prop::array::uniform6(0_u64..10_000_000),
        ) {
            let kinds = |[input, cached, cache_write_5m, cache_write_1h, output, reasoning]: [u64; 6]| TokenKinds {
                input, cached, cache_write_5m, cache_write_1h, output, reasoning,
            };
            let cost = Price::new(kinds(prices)).cost(&kinds(tokens));
            let products: Vec<_> = prices.into_iter().zip(tokens).collect();
            let on_paper = on_paper(&products);
            // Beyond 18 million dollars the amount stays at the largest.
            let expected = on_paper.parse::<u64>().unwrap_or(u64::MAX);
            prop_assert_eq!(cost.picodollars(), expected);
        }
    }
}
