//! What tokens cost, and what is billed beside tokens.

use super::cost::{Cost, DECIMALS as DOLLAR_DECIMALS, scaled};
use crate::types::{BilledSums, CountedTokens, TokenEstimate, TokenKinds, Usage};

/// The price of a model's tokens, in pico-dollars for one token of each kind. A price of *x* dollars for a million tokens is
/// *x* million pico-dollars for a token.
///
/// # Invariants
/// A kind that a table leaves out has the price of the input or of the output: a budget is never counted too low for a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// For a token of each kind.
    each: TokenKinds,
    /// For one of each unit that is billed beside tokens.
    per_unit: BilledSums,
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
        Price { each, per_unit: BilledSums::default(), factor: PriceFactor::USUAL }
    }

    /// Returns the price with so many pico-dollars for one of each unit.
    pub fn with_units(self, per_unit: BilledSums) -> Price {
        Price { per_unit, ..self }
    }

    /// Reads dollars for a million tokens, as pico-dollars for a token. Digits beyond the sixth decimal round up.
    pub fn read_dollars(text: &str) -> Option<u64> {
        scaled(text, PRICE_DECIMALS)
    }

    /// Reads dollars for one token, or for one of another unit, as pico-dollars. Digits beyond the twelfth decimal round up.
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
        let each = TokenKinds {
            input: one.input.max(two.input),
            cached: one.cached.max(two.cached),
            cache_write_5m: one.cache_write_5m.max(two.cache_write_5m),
            cache_write_1h: one.cache_write_1h.max(two.cache_write_1h),
            output: one.output.max(two.output),
            reasoning: one.reasoning.max(two.reasoning),
        };
        Price::new(each).with_units(self.due_per_unit().larger(other.due_per_unit()))
    }

    /// Returns the price of one of each unit at this account, rounded up to a pico-dollar.
    pub fn due_per_unit(&self) -> BilledSums {
        self.per_unit.map(|each| self.due_of(each))
    }

    fn due_of(&self, each: u64) -> u64 {
        self.factor.of(each.into()).try_into().unwrap_or(u64::MAX)
    }

    /// Returns the price of a token of each kind at this account, rounded up to a pico-dollar.
    pub fn due(&self) -> TokenKinds {
        let due = |each: u64| self.due_of(each);
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

    /// Returns what an exchange cost. `None`: the tokens are unknown, and no other unit of the exchange has a price.
    pub fn known_cost(&self, usage: &Usage) -> Option<Cost> {
        let billed = usage.billed.map(u64::from);
        let has_price = |unit| self.per_unit.get(unit) > 0;
        let is_known = usage.of_tokens().is_some() || billed.present().any(|(names, _)| has_price(names.unit));
        is_known.then(|| self.cost(&usage.kinds, billed))
    }

    /// Returns what these tokens and units cost. Rounded once, up, to a pico-dollar.
    pub fn cost(&self, tokens: &TokenKinds, billed: BilledSums) -> Cost {
        // Eleven products of two 64-bit numbers: the sum stops at the end of 128 bits.
        let add = |sum: u128, price: u64, number: u64| sum.saturating_add(u128::from(price) * u128::from(number));
        let each = self.each.by_name().into_iter().zip(tokens.by_name());
        let mut sum = each.fold(0, |sum, ((_, price), (_, tokens))| add(sum, price, tokens));
        if !billed.is_empty() {
            sum = billed.present().fold(sum, |sum, (names, number)| add(sum, self.per_unit.get(names.unit), number));
        }
        Cost::from_picodollars(u64::try_from(self.factor.of(sum)).unwrap_or(u64::MAX))
    }

    /// Returns what a request may cost, with `typical` generated tokens for a request without a bound. Of the kinds that nobody
    /// knows before the answer, the dearest is foreseen.
    pub fn estimate(&self, estimate: TokenEstimate, typical: u64) -> Cost {
        let tokens = estimate.tokens(typical, CountedTokens::ALL);
        let completion = tokens.saturating_sub(estimate.prompt);
        let is_thought_dearer = self.each.reasoning > self.each.output;
        let (output, reasoning) = if is_thought_dearer { (0, completion) } else { (completion, 0) };
        let tokens = TokenKinds { input: estimate.prompt, output, reasoning, ..TokenKinds::default() };
        self.cost(&tokens, estimate.billed.map(u64::from))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::PartialPrice;
    use super::*;
    use crate::types::{BilledUnit, BilledUnits, UsageSource};

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
        let estimate = TokenEstimate { prompt: 10, completion: Some(2), ..TokenEstimate::default() };
        assert_eq!(price.estimate(estimate, 512).picodollars(), 10 * 3 + 2 * 20);
        let open = TokenEstimate { prompt: 10, longest: Some(4), ..TokenEstimate::default() };
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
            assert_eq!(price.cost(&tokens, BilledSums::default()).picodollars(), cost, "{factor}");
        }
    }

    #[test]
    fn units_cost_beside_tokens_and_alone() {
        let per = |unit, each| PartialPrice { per_unit: BilledSums::of(unit, each), ..PartialPrice::default() };
        let image = per(BilledUnit::Image, 40_000_000_000).filled().expect("a price of images alone");
        let three = Usage::and_billed(None, BilledUnits::of(BilledUnit::Image, 3)).expect("images");
        assert_eq!(image.known_cost(&three), Cost::from_dollars("0.12"));
        let half = image.with_factor(PriceFactor::read("0.5").expect("a factor"));
        assert_eq!(half.known_cost(&three), Cost::from_dollars("0.06"));
        assert_eq!(half.dearer(half).known_cost(&three), Cost::from_dollars("0.06"));
        // Tokens without a report, and no price of characters: nobody knows.
        let spoken = Usage::and_billed(None, BilledUnits::of(BilledUnit::Character, 9));
        assert_eq!(image.known_cost(&spoken.expect("characters")), None);
        let both = PartialPrice { input: Some(2), ..per(BilledUnit::Search, 1_000) }.filled().expect("both");
        let told = Usage::new(5, 0, 5, UsageSource::Reported);
        let told = Usage::and_billed(Some(told), BilledUnits::of(BilledUnit::Search, 2)).expect("told");
        assert_eq!(both.known_cost(&told).map(Cost::picodollars), Some(2_010));
        let estimate = TokenEstimate { prompt: 5, completion: Some(0), billed: told.billed, longest: None };
        assert_eq!(both.estimate(estimate, 512).picodollars(), 2_010);
        assert_eq!(PartialPrice::default().filled(), None);
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
            let cost = Price::new(kinds(prices)).cost(&kinds(tokens), BilledSums::default());
            let products: Vec<_> = prices.into_iter().zip(tokens).collect();
            let on_paper = on_paper(&products);
            // Beyond 18 million dollars the amount stays at the largest.
            let expected = on_paper.parse::<u64>().unwrap_or(u64::MAX);
            prop_assert_eq!(cost.picodollars(), expected);
        }
    }
}
