//! The hours and days for which usage is kept.

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsageSpan {
    /// An hour of the clock.
    Hour,
    /// A day of the calendar.
    Day,
}

/// One hour or one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsagePeriod {
    /// The length.
    pub span: UsageSpan,
    /// The begin, in ms since the Unix epoch.
    pub start: i64,
}

/// A change of the usage on disk. A block is a piece of a period, or all of it so far; see `crate::usage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageChange {
    /// A new block of a period. Numbers grow over all periods.
    Put {
        /// The period.
        period: UsagePeriod,
        /// The number of the block.
        number: u64,
        /// The block.
        block: Vec<u8>,
    },
    /// The blocks of a period with smaller numbers are forgotten.
    Replace {
        /// The period.
        period: UsagePeriod,
        /// The first number that is kept.
        before: u64,
    },
    /// Periods of this span that began before are forgotten.
    Forget(UsagePeriod),
}
