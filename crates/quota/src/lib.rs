//! Limits on requests, tokens and money, and the use of these.
//!
//! The crate is pure: every function takes the time as a value, and nothing here knows an actor, a disk or a network.
//!
//! In reading order:
//!
//! - `limits`, `listed_limit`, `period` and `reset`: what is bounded. `demand`: what an attempt may use.
//! - `quota`: one set of limits, and the counts.
//! - `pacing`: how a limit is spread over its period.
//! - `unit_counter`: requests, tokens or money alone. `window`, `period_window` and `calendar`: what was used, and when.
//! - `credits`: units for use on any thread. `pool_limits`: what all quotas of a model leave.
//! - `forecast`: when a limit is spent if its use goes on as before.
//! - `lease` and `records`: the talk with a store.

mod bounds;
mod calendar;
mod credits;
mod demand;
mod forecast;
mod lease;
mod limits;
mod listed_limit;
mod no_room;
mod pacing;
mod period;
mod period_window;
mod pool_limits;
mod quota;
mod rate;
mod rate_limit_summary;
mod records;
mod request_window;
mod reset;
mod unit_counter;
mod window;

pub use calendar::{CalendarSpan, CalendarUnit, hour_start};
pub use credits::{Credits, TakeError};
pub use demand::{ActualUsage, Demand, Measure};
pub use forecast::Forecast;
pub use limits::{Burst, Limit, Limits, QuotaKind, guarded};
pub use listed_limit::{LimitUnit, ListedLimit};
pub use no_room::NoRoom;
pub use pacing::Pacing;
pub use period::{MAX_PERIOD_DAYS, Period, PeriodError};
pub use pool_limits::{OwnerLimits, PoolLimits};
pub use quota::{GrantRequest, Need, Quota, Reservation};
pub use rate_limit_summary::RateLimitSummary;
pub use records::{CountRecord, Denial, Grant, QuotaRecord, SharedGrant, Units, WindowUsage};
pub use reset::Reset;
