//! Programs that can use the server, and the lines that point each at it. Pure: [`crate::cli`] prints and writes the lines, the
//! dashboard shows them.
//!
//! In reading order: [`table`] (the programs), [`recipe`] (lines from templates), [`choice`] (which model).

#[cfg(test)]
mod agents_doc;
mod choice;
mod program;
mod recipe;
mod table;

pub(crate) use choice::{Named, chosen};
pub(crate) use program::{Agent, Launch, Settings, Syntax};
pub(crate) use recipe::{Chosen, Values, is_plain};
pub(crate) use table::{AGENTS, agent};

/// Stands for the key of a server that wants none: programs refuse an empty one.
pub(crate) const ANY_KEY: &str = "none";
