//! The requests of a day: from midnight to midnight somewhere, or of any 24 hours.

use jiff::tz::TimeZone;

use super::day::Day;
use super::window::{SlidingLog, Span};
use crate::config::Reset;
use crate::persistence::QuotaRecord;
use crate::types::Now;

/// The daily window of one upstream.
#[derive(Debug)]
pub(super) enum Daily {
    /// Begins anew at midnight in this zone.
    Calendar { zone: TimeZone, day: Day, used: u32 },
    /// A request counts for 24 hours.
    Rolling(SlidingLog),
}

impl Daily {
    /// Opens the window as `record` left it. `newest_wall` is the largest wall time ever seen; what was `granted` may
    /// have been sent just now.
    pub(super) fn restore(reset: &Reset, record: Option<&QuotaRecord>, newest_wall: i64, now: Now) -> Daily {
        let mut daily = Daily::empty(reset, newest_wall);
        let Some(record) = record else { return daily };
        match &mut daily {
            Daily::Calendar { day, used, .. } => {
                // Under another reset, a day that is not over counts as a whole, and a log from midnight on.
                let today = record.day_start == day.start || record.day_end > newest_wall;
                let counted = if today { record.used_today } else { 0 };
                let logged = record.day_log.iter().filter(|(wall, _)| *wall >= day.start).map(|(_, count)| count);
                *used = counted.saturating_add(logged.sum());
            }
            Daily::Rolling(log) => {
                for &(wall, count) in &record.day_log {
                    log.insert(now.mono_at(wall.min(now.wall)), count, None);
                }
                // Under another reset, when the requests of a day were sent is not known any more: just now, at worst.
                if record.day_end.saturating_add(Span::DAY.window_ms as i64) > newest_wall {
                    log.insert(now.mono, record.used_today, None);
                }
            }
        }
        daily.insert(now.mono, record.granted, None);
        daily
    }

    fn empty(reset: &Reset, newest_wall: i64) -> Daily {
        let calendar = |zone: TimeZone| {
            let day = Day::containing(newest_wall, &zone);
            Daily::Calendar { zone, day, used: 0 }
        };
        match reset {
            Reset::Midnight(zone) => calendar(zone.clone()),
            Reset::LocalMidnight => calendar(TimeZone::system()),
            Reset::Rolling => Daily::Rolling(SlidingLog::new(Span::DAY)),
        }
    }

    /// Turns the day, if it is over.
    pub(super) fn advance(&mut self, newest_wall: i64) {
        if let Daily::Calendar { zone, day, used } = self
            && newest_wall >= day.end
        {
            *day = Day::containing(newest_wall, zone);
            *used = 0;
        }
    }

    /// Counts `count` requests that were written at `at` (ms, monotonic).
    pub(super) fn insert(&mut self, at: u64, count: u32, limit: Option<u32>) {
        match self {
            // Written a moment before midnight and seen after it: counted today, to be safe.
            Daily::Calendar { used, .. } => *used = used.saturating_add(count),
            Daily::Rolling(log) => log.insert(at, count, limit),
        }
    }

    /// Requests in the window.
    pub(super) fn count(&mut self, now: Now) -> u32 {
        match self {
            Daily::Calendar { used, .. } => *used,
            Daily::Rolling(log) => log.count(now.mono),
        }
    }

    /// When `units` of what it holds have left it (ms, monotonic); `None` if it doesn't hold so many.
    pub(super) fn frees(&self, units: u32, now: Now) -> Option<u64> {
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
    pub(super) fn save(&self, record: &mut QuotaRecord, now: Now) {
        match self {
            Daily::Calendar { day, used, .. } => {
                (record.day_start, record.day_end, record.used_today) = (day.start, day.end, *used);
            }
            Daily::Rolling(log) => {
                record.day_log = log.coarse_entries().into_iter().map(|(at, n)| (now.wall_at(at), n)).collect();
            }
        }
    }
}
