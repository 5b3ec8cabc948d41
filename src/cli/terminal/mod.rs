//! What commands print for people: tables, bars, and colours where somebody looks.

mod diff;
mod one_line;
mod paint;
mod table;
mod words;

pub(super) use diff::print_diff;
pub(super) use one_line::one_line;
pub(super) use paint::{Paint, Tone};
pub(super) use table::Table;
pub(super) use words::{count, span};
