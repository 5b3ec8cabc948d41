//! Edits of the configuration's own text. The file stays the only truth: what a page or a command changes is written there.
//!
//! 1. An edit is data ([`ConfigEdit`]), applied to what the text says. Only what differs is written ([`crate::text::json`]).
//! 2. Secrets leave this folder masked, numbered in the order of the text. A masked value that comes back at its place means the
//!    value itself; anywhere else it is refused ([`mask`], [`restore`]).
//! 3. The loader judges the new text before anything is written ([`run`]).
//!
//! In reading order: `change` (what can be done), `entry` (where), `mask`, `restore`, `run`.

mod change;
mod entry;
mod error;
mod mask;
mod place;
mod restore;
mod run;
mod secret_parts;
mod text_hash;

pub use change::ConfigEdit;
pub use error::{EditError, EditedConfig, MaskedConfig};
pub(super) use run::{Adopted, EditJob, masked_text};
pub use text_hash::TextHash;

#[cfg(test)]
mod tests;
