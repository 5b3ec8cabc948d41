//! Programs that can use the server, and the settings that point each program at the server. Pure: [`crate::cli`] prints and writes
//! the settings, and the dashboard shows the settings.
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

/// The key for a server without keys: programs refuse an empty key.
pub(crate) const ANY_KEY: &str = "none";
