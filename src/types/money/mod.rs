//! Money: amounts, and prices of tokens and of other units.

mod cost;
mod partial_price;
mod price;

pub use cost::Cost;
pub use partial_price::PartialPrice;
pub use price::{Price, PriceFactor};
