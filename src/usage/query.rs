//! A question about usage.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use quota::{CalendarSpan, CalendarUnit, hour_start};

use super::cell::{Dimension, OperationKind};
use crate::types::UsageSpan;

/// The length of the buckets of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// By the hour.
    Hour,
    /// By the day.
    Day,
    /// By the month.
    Month,
}

impl Bucket {
    /// Returns the periods that the buckets are made of.
    pub fn span(self) -> UsageSpan {
        match self {
            Bucket::Hour => UsageSpan::Hour,
            Bucket::Day | Bucket::Month => UsageSpan::Day,
        }
    }

    /// Returns the begin of the bucket of a time, in ms since the Unix epoch.
    pub fn start(self, wall: i64, zone: &TimeZone) -> i64 {
        match self {
            Bucket::Hour => hour_start(wall, zone),
            Bucket::Day => CalendarSpan::containing(wall, CalendarUnit::Day, zone).start,
            Bucket::Month => {
                month_start(wall, zone).unwrap_or_else(|| CalendarSpan::containing(wall, CalendarUnit::Day, zone).start)
            }
        }
    }

    /// Returns the end of the bucket with this begin.
    pub fn end(self, start: i64, zone: &TimeZone) -> i64 {
        const HOUR_MS: i64 = 3_600_000;
        match self {
            Bucket::Hour => start.saturating_add(HOUR_MS),
            Bucket::Day => CalendarSpan::containing(start, CalendarUnit::Day, zone).end,
            // Every month ends within 31 days, and the next one within two days more has begun, in every zone.
            Bucket::Month => Bucket::Month.start(start.saturating_add(32 * 24 * HOUR_MS), zone),
        }
    }
}

fn month_start(wall: i64, zone: &TimeZone) -> Option<i64> {
    let at = Timestamp::from_millisecond(wall).ok()?.to_zoned(zone.clone());
    let first = at.first_of_month().ok()?.start_of_day().ok()?;
    Some(first.timestamp().as_millisecond())
}

/// What is asked: sums of the periods in a range.
#[derive(Debug, Clone)]
pub struct UsageQuery {
    /// The first time, in ms since the Unix epoch: the begin of a bucket.
    pub from: i64,
    /// The time after the last: the end of a bucket.
    pub to: i64,
    /// The buckets.
    pub by: Bucket,
    /// What is kept apart.
    pub group: Vec<Dimension>,
    /// The wanted names of each dimension, by [`Dimension::ALL`]. None: all.
    pub filters: [Vec<String>; 4],
    /// The wanted kind of operation. `None`: all.
    pub kind: Option<OperationKind>,
    /// The zone of days and months.
    pub zone: TimeZone,
}

impl UsageQuery {
    /// Returns the range widened to whole buckets.
    #[must_use]
    pub fn in_whole_buckets(mut self) -> UsageQuery {
        self.from = self.by.start(self.from, &self.zone);
        let last = self.by.start(self.to.saturating_sub(1).max(self.from), &self.zone);
        self.to = self.by.end(last, &self.zone);
        self
    }

    /// Returns the dimension whose folds answer the question: the only one that is asked for, or any if none is. `None`: cells are needed.
    pub fn fold(&self) -> Option<Dimension> {
        let dimensions = Dimension::ALL.into_iter().zip(&self.filters);
        let mut asked = dimensions
            .filter(|(dimension, names)| self.group.contains(dimension) || !names.is_empty())
            .map(|(dimension, _)| dimension);
        match (asked.next(), asked.next()) {
            (None, _) => Some(Dimension::App),
            (only, None) => only,
            (_, Some(_)) => None,
        }
    }
}
