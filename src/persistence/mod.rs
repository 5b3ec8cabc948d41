//! What survives a stop and a `kill -9`: the counts of each quota, and the token statistics.
//!
//! In reading order: `record` (what is kept), `store` (the trait), `sled` and `folder` (on disk), `messages`, `actor`.

mod actor;
mod folder;
mod messages;
mod record;
mod sled;
mod store;

pub use actor::PersistenceActor;
pub use messages::{Flush, Reserve, Restore, Save};
pub use record::{QuotaRecord, Saved, TokenChange};
pub use sled::SledStore;
pub use store::{Change, Store, StoreError};
