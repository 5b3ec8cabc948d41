//! When a day ends.

use jiff::tz::TimeZone;

/// When a day begins anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reset {
    /// At midnight in the server's own zone.
    LocalMidnight,
    /// At midnight in this zone.
    Midnight(TimeZone),
    /// Never: a request counts for 24 hours.
    Rolling,
}
