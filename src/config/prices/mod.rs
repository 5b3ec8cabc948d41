//! What tokens cost at an account.
//!
//! 1. The order: `apis[].prices`, the file of `prices.file`, the program's own table. The first with a price for the model decides.
//! 2. A table's rows are by provider: the entry's preset, or else the provider with an address at the host of the base URL. Rows of
//!    the provider `*` are for every account.
//! 3. `apis[].priceFactor` multiplies the prices of tables. With 0 every model costs nothing, one without a row as well.
//! 4. Otherwise a model has no price, and costs 0. Nothing is guessed from similar names.
//! 5. One price holds for every length of context: dearer tiers for long prompts are not known.

mod account;
mod csv;
mod file;
mod foreign;
mod own;
mod row;
mod table;

pub use account::AccountPrices;
pub(super) use file::PriceFileRead;
pub use file::{PriceFile, PriceSource, read_text};
pub use row::{PriceRow, write_csv};
pub use table::PriceTable;
