//! One row of a table of prices, and the table as text.

use std::fmt::Write as _;

use crate::types::{PartialPrice, Price};

/// The columns with a price, in our order.
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

/// Returns a table as text. `about`: a comment for the first line, with the date.
pub fn write_csv(rows: &[PriceRow], about: &str) -> String {
    let mut text = format!("# {about}\nprovider,model,{}\n", AMOUNTS.join(","));
    for PriceRow { provider, model, price } in rows {
        let mut price = *price;
        let cells = AMOUNTS.map(|column| {
            let amount = amount(&mut price, column).and_then(|amount| *amount);
            amount.map(Price::dollars_text).unwrap_or_default()
        });
        // A write to memory does not fail.
        let _ = writeln!(text, "{},{},{}", quoted(provider), quoted(model), cells.join(","));
    }
    text
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}
