//! Prices by provider and model.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::csv;
use super::row::PriceRow;
use crate::types::{ByName, Price, sorted};

/// The program's own table.
const EMBEDDED: &str = include_str!("../../../config/prices.csv");

/// The provider of rows for every account.
const ANY_PROVIDER: &str = "*";

/// The prices of one provider, by the provider's name of the model.
pub(super) type PricesByModel = Arc<ByName<Price>>;

/// A table of prices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceTable {
    /// The date of the facts, `2026-07-02`.
    pub as_of: Option<String>,
    by_provider: BTreeMap<String, PricesByModel>,
}

impl PriceTable {
    /// Returns the table of the program itself.
    pub fn embedded() -> &'static PriceTable {
        static TABLE: OnceLock<PriceTable> = OnceLock::new();
        // A test holds that the table has no bad row. A bad one would be left out.
        TABLE.get_or_init(|| {
            let read = csv::read(EMBEDDED);
            PriceTable::of(read.rows, read.as_of)
        })
    }

    /// Returns the table of these rows.
    pub(super) fn of(rows: Vec<PriceRow>, as_of: Option<String>) -> PriceTable {
        let mut by_provider: BTreeMap<String, Vec<(Arc<str>, Price)>> = BTreeMap::new();
        for PriceRow { provider, model, price } in rows {
            if let Some(price) = price.filled() {
                by_provider.entry(provider).or_default().push((Arc::from(model), price));
            }
        }
        let by_provider = by_provider.into_iter();
        let by_provider = by_provider.map(|(provider, prices)| (provider, Arc::new(prices.into_iter().collect())));
        PriceTable { as_of, by_provider: sorted::map(by_provider) }
    }

    /// Returns the prices of a provider, and those for every account.
    pub(super) fn of_provider(&self, provider: Option<&str>) -> impl Iterator<Item = PricesByModel> {
        let own = provider.and_then(|provider| self.by_provider.get(provider));
        own.into_iter().chain(self.by_provider.get(ANY_PROVIDER)).cloned()
    }

    /// Returns the providers with a row.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.by_provider.keys().map(String::as_str)
    }

    /// Returns the models with a row at a provider, names before patterns.
    pub fn models(&self, provider: &str) -> impl Iterator<Item = (&str, Price)> {
        let of_provider = self.by_provider.get(provider).into_iter();
        of_provider.flat_map(|prices| prices.iter()).map(|(model, price)| (model, *price))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Providers;

    #[test]
    fn the_programs_own_table_has_a_date_no_bad_row_and_no_unknown_provider() {
        let read = csv::read(EMBEDDED);
        assert_eq!(read.problems, Vec::<String>::new());
        assert!(read.as_of.is_some() && read.rows.len() > 400, "{}", read.rows.len());
        for provider in PriceTable::embedded().providers() {
            assert!(Providers::embedded().find(provider).is_some(), "{provider} is no preset");
        }
        for row in read.rows {
            let each = row.price.filled().expect("filled").each();
            let name = format!("{} {}", row.provider, row.model);
            assert!(each.cached <= each.input, "{name}: a cache that gives costs more than a whole prompt");
            assert!(each.cache_write_1h >= each.cache_write_5m, "{name}: an hour costs less than five minutes");
        }
    }
}
