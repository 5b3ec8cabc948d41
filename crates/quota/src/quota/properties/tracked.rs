//! A quota beside the truth about its requests and tokens.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::*;
use crate::period::Period;
use crate::records::QuotaRecord;

/// A quota, what the disk holds of it, and what truly happened.
pub(super) struct Tracked {
    pub(super) quota: Quota,
    pub(super) disk: QuotaRecord,
    /// The original limits.
    pub(super) limits: Limits,
    pub(super) in_force: Limits,
    /// True times of all written requests.
    pub(super) written: Vec<i64>,
    /// True times and numbers of used tokens.
    pub(super) used: Vec<(i64, u64)>,
}

impl Tracked {
    /// Returns the most requests in any span of `ms`.
    pub(super) fn most_within(&self, ms: i64) -> u64 {
        let holds = |from: &i64| self.written.iter().filter(|at| (*from..*from + ms).contains(at)).count();
        self.written.iter().map(holds).max().unwrap_or(0) as u64
    }

    /// Returns the most requests in any civil day, week or month of the zone.
    pub(super) fn most_in(&self, period: Period, zone: &TimeZone) -> u64 {
        let name = |at: &i64| {
            let date = Timestamp::from_millisecond(*at).expect("in range").to_zoned(zone.clone()).date();
            match period {
                Period::Month => (date.year(), i32::from(date.month())),
                Period::Week => (date.iso_week_date().year(), i32::from(date.iso_week_date().week())),
                Period::Minutes(_) | Period::Hours(_) | Period::Days(_) | Period::Hour | Period::Day => {
                    (date.year(), i32::from(date.day_of_year()))
                }
            }
        };
        let of = |day: &i64| self.written.iter().filter(|at| name(at) == name(day)).count();
        self.written.iter().map(of).max().unwrap_or(0) as u64
    }

    /// Returns by how many tokens any run of windows of `ms` was over, and the most tokens of one request.
    pub(super) fn tokens_over(&self, limit: u64, ms: u64) -> (u64, u64) {
        let one = self.used.iter().map(|(_, tokens)| *tokens).max().unwrap_or(0);
        let over = |(i, (from, _)): (usize, &(i64, u64))| {
            let mut sum = 0;
            let later = self.used.iter().skip(i).map(|(at, tokens)| {
                sum += tokens;
                let windows = (at - from) as u64 / ms + 1;
                sum.saturating_sub(limit * windows)
            });
            later.max().unwrap_or(0)
        };
        (self.used.iter().enumerate().map(over).max().unwrap_or(0), one)
    }
}
