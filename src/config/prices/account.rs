//! The prices of one account, from all sources.

use super::table::{PriceTable, PricesByModel};
use crate::types::{ByName, Price, PriceFactor, TokenKinds};

/// The prices of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPrices {
    /// `prices` of the entry.
    pub(super) own: ByName<Price>,
    /// `priceFactor` of the entry.
    pub(super) factor: PriceFactor,
    /// The provider by which the tables are asked.
    pub(super) provider: Option<String>,
    /// The first with the model decides.
    pub(super) tables: Vec<PricesByModel>,
}

impl Default for AccountPrices {
    fn default() -> Self {
        let factor = PriceFactor::USUAL;
        AccountPrices { own: ByName::default(), factor, provider: None, tables: Vec::new() }
    }
}

impl AccountPrices {
    /// Returns the price of a model, by the account's own name of the model.
    pub fn price(&self, model: &str) -> Option<Price> {
        if let Some(own) = self.own.get(model) {
            return Some(*own);
        }
        let free = || (self.factor == PriceFactor::NOTHING).then(|| Price::new(TokenKinds::default()));
        let of_table = self.tables.iter().find_map(|table| table.get(model));
        of_table.map(|price| price.with_factor(self.factor)).or_else(free)
    }

    /// Returns the provider by whose rows the account pays, if one is known.
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// Takes up the rows of tables, the one that decides first.
    pub(in crate::config) fn use_tables<'a>(
        &mut self,
        provider: Option<String>,
        tables: impl Iterator<Item = &'a PriceTable>,
    ) {
        self.tables = tables.flat_map(|table| table.of_provider(provider.as_deref())).collect();
        self.provider = provider;
    }
}
