//! Who used what: the requests, tokens and costs of each hour and day, by client key, API, model and app.
//!
//! 1. A *cell* is a client key × API × model × app × kind of operation. Cells hold sums; no request is kept.
//! 2. Tokens and costs count at the API of their attempt. A request counts once, at the API that answered, or was asked last.
//! 3. Everything counts in the hour and the day in which the request ended, by the server's time zone.
//! 4. Hours are kept for 48 hours, days for 400 days.
//! 5. Names and cells are bounded. What is beyond counts as `other`; sums lose nothing.
//!
//! In reading order: `counts` (the sums of a cell), `names` and `cell`, `block` (cells as bytes), `ledger` (the open hour and day),
//! `query` and `sum` (questions over blocks), `report` (JSON and CSV). No actix, no clock, no I/O.

mod block;
mod cell;
mod counts;
mod ledger;
mod names;
mod query;
mod report;
mod sum;

pub use block::{UsageBlock, read_period};
pub use cell::{CellNames, Dimension, OperationKind};
pub use counts::UsageCounts;
pub use ledger::{LedgerPage, UsageLedger};
pub use query::{Bucket, UsageQuery};
pub use report::{usage_csv, usage_json};
pub use sum::{TooManyRows, UsageRow, UsageSum};

#[cfg(test)]
mod tests;
