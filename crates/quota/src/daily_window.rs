//! What is used in a day: from midnight to midnight in some time zone, or in any 24 hours.

use clock::Now;
use jiff::tz::TimeZone;

use crate::day::Day;
use crate::records::CountRecord;
use crate::reset::Reset;
use crate::window::{MAX_DEBT_WINDOWS, SlidingLog, Span};

/// The daily window of one kind of unit.
#[derive(Debug)]
pub(crate) enum DailyWindow {
    /// A day from midnight to midnight.
    Calendar {
        /// The time zone of these midnights.
        zone: TimeZone,
        /// The current day.
        day: Day,
        /// Units used today.
        used: u64,
        /// The part of `used` at the beginning of tomorrow: an overshoot.
        carried: u64,
    },
    /// Any 24 hours.
    Rolling(SlidingLog),
}

impl DailyWindow {
    /// Creates an empty window. `newest_wall` is the largest wall time ever seen (ms since the Unix epoch).
    pub(crate) fn new(reset: &Reset, newest_wall: i64) -> DailyWindow {
        match reset {
            Reset::Midnight(zone) => Self::calendar(zone.clone(), newest_wall),
            Reset::LocalMidnight => Self::calendar(TimeZone::system(), newest_wall),
            Reset::Rolling => DailyWindow::Rolling(SlidingLog::new(Span::DAY)),
        }
    }

    fn calendar(zone: TimeZone, newest_wall: i64) -> DailyWindow {
        let day = Day::containing(newest_wall, &zone);
        DailyWindow::Calendar { zone, day, used: 0, carried: 0 }
    }

    /// Counts the units of `record`. Granted units may have been used just now.
    pub(crate) fn add(&mut self, record: &CountRecord, newest_wall: i64, now: Now) {
        match self {
            DailyWindow::Calendar { day, used, carried, .. } => {
                // Where the reset has changed, an unfinished day counts as a whole, and a log counts from midnight on.
                let today = record.day_start == day.start || record.day_end > newest_wall;
                let counted = if today { record.used_today } else { record.carried };
                let logged = record.day_log.iter().filter(|(wall, _)| *wall >= day.start).map(|(_, count)| count);
                *used = used.saturating_add(counted).saturating_add(logged.sum());
                *carried = carried.saturating_add(if today { record.carried } else { 0 });
            }
            DailyWindow::Rolling(log) => {
                log.restore(&record.day_log, None, now);
                // Where the reset has changed, the times of a calendar day's units are unknown: just now, at worst.
                if record.day_end.saturating_add(Span::DAY.window_ms as i64) > newest_wall {
                    log.insert(now.mono, record.used_today, None);
                }
            }
        }
        self.insert(now.mono, record.granted, None);
    }

    /// Begins the next day if the current one is over. One day pays at most `limit` of a carried overshoot.
    pub(crate) fn advance(&mut self, newest_wall: i64, limit: Option<u64>) {
        if let DailyWindow::Calendar { zone, day, used, carried } = self
            && newest_wall >= day.end
        {
            *day = Day::containing(newest_wall, zone);
            *used = *carried;
            *carried = carried.saturating_sub(limit.unwrap_or(u64::MAX));
        }
    }

    /// Counts `count` units used at `at` (ms, monotonic). A unit used before midnight and recorded after counts in the new day,
    /// to be safe.
    pub(crate) fn insert(&mut self, at: u64, count: u64, limit: Option<u64>) {
        match self {
            DailyWindow::Calendar { used, .. } => *used = used.saturating_add(count),
            DailyWindow::Rolling(log) => log.insert(at, count, limit),
        }
    }

    /// Counts an overshoot of `count` units, today and again tomorrow.
    pub(crate) fn carry_debt(&mut self, at: u64, count: u64, limit: Option<u64>) {
        match self {
            DailyWindow::Calendar { used, carried, .. } => {
                *used = used.saturating_add(count);
                let most = limit.unwrap_or(u64::MAX).saturating_mul(MAX_DEBT_WINDOWS);
                *carried = carried.saturating_add(count).min(most);
            }
            DailyWindow::Rolling(log) => log.carry_debt(at, count, limit),
        }
    }

    /// Takes back a unit used at `at`, if `at` is in this day.
    pub(crate) fn remove(&mut self, at: u64, limit: Option<u64>, now: Now) {
        match self {
            DailyWindow::Calendar { day, used, .. } if now.wall_at(at) >= day.start => *used = used.saturating_sub(1),
            DailyWindow::Calendar { .. } => {}
            DailyWindow::Rolling(log) => log.remove(at, 1, limit),
        }
    }

    /// Returns the units in the window.
    pub(crate) fn count(&mut self, now: Now) -> u64 {
        match self {
            DailyWindow::Calendar { used, .. } => *used,
            DailyWindow::Rolling(log) => log.count(now.mono),
        }
    }

    /// Returns when `units` of the window come free (ms, monotonic); `None` if there are fewer.
    pub(crate) fn frees(&self, units: u64, now: Now) -> Option<u64> {
        match self {
            DailyWindow::Calendar { day, used, .. } => (units <= *used).then(|| now.mono_at(day.end)),
            DailyWindow::Rolling(log) => log.frees(units),
        }
    }

    /// Returns the latest end of the day (ms, monotonic).
    pub(crate) fn ends(&self, now: Now) -> u64 {
        match self {
            DailyWindow::Calendar { day, .. } => now.mono_at(day.end),
            DailyWindow::Rolling(_) => now.mono + Span::DAY.window_ms,
        }
    }

    /// Writes the window into a record.
    pub(crate) fn save(&self, record: &mut CountRecord, now: Now) {
        match self {
            DailyWindow::Calendar { day, used, carried, .. } => {
                record.day_start = day.start;
                record.day_end = day.end;
                record.used_today = *used;
                record.carried = *carried;
            }
            DailyWindow::Rolling(log) => record.day_log = log.saved(now),
        }
    }
}
