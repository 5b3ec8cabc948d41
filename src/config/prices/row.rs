//! One row of a table of prices, and the table as text.

use std::fmt::Write as _;

use crate::types::{BilledUnit, Cost, PartialPrice, Price, UnitNames};

/// The columns with a price of tokens, in our order. Those of other units come behind.
pub(super) const AMOUNTS: [&str; 6] = ["input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning"];

/// The price of one model at one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    /// A preset's id, or `*`.
    pub provider: String,
    /// The provider's name for the model, or a pattern.
    pub model: String,
    /// The price.
    pub price: PartialPrice,
}

/// Returns the amount in the column of this name; `None` if there is no such column.
pub(super) fn amount<'a>(price: &'a mut PartialPrice, column: &str) -> Option<&'a mut Option<u64>> {
    match column {
        "input" => Some(&mut price.input),
        "output" => Some(&mut price.output),
        "cache_read" => Some(&mut price.cache_read),
        "cache_write" => Some(&mut price.cache_write),
        "cache_write_1h" => Some(&mut price.cache_write_1h),
        "reasoning" => Some(&mut price.reasoning),
        _ => None,
    }
}

/// Returns the unit whose price stands in the column of this name.
pub(super) fn unit_of(column: &str) -> Option<BilledUnit> {
    BilledUnit::TABLE.iter().find(|names| names.price_column == column).map(|names| names.unit)
}

/// Returns a table as text. Units have a column if any row has a price of theirs. `about`: a comment for the first line, with the date.
pub fn write_csv(rows: &[PriceRow], about: &str) -> String {
    let is_used = |unit: BilledUnit| rows.iter().any(|row| row.price.per_unit.get(unit) > 0);
    let units: Vec<&UnitNames> = BilledUnit::TABLE.iter().filter(|names| is_used(names.unit)).collect();
    let columns = AMOUNTS.into_iter().chain(units.iter().map(|names| names.price_column));
    let mut text = format!("# {about}\nprovider,model,{}\n", columns.collect::<Vec<_>>().join(","));
    for PriceRow { provider, model, price } in rows {
        let mut price = *price;
        let of_tokens = AMOUNTS.map(|column| {
            let amount = amount(&mut price, column).and_then(|amount| *amount);
            amount.map(Price::dollars_text).unwrap_or_default()
        });
        let of_one = |names: &&UnitNames| match price.per_unit.get(names.unit) {
            0 => String::new(),
            amount => Cost::from_picodollars(amount).to_string(),
        };
        let cells: Vec<String> = of_tokens.into_iter().chain(units.iter().map(of_one)).collect();
        // A write to memory does not fail.
        let _ = writeln!(text, "{},{},{}", quoted(provider), quoted(model), cells.join(","));
    }
    text
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}
