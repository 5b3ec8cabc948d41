//! What survives a stop and a `kill -9`: the counts of each quota, and the token statistics. Several servers share quotas
//! through a store of the second kind.
//!
//! In reading order:
//!
//! - `messages`: the contract. `record`: what is saved.
//! - `store`: the trait. `sled` and `folder`: the store on disk.
//! - `shared`: the trait of a shared store. `redis`, `replica_row` and the scripts `greet.lua` and `lend.lua`: the shared store.
//! - `batch_worker` and `actor`: the wiring.

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
