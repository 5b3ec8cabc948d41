//! Money: amounts, and prices of tokens.

mod cost;
mod price;

pub use cost::Cost;
pub use price::{PartialPrice, Price, PriceFactor};
