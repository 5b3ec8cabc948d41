//! Presets: what is known of a provider's API, as data. An entry with `"provider": "groq"` is filled in from its preset.
//!
//! 1. A preset is fields of an entry of `apis`. Whatever a preset fills in can be typed by hand.
//! 2. The user's own field wins. Objects (`headers`, `timeouts`) are merged member by member; `null` takes a field away.
//! 3. An entry with a base URL of its own gets neither of the preset's.
//! 4. The key is the entry's own, else the first of the preset's variables that is set, else the preset's (local servers).
//! 5. Where limits belong to the account, all entries of the provider share a quota group, unless the entry names another.
//! 6. `presets.json` beside the configuration (or `--presets FILE`) stands beside the presets of the program. Of two presets with
//!    one name the newer one is used.
//!
//! The merge happens on the JSON document, before the document becomes a configuration. So no other code knows of presets.

mod fill_in;
mod known;
#[cfg(test)]
mod page;
mod provider;
mod read;
mod secrets;
#[cfg(test)]
mod tests;

pub use fill_in::PresetUse;
pub(super) use fill_in::fill_in;
pub use known::Providers;
#[cfg(test)]
pub(super) use known::ProvidersFile;
pub use provider::{Blank, LimitScope, Plan, Provider};
pub(super) use read::{PresetsRead, text_of};
