//! What survives a stop and a `kill -9`: the counts of each quota, and the token statistics; and the store by which
//! several servers share quotas.
//!
//! In reading order: `record` (what is kept), `store` (the trait), `sled` and `folder` (on disk), `lend` (what is asked of a
//! shared store), `redis` and `redis_row` with the scripts `greet.lua` and `lend.lua`, `messages`, `lane`, `actor`.

mod actor;
mod folder;
mod lane;
mod lend;
mod messages;
mod record;
mod redis;
mod redis_row;
mod sled;
mod store;

pub use actor::PersistenceActor;
pub use lend::{Ask, Lender, Lent};
pub use messages::{Flush, Reserve, Restore, RestoreTokens, Save};
pub use record::{Saved, TokenChange};
pub use redis::RedisStore;
pub use sled::SledStore;
pub use store::{Change, Store, StoreError};
