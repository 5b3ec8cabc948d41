//! `prices` and `priceFactor` of an entry.

use std::sync::Arc;

use super::AccountPrices;
use crate::config::file::{ApiPricesFile, PriceOfFile};
use crate::config::validator::Validator;
use crate::types::{BilledSums, PartialPrice, Price, PriceFactor};

impl Validator<'_> {
    /// Returns the prices that the entry at this place has itself.
    pub(in crate::config) fn prices(&mut self, at: &str, typed: &ApiPricesFile) -> AccountPrices {
        let mut own: Vec<(Arc<str>, Price)> = Vec::new();
        for (model, price) in typed.prices.iter().flatten() {
            let at = format!("{at}.prices");
            if model.trim().is_empty() {
                self.problem(&at, "must have the name of a model, or a pattern such as *; one is empty");
            }
            match of_typed(price).filled() {
                Some(price) => own.push((Arc::from(model.as_str()), price)),
                None => {
                    let wanted = "must have input (dollars for a million tokens), or a price above 0 of a unit, such as perImage";
                    self.problem(&format!("{at}.{model}"), wanted);
                }
            }
        }
        let factor = typed.price_factor.and_then(|factor| PriceFactor::read(&factor.to_string()));
        AccountPrices {
            own: own.into_iter().collect(),
            factor: factor.unwrap_or(PriceFactor::USUAL),
            ..AccountPrices::default()
        }
    }
}

fn of_typed(typed: &PriceOfFile) -> PartialPrice {
    // The shortest text of a number is the one that was typed.
    let read = |dollars: Option<f64>| dollars.and_then(|dollars| Price::read_dollars(&dollars.to_string()));
    let of_one = |dollars: Option<f64>| dollars.and_then(|dollars| Price::read_dollars_of_one(&dollars.to_string()));
    // In the order of `BilledUnit::TABLE`.
    let by_unit = [typed.per_image, typed.per_audio_second, typed.per_character, typed.per_page, typed.per_search];
    PartialPrice {
        input: read(typed.input),
        output: read(typed.output),
        cache_read: read(typed.cache_read),
        cache_write: read(typed.cache_write),
        cache_write_1h: read(typed.cache_write_1h),
        reasoning: read(typed.reasoning),
        per_unit: BilledSums::from_array(by_unit.map(|dollars| of_one(dollars).unwrap_or_default())),
    }
}
