//! What commands print for people: tables, bars, and colours where somebody looks.

mod paint;
mod table;
mod words;

pub(super) use paint::{Paint, Tone};
pub(super) use table::Table;
pub(super) use words::{count, span};
