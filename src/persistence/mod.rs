//! What survives a stop and a `kill -9`: the counts of each quota, and the token statistics. Also the store through which several
//! servers share quotas.
//!
//! In reading order: `messages` (the contract), `record` (what is saved), `store` (the trait), `sled` and `folder` (on disk),
//! `shared` (what is asked for a quota), `redis` with `replica_row` and the scripts `greet.lua` and `lend.lua`, `batch_worker`, `actor`.

mod actor;
mod batch_worker;
mod folder;
mod messages;
mod record;
mod redis;
mod replica_row;
mod shared;
mod sled;
mod store;

pub use actor::PersistenceActor;
pub use messages::{Flush, Reserve, Restore, RestoreTokens, Save};
pub use record::{Saved, TokenChange};
pub use redis::RedisStore;
pub use shared::{Ask, GrantResult, SharedBackend};
pub use sled::SledStore;
pub use store::{Change, Store, StoreError};
