//! What is used in a period: a day, week or month of some time zone, or any span of a length.

use clock::Now;
use jiff::tz::TimeZone;

use crate::calendar::{CalendarSpan, CalendarUnit};
use crate::pacing::{Pace, Pacing};
use crate::period::Period;
use crate::records::CountRecord;
use crate::reset::Reset;
use crate::window::{MAX_DEBT_WINDOWS, SlidingLog, Span};

/// The window of a period, for one kind of unit.
#[derive(Debug)]
pub(crate) enum PeriodWindow {
    /// A period of the calendar.
    Calendar {
        /// The time zone of its beginning.
        zone: TimeZone,
        /// The kind of period.
        unit: CalendarUnit,
        /// The current period.
        span: CalendarSpan,
        /// Units used in the current period.
        used: u64,
        /// The part of `used` at the beginning of the next period: an overshoot.
        carried: u64,
    },
    /// Any span of a length.
    Rolling(SlidingLog),
}

impl PeriodWindow {
    /// Creates an empty window. `newest_wall` is the largest wall time ever seen (ms since the Unix epoch).
    pub(crate) fn new(period: Period, reset: &Reset, newest_wall: i64) -> PeriodWindow {
        let zone = match reset {
            Reset::Midnight(zone) => Some(zone.clone()),
            Reset::LocalMidnight => Some(TimeZone::system()),
            Reset::Rolling => None,
        };
        match (period.calendar(), zone) {
            (Some(unit), Some(zone)) => {
                let span = CalendarSpan::containing(newest_wall, unit, &zone);
                PeriodWindow::Calendar { zone, unit, span, used: 0, carried: 0 }
            }
            (None, _) | (_, None) => PeriodWindow::Rolling(SlidingLog::new(Span::of(period.length_ms()))),
        }
    }

    /// Counts the units of `record`. Granted units may have been used just now.
    pub(crate) fn add(&mut self, record: &CountRecord, newest_wall: i64, now: Now) {
        match self {
            PeriodWindow::Calendar { span, used, carried, .. } => {
                // Where the period has changed, an unfinished one counts as a whole, and a log counts from the beginning on.
                let current = record.day_start == span.start || record.day_end > newest_wall;
                let counted = if current { record.used_today } else { record.carried };
                let logged = record.day_log.iter().filter(|(wall, _)| *wall >= span.start).map(|(_, count)| count);
                *used = used.saturating_add(counted).saturating_add(logged.sum());
                *carried = carried.saturating_add(if current { record.carried } else { 0 });
            }
            PeriodWindow::Rolling(log) => {
                log.restore(&record.day_log, now);
                // Where the period has changed, the times of a calendar period's units are unknown: just now, at worst.
                if record.day_end.saturating_add(log.span().window_ms as i64) > newest_wall {
                    log.insert(now.mono, record.used_today, None);
                }
            }
        }
        self.insert(now.mono, record.granted, None);
    }

    /// Raises the counts to those of `other`, a window of the same period.
    pub(crate) fn raise(&mut self, other: &PeriodWindow) {
        match (self, other) {
            (
                PeriodWindow::Calendar { used, carried, .. },
                PeriodWindow::Calendar { used: most, carried: over, .. },
            ) => {
                *used = (*used).max(*most);
                *carried = (*carried).max(*over);
            }
            (PeriodWindow::Rolling(log), PeriodWindow::Rolling(other)) => log.raise(other),
            (PeriodWindow::Calendar { .. }, PeriodWindow::Rolling(_))
            | (PeriodWindow::Rolling(_), PeriodWindow::Calendar { .. }) => {}
        }
    }

    /// Begins the next period if the current one is over. One period pays at most `limit` of a carried overshoot. Returns whether
    /// another one has begun.
    pub(crate) fn advance(&mut self, newest_wall: i64, limit: Option<u64>) -> bool {
        if let PeriodWindow::Calendar { zone, unit, span, used, carried } = self
            && newest_wall >= span.end
        {
            *span = CalendarSpan::containing(newest_wall, *unit, zone);
            *used = *carried;
            *carried = carried.saturating_sub(limit.unwrap_or(u64::MAX));
            return true;
        }
        false
    }

    /// Returns the overshoot with which the next period of the calendar begins.
    pub(crate) fn carried(&self) -> u64 {
        match self {
            PeriodWindow::Calendar { carried, .. } => *carried,
            PeriodWindow::Rolling(_) => 0,
        }
    }

    /// Returns the pace at which `bound` may be used in the current period, if the bound is spread.
    pub(crate) fn pace(&self, bound: u64, pacing: Pacing) -> Option<Pace> {
        match (self, pacing) {
            (PeriodWindow::Calendar { span, .. }, Pacing::Spread) => Some(Pace { bound, span: *span }),
            (PeriodWindow::Rolling(_), _) | (_, Pacing::Free) => None,
        }
    }

    /// Counts `count` units used at `at` (ms, monotonic). A unit used before the end of a period and recorded after counts in
    /// the new one, to be safe.
    pub(crate) fn insert(&mut self, at: u64, count: u64, limit: Option<u64>) {
        match self {
            PeriodWindow::Calendar { used, .. } => *used = used.saturating_add(count),
            PeriodWindow::Rolling(log) => log.insert(at, count, limit),
        }
    }

    /// Counts an overshoot of `count` units, in this period and again in the next.
    pub(crate) fn carry_debt(&mut self, at: u64, count: u64, limit: Option<u64>) {
        match self {
            PeriodWindow::Calendar { used, carried, .. } => {
                *used = used.saturating_add(count);
                let most = limit.unwrap_or(u64::MAX).saturating_mul(MAX_DEBT_WINDOWS);
                *carried = carried.saturating_add(count).min(most);
            }
            PeriodWindow::Rolling(log) => log.carry_debt(at, count, limit),
        }
    }

    /// Takes back a unit used at `at`, if `at` is in this period.
    pub(crate) fn remove(&mut self, at: u64, limit: Option<u64>, now: Now) {
        match self {
            PeriodWindow::Calendar { span, used, .. } if now.wall_at(at) >= span.start => {
                *used = used.saturating_sub(1)
            }
            PeriodWindow::Calendar { .. } => {}
            PeriodWindow::Rolling(log) => log.remove(at, 1, limit),
        }
    }

    /// Returns the units in the window.
    pub(crate) fn count(&mut self, now: Now) -> u64 {
        match self {
            PeriodWindow::Calendar { used, .. } => *used,
            PeriodWindow::Rolling(log) => log.count(now.mono),
        }
    }

    /// Returns when `units` of the window come free (ms, monotonic); `None` if there are fewer.
    pub(crate) fn frees(&self, units: u64, now: Now) -> Option<u64> {
        match self {
            PeriodWindow::Calendar { span, used, .. } => (units <= *used).then(|| now.mono_at(span.end)),
            PeriodWindow::Rolling(log) => log.frees(units),
        }
    }

    /// Returns since when the units of the window may have been used, and when units come free (ms since the Unix epoch); `None` if
    /// a rolling window is empty.
    pub(crate) fn in_use(&self, now: Now) -> Option<[i64; 2]> {
        match self {
            PeriodWindow::Calendar { span, .. } => Some([span.start, span.end]),
            PeriodWindow::Rolling(log) => {
                let frees = now.wall_at(log.frees(1)?);
                Some([frees.saturating_sub(log.span().window_ms as i64), frees])
            }
        }
    }

    /// Returns the latest end of the period (ms, monotonic).
    pub(crate) fn ends(&self, now: Now) -> u64 {
        match self {
            PeriodWindow::Calendar { span, .. } => now.mono_at(span.end),
            PeriodWindow::Rolling(log) => now.mono + log.span().window_ms,
        }
    }

    /// Returns the length of the current period, of a rolling one with its guard (ms).
    pub(crate) fn span_ms(&self) -> u64 {
        match self {
            PeriodWindow::Calendar { span, .. } => u64::try_from(span.end - span.start).unwrap_or(0),
            PeriodWindow::Rolling(log) => log.span().window_ms,
        }
    }

    /// Writes the window into a record.
    pub(crate) fn save(&self, record: &mut CountRecord, now: Now) {
        match self {
            PeriodWindow::Calendar { span, used, carried, .. } => {
                record.day_start = span.start;
                record.day_end = span.end;
                record.used_today = *used;
                record.carried = *carried;
            }
            PeriodWindow::Rolling(log) => record.day_log = log.saved(now),
        }
    }
}
