//! Calendar days and hours of a time zone. A day may have 23 or 25 hours.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// One calendar day in one time zone, as wall times in ms since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// The midnight at its beginning.
    pub start: i64,
    /// The midnight at its end.
    pub end: i64,
}

impl Day {
    /// Returns the day of `wall` (ms since the Unix epoch) in `zone`.
    pub fn containing(wall: i64, zone: &TimeZone) -> Day {
        let bounds = Timestamp::from_millisecond(wall).ok().and_then(|t| bounds(&t.to_zoned(zone.clone())));
        // Unreachable for any clock between the years -9999 and 9999; a day of UTC is a fair answer beyond.
        bounds.unwrap_or_else(|| {
            let start = wall.div_euclid(86_400_000).saturating_mul(86_400_000);
            Day { start, end: start.saturating_add(86_400_000) }
        })
    }
}

fn bounds(at: &Zoned) -> Option<Day> {
    let start = at.start_of_day().ok()?;
    let end = start.tomorrow().ok()?.start_of_day().ok()?;
    Some(Day { start: start.timestamp().as_millisecond(), end: end.timestamp().as_millisecond() })
}

/// Returns the beginning of the hour of `wall` in `zone`. (Some zones are off by half an hour.)
pub fn hour_start(wall: i64, zone: &TimeZone) -> i64 {
    const HOUR_MS: i64 = 3_600_000;
    let offset = Timestamp::from_millisecond(wall).map_or(0, |t| i64::from(zone.to_offset(t).seconds()) * 1_000);
    (wall + offset).div_euclid(HOUR_MS) * HOUR_MS - offset
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(at: &str, zone: &str) -> (i64, String) {
        let zone = TimeZone::get(zone).expect("a zone of the database");
        let wall = at.parse::<Timestamp>().expect("a timestamp").as_millisecond();
        let day = Day::containing(wall, &zone);
        let start = Timestamp::from_millisecond(day.start).expect("in range");
        ((day.end - day.start) / 3_600_000, start.to_string())
    }

    #[test]
    fn days_have_23_24_and_25_hours() {
        assert_eq!(day("2026-03-08T20:00:00Z", "America/Los_Angeles"), (23, "2026-03-08T08:00:00Z".into()));
        assert_eq!(day("2026-11-01T20:00:00Z", "America/Los_Angeles"), (25, "2026-11-01T07:00:00Z".into()));
        assert_eq!(day("2026-11-23T20:00:00Z", "Asia/Shanghai"), (24, "2026-11-23T16:00:00Z".into()));
        // This day has no midnight, and begins at one.
        assert_eq!(day("2026-09-06T12:00:00Z", "America/Santiago"), (23, "2026-09-06T04:00:00Z".into()));
    }

    #[test]
    fn hours_begin_where_the_zone_says() {
        let zone = TimeZone::get("Asia/Kolkata").expect("a zone of the database");
        let at = "2026-11-23T06:10:00Z".parse::<Timestamp>().expect("a timestamp").as_millisecond();
        let start = Timestamp::from_millisecond(hour_start(at, &zone)).expect("in range");
        assert_eq!(start.to_string(), "2026-11-23T05:30:00Z");
    }
}
