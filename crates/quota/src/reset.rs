//! When a day ends.

use jiff::tz::TimeZone;

/// When a day of `rpd` and `tpd` ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reset {
    /// At midnight in the server's own time zone.
    LocalMidnight,
    /// At midnight in this time zone.
    Midnight(TimeZone),
    /// Never: each request counts for 24 hours.
    Rolling,
}
