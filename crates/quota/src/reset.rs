//! When a period ends.

use jiff::tz::TimeZone;

/// When the day of `rpd` and `tpd` ends, or another period of the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reset {
    /// At midnight in the server's own time zone.
    LocalMidnight,
    /// At midnight in this time zone.
    Midnight(TimeZone),
    /// Never: each request counts for the length of the period.
    Rolling,
}
