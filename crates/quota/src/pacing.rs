//! How a limit is spread over a period of the calendar, so that the limit lasts.
//!
//! 1. At the beginning of the period a twenty-fourth of the limit may be used: of a day as much as an hour's share.
//! 2. From then on the rest becomes usable evenly, second by second, and never more than the limit.
//! 3. What is not used stays usable until the end of the period.
//! 4. A rolling period has no beginning, and no pace.

use crate::calendar::CalendarSpan;

/// Into how many parts a limit is divided. One part may be used at once.
const PARTS: u64 = 24;

const SECOND_MS: i64 = 1_000;

/// How the limit of a period may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pacing {
    /// As fast as clients ask.
    #[default]
    Free,
    /// Evenly over the period (`"pacing": "spread"`).
    Spread,
}

impl Pacing {
    /// Returns how much of a limit may be used at the beginning of the period: at least one unit.
    pub fn at_once(self, bound: u64) -> u64 {
        match self {
            Pacing::Free => bound,
            Pacing::Spread => (bound / PARTS).max(1).min(bound),
        }
    }
}

/// The pace of one limit in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The limit.
    pub(crate) bound: u64,
    /// The period.
    pub(crate) span: CalendarSpan,
}

impl Pace {
    /// Returns how much may be used at the beginning of the period.
    pub(crate) fn at_once(self) -> u64 {
        Pacing::Spread.at_once(self.bound)
    }

    /// Returns how much of the limit may be used up to `wall` (ms since the Unix epoch). A shared store computes the same.
    pub(crate) fn usable(self, wall: i64) -> u64 {
        let length = self.length_s();
        let passed = u64::try_from(wall.saturating_sub(self.span.start) / SECOND_MS).unwrap_or(0).min(length);
        let share = u128::from(self.bound) * u128::from(passed) / u128::from(length);
        self.at_once().saturating_add(u64::try_from(share).unwrap_or(u64::MAX)).min(self.bound)
    }

    /// Returns the first moment at which so many units, or the whole limit, may be used (ms since the Unix epoch).
    pub(crate) fn reaches(self, units: u64) -> i64 {
        let later = units.min(self.bound).saturating_sub(self.at_once());
        let seconds = (u128::from(later) * u128::from(self.length_s())).div_ceil(u128::from(self.bound.max(1)));
        let ms = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND_MS);
        self.span.start.saturating_add(ms)
    }

    fn length_s(self) -> u64 {
        u64::try_from(self.span.end.saturating_sub(self.span.start) / SECOND_MS).unwrap_or(0).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn day(bound: u64) -> Pace {
        Pace { bound, span: CalendarSpan { start: 7 * HOUR, end: 31 * HOUR } }
    }

    fn usable(bound: u64, hour: i64) -> u64 {
        day(bound).usable((7 + hour) * HOUR)
    }

    #[test]
    fn a_limit_grows_by_an_hours_share_each_hour_after_a_first_one() {
        assert_eq!([0, 1, 12, 23, 24].map(|hour| usable(240, hour)), [10, 20, 130, 240, 240]);
        assert_eq!(usable(240, -5), 10, "a clock set back");
        assert_eq!(usable(240, 500), 240);
        assert_eq!(usable(u64::MAX, 24), u64::MAX);
    }

    #[test]
    fn a_small_limit_has_one_unit_at_once() {
        assert_eq!([0, 11, 12, 24].map(|hour| usable(2, hour)), [1, 1, 2, 2]);
        assert_eq!([0, 24].map(|hour| usable(1, hour)), [1, 1]);
        assert_eq!(usable(0, 12), 0);
    }

    #[test]
    fn so_many_units_may_be_used_from_the_moment_on_that_is_foretold() {
        for bound in [1, 2, 23, 24, 100, 1_000, 86_400, 100_000_000_000_000] {
            for units in [1, 2, bound / 7 + 1, bound / 2 + 1, bound] {
                let (pace, units) = (day(bound), units.min(bound));
                let at = pace.reaches(units);
                assert!(pace.usable(at) >= units, "{units} of {bound}");
                assert!(at == pace.span.start || pace.usable(at - 1) < units, "{units} of {bound}");
                assert!(at < pace.span.end);
            }
        }
    }
}
