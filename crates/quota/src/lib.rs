//! Limits on requests and tokens, and the use of both.
//!
//! The crate is pure: every function takes the time as a value, and nothing here knows an actor, a disk or a network.
//!
//! In reading order:
//!
//! - `limits` and `reset`: what is bounded.
//! - `quota`: one set of limits, and the counts.
//! - `unit_counter`: requests or tokens alone. `window`, `daily_window` and `day`: what was used, and when.
//! - `credits`: units for use on any thread. `pool_limits`: what all quotas of a model leave.
//! - `lease` and `records`: the talk with a store.

mod bounds;
mod credits;
mod daily_window;
mod day;
mod demand;
mod lease;
mod limits;
mod no_room;
mod pool_limits;
mod quota;
mod rate;
mod rate_limit_summary;
mod records;
mod request_window;
mod reset;
mod unit_counter;
mod window;

pub use credits::{Credits, TakeError};
pub use day::{Day, hour_start};
pub use demand::{ActualUsage, Demand, Measure};
pub use limits::{Burst, Limit, Limits, QuotaKind, guarded};
pub use no_room::NoRoom;
pub use pool_limits::{OwnerLimits, PoolLimits};
pub use quota::{GrantRequest, Need, Quota, Reservation};
pub use rate_limit_summary::RateLimitSummary;
pub use records::{CountRecord, Denial, Grant, QuotaRecord, SharedGrant, Units, WindowUsage};
pub use reset::Reset;
