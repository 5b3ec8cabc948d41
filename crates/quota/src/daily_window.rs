//! What is spent in a day: from midnight to midnight somewhere, or in any 24 hours.

use clock::Now;
use jiff::tz::TimeZone;

use crate::day::Day;
use crate::records::CountRecord;
use crate::reset::Reset;
use crate::window::{CARRIED_OVER, SlidingLog, Span};

/// The daily window of one kind of unit.
#[derive(Debug)]
pub(super) enum Daily {
    /// Begins anew at midnight in this zone.
    Calendar {
        zone: TimeZone,
        day: Day,
        used: u64,
        /// Of them, what tomorrow begins with: an overshoot.
        carried: u64,
    },
    /// A unit counts for 24 hours.
    Rolling(SlidingLog),
}

impl Daily {
    /// An empty window.
    pub(super) fn new(reset: &Reset, newest_wall: i64) -> Daily {
        let calendar = |zone: TimeZone| {
            let day = Day::containing(newest_wall, &zone);
            Daily::Calendar { zone, day, used: 0, carried: 0 }
        };
        match reset {
            Reset::Midnight(zone) => calendar(zone.clone()),
            Reset::LocalMidnight => calendar(TimeZone::system()),
            Reset::Rolling => Daily::Rolling(SlidingLog::new(Span::DAY)),
        }
    }

    /// Counts what `record` has counted. `newest_wall` is the largest wall time ever seen; what was granted may have been
    /// sent just now.
    pub(super) fn add(&mut self, record: &CountRecord, newest_wall: i64, now: Now) {
        match self {
            Daily::Calendar { day, used, carried, .. } => {
                // Under another reset, a day that is not over counts as a whole, and a log from midnight on.
                let today = record.day_start == day.start || record.day_end > newest_wall;
                let counted = if today { record.used_today } else { record.carried };
                let logged = record.day_log.iter().filter(|(wall, _)| *wall >= day.start).map(|(_, count)| count);
                *used = used.saturating_add(counted).saturating_add(logged.sum());
                *carried = carried.saturating_add(if today { record.carried } else { 0 });
            }
            Daily::Rolling(log) => {
                log.restore(&record.day_log, None, now);
                // Under another reset, when the units of a day were spent is not known any more: just now, at worst.
                if record.day_end.saturating_add(Span::DAY.window_ms as i64) > newest_wall {
                    log.insert(now.mono, record.used_today, None);
                }
            }
        }
        self.insert(now.mono, record.granted, None);
    }

    /// Turns the day, if it is over. `limit` is what a day that begins with an overshoot takes off it.
    pub(super) fn advance(&mut self, newest_wall: i64, limit: Option<u64>) {
        if let Daily::Calendar { zone, day, used, carried } = self
            && newest_wall >= day.end
        {
            *day = Day::containing(newest_wall, zone);
            *used = *carried;
            *carried = carried.saturating_sub(limit.unwrap_or(u64::MAX));
        }
    }

    /// Counts `count` units that were spent at `at` (ms, monotonic).
    pub(super) fn insert(&mut self, at: u64, count: u64, limit: Option<u64>) {
        match self {
            // Spent a moment before midnight and seen after it: counted today, to be safe.
            Daily::Calendar { used, .. } => *used = used.saturating_add(count),
            Daily::Rolling(log) => log.insert(at, count, limit),
        }
    }

    /// Counts an overshoot of `count` units: it counts today, and again tomorrow.
    pub(super) fn carry(&mut self, at: u64, count: u64, limit: Option<u64>) {
        match self {
            Daily::Calendar { used, carried, .. } => {
                *used = used.saturating_add(count);
                let most = limit.unwrap_or(u64::MAX).saturating_mul(CARRIED_OVER);
                *carried = carried.saturating_add(count).min(most);
            }
            Daily::Rolling(log) => log.carry(at, count, limit),
        }
    }

    /// Takes back a unit that was spent at `at`, if that was in this day.
    pub(super) fn remove(&mut self, at: u64, limit: Option<u64>, now: Now) {
        match self {
            Daily::Calendar { day, used, .. } if now.wall_at(at) >= day.start => *used = used.saturating_sub(1),
            Daily::Calendar { .. } => {}
            Daily::Rolling(log) => log.remove(at, 1, limit),
        }
    }

    /// Units in the window.
    pub(super) fn count(&mut self, now: Now) -> u64 {
        match self {
            Daily::Calendar { used, .. } => *used,
            Daily::Rolling(log) => log.count(now.mono),
        }
    }

    /// When `units` of what it holds have left it (ms, monotonic); `None` if it doesn't hold so many.
    pub(super) fn frees(&self, units: u64, now: Now) -> Option<u64> {
        match self {
            Daily::Calendar { day, used, .. } => (units <= *used).then(|| now.mono_at(day.end)),
            Daily::Rolling(log) => log.frees(units),
        }
    }

    /// When the day is over, at the latest (ms, monotonic).
    pub(super) fn ends(&self, now: Now) -> u64 {
        match self {
            Daily::Calendar { day, .. } => now.mono_at(day.end),
            Daily::Rolling(_) => now.mono + Span::DAY.window_ms,
        }
    }

    /// Puts the window into a record.
    pub(super) fn save(&self, record: &mut CountRecord, now: Now) {
        match self {
            Daily::Calendar { day, used, carried, .. } => {
                (record.day_start, record.day_end) = (day.start, day.end);
                (record.used_today, record.carried) = (*used, *carried);
            }
            Daily::Rolling(log) => record.day_log = log.saved(now),
        }
    }
}
