//! Hours, days, weeks and months of a time zone. A day may have 23 or 25 hours.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

const HOUR_MS: i64 = 3_600_000;

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarUnit {
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From the midnight before Monday to the next.
    Week,
    /// From the midnight before the first to the next.
    Month,
}

/// One hour, day, week or month in one time zone, as wall times in ms since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarSpan {
    /// The beginning.
    pub start: i64,
    /// The end, which is the next beginning.
    pub end: i64,
}

impl CalendarSpan {
    /// Returns the hour, day, week or month of `wall` (ms since the Unix epoch) in `zone`.
    pub fn containing(wall: i64, unit: CalendarUnit, zone: &TimeZone) -> CalendarSpan {
        if unit == CalendarUnit::Hour {
            let start = hour_start(wall, zone);
            return CalendarSpan { start, end: start.saturating_add(HOUR_MS) };
        }
        let date = Timestamp::from_millisecond(wall).ok().map(|at| at.to_zoned(zone.clone()).date());
        let dates = date.and_then(|date| first_days(date, unit));
        let span = dates.and_then(|(first, next)| {
            let [start, end] = [first, next].map(|date| start_of(date, zone));
            Some(CalendarSpan { start: start?, end: end? })
        });
        // Unreachable for any clock between the years -9999 and 9999; a day of UTC is a fair answer beyond.
        span.unwrap_or_else(|| {
            let start = wall.div_euclid(24 * HOUR_MS).saturating_mul(24 * HOUR_MS);
            CalendarSpan { start, end: start.saturating_add(24 * HOUR_MS) }
        })
    }
}

/// Returns the first day of the unit with `date`, and the first day of the next.
fn first_days(date: Date, unit: CalendarUnit) -> Option<(Date, Date)> {
    let (first, length) = match unit {
        CalendarUnit::Hour | CalendarUnit::Day => (date, 1.day()),
        CalendarUnit::Week => {
            let since_monday = i64::from(date.weekday().to_monday_zero_offset());
            (date.checked_sub(since_monday.days()).ok()?, 1.week())
        }
        CalendarUnit::Month => (date.first_of_month(), 1.month()),
    };
    Some((first, first.checked_add(length).ok()?))
}

/// Returns the first moment of a day. Where a change of the clock skips midnight, the day begins later.
fn start_of(date: Date, zone: &TimeZone) -> Option<i64> {
    Some(date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?.timestamp().as_millisecond())
}

/// Returns the beginning of the hour of `wall` in `zone`. (Some zones are off by half an hour.)
pub fn hour_start(wall: i64, zone: &TimeZone) -> i64 {
    let offset = Timestamp::from_millisecond(wall).map_or(0, |t| i64::from(zone.to_offset(t).seconds()) * 1_000);
    (wall + offset).div_euclid(HOUR_MS) * HOUR_MS - offset
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(at: &str, unit: CalendarUnit, zone: &str) -> (i64, String) {
        let zone = TimeZone::get(zone).expect("a zone of the database");
        let wall = at.parse::<Timestamp>().expect("a timestamp").as_millisecond();
        let span = CalendarSpan::containing(wall, unit, &zone);
        assert!((span.start..span.end).contains(&wall));
        let start = Timestamp::from_millisecond(span.start).expect("in range");
        ((span.end - span.start) / HOUR_MS, start.to_string())
    }

    #[test]
    fn days_have_23_24_and_25_hours() {
        let day = |at, zone| span(at, CalendarUnit::Day, zone);
        assert_eq!(day("2026-03-08T20:00:00Z", "America/Los_Angeles"), (23, "2026-03-08T08:00:00Z".into()));
        assert_eq!(day("2026-11-01T20:00:00Z", "America/Los_Angeles"), (25, "2026-11-01T07:00:00Z".into()));
        assert_eq!(day("2026-11-23T20:00:00Z", "Asia/Shanghai"), (24, "2026-11-23T16:00:00Z".into()));
        // This day has no midnight, and begins at one.
        assert_eq!(day("2026-09-06T12:00:00Z", "America/Santiago"), (23, "2026-09-06T04:00:00Z".into()));
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let week = |at, zone| span(at, CalendarUnit::Week, zone);
        // 2026-11-29 is a Sunday.
        assert_eq!(week("2026-11-29T23:59:59Z", "UTC"), (168, "2026-11-23T00:00:00Z".into()));
        assert_eq!(week("2026-11-30T00:00:00Z", "UTC"), (168, "2026-11-30T00:00:00Z".into()));
        assert_eq!(week("2026-11-01T12:00:00Z", "America/Los_Angeles"), (169, "2026-10-26T07:00:00Z".into()));
        let month = |at, zone| span(at, CalendarUnit::Month, zone);
        assert_eq!(month("2028-02-29T12:00:00Z", "UTC"), (29 * 24, "2028-02-01T00:00:00Z".into()));
        assert_eq!(month("2026-03-31T23:00:00Z", "Europe/Berlin"), (30 * 24, "2026-03-31T22:00:00Z".into()));
        assert_eq!(month("2026-12-31T23:59:59Z", "UTC"), (31 * 24, "2026-12-01T00:00:00Z".into()));
    }

    #[test]
    fn hours_begin_where_the_zone_says() {
        let hour = |at, zone| span(at, CalendarUnit::Hour, zone);
        assert_eq!(hour("2026-11-23T06:10:00Z", "Asia/Kolkata"), (1, "2026-11-23T05:30:00Z".into()));
        // The hour from one to two comes twice on this day.
        assert_eq!(hour("2026-11-01T08:59:00Z", "America/Los_Angeles"), (1, "2026-11-01T08:00:00Z".into()));
        assert_eq!(hour("2026-11-01T09:01:00Z", "America/Los_Angeles"), (1, "2026-11-01T09:00:00Z".into()));
    }
}
