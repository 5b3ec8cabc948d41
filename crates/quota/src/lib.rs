//! Limits on requests and tokens, and what has been used of them. Pure.

mod bounds;
mod credits;
mod daily_window;
mod day;
mod lease;
mod limits;
mod no_room;
mod quota;
mod rate;
mod rate_limit_summary;
mod records;
mod reset;
mod unit_counter;
mod window;

pub use credits::{Allowance, Amount, Untaken};
pub use day::{Day, hour_start};
pub use limits::{Burst, Limit, Limits, QuotaKind, guarded};
pub use no_room::NoRoom;
pub use quota::{Draw, Quota, Share, Spent};
pub use rate_limit_summary::RateLimit;
pub use records::{CountRecord, Grant, QuotaRecord, SharedGrant, Units};
pub use reset::Reset;
