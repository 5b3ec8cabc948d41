//! The homes of objects: which upstream made a response, an item, a conversation or encrypted reasoning.
//!
//! In reading order:
//!
//! - `messages`: the contract, and the handle of the data path.
//! - `known`: the homes in memory, with their bounds. `home_record`: the form on disk.
//! - `actor`: the wiring to memory, disk and the shared store.

mod actor;
mod home_record;
mod known;
mod messages;

pub use actor::HomesActor;
pub use known::{DAYS_KEPT, KnownHomes, MAX_HOMES, NumberedRecord};
pub use messages::{FindHomes, FlushHomes, Forget, GetHomes, Homes, HomesReport, IsGone, Remember};
