//! What survives a stop and a `kill -9`: the counts of each quota, and the token statistics. Several servers share quotas
//! through a store of the second kind.
//!
//! In reading order:
//!
//! - `messages`: the contract. `record`: what is saved.
//! - `store`: the trait. `sled` and `folder`: the store on disk. `usage`: usage in this and in the shared store.
//! - `shared`: the trait of a shared store. `redis`, `replica_row` and the scripts `greet.lua` and `lend.lua`: the shared store.
//! - `redis_homes`: where several servers share homes of objects. `redis_ledgers`: whose ledgers they are.
//! - `batch_worker`, `shared_worker`, `homes_worker` and `actor`: the wiring. `store_health`: how the stores are.

mod actor;
mod batch_worker;
mod folder;
mod folder_error;
mod homes_worker;
#[cfg(test)]
mod hung_store;
mod messages;
mod record;
mod redis;
mod redis_homes;
mod redis_ledgers;
mod redis_link;
mod replica_row;
mod script_reply;
mod shared;
mod shared_worker;
mod sled;
mod store;
mod store_health;
mod usage;

pub use actor::PersistenceActor;
pub use messages::{
    FindSharedHomes, Flush, LedgersChanged, Reserve, Restore, RestoreLedgers, RestoreTokens, Save, SaveHomes,
    SaveLedgers, ShareHomes, ShareLedgers,
};
pub use record::{Saved, TokenChange};
pub use redis::RedisStore;
pub use redis_homes::RedisHomes;
pub use shared::{Ask, GrantResult, SharedBackend, SharedHomes, SharedUsage};
pub use sled::SledStore;
pub use store::{Change, Store, StoreError};
pub use store_health::{GetStores, StoreReport};
pub use usage::{ReadUsage, RedisUsage, SaveUsage, ShareUsage, UsageReader};
