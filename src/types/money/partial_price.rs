//! A price with gaps.

use super::price::Price;
use crate::types::{BilledSums, TokenKinds};

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
    /// Of one of each unit that is billed beside tokens. 0: no price.
    pub per_unit: BilledSums,
}

impl PartialPrice {
    /// Returns the price without gaps: reading from a cache or writing into one costs as much as other input, thoughts as much
    /// as other output, and output as much as input. Where a write costs more than other input, one for an hour costs twice the
    /// input. Where only other units have a price, tokens cost nothing. `None`: neither the input nor a unit has a price.
    pub fn filled(self) -> Option<Price> {
        let input = self.input.or((!self.per_unit.is_empty()).then_some(0))?;
        let output = self.output.unwrap_or(input);
        let cache_write_5m = self.cache_write.unwrap_or(input);
        let is_write_dearer = cache_write_5m > input;
        let an_hour = if is_write_dearer { cache_write_5m.max(input.saturating_mul(2)) } else { cache_write_5m };
        let each = TokenKinds {
            input,
            cached: self.cache_read.unwrap_or(input),
            cache_write_5m,
            cache_write_1h: self.cache_write_1h.unwrap_or(an_hour),
            output,
            reasoning: self.reasoning.unwrap_or(output),
        };
        Some(Price::new(each).with_units(self.per_unit))
    }
}
