//! When a key ends: after a day, or at a moment.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use quota::Reset;

/// Returns the end in ms since the Unix epoch. A day counts to its end, in the zone of the key's `reset`.
pub(super) fn parse(typed: &str, reset: &Reset) -> Option<i64> {
    if typed.len() > DATE_LEN {
        return typed.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    }
    let zone = match reset {
        Reset::Midnight(zone) => zone.clone(),
        Reset::LocalMidnight | Reset::Rolling => TimeZone::system(),
    };
    let next = Date::strptime("%Y-%m-%d", typed).ok()?.tomorrow().ok()?;
    Some(next.to_zoned(zone).ok()?.timestamp().as_millisecond())
}

/// Of `2027-03-01`.
const DATE_LEN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_of_the_keys_zone_and_a_moment_is_a_moment() {
        let berlin = Reset::Midnight(TimeZone::get("Europe/Berlin").expect("a zone"));
        for (typed, end) in [
            ("2027-03-01", Some("2027-03-01T23:00:00Z")),
            ("2027-12-31", Some("2027-12-31T23:00:00Z")),
            ("2027-03-01T12:00:00Z", Some("2027-03-01T12:00:00Z")),
            ("2027-03-01T12:00:00+02:00", Some("2027-03-01T10:00:00Z")),
            ("2027-03-01T12:00:00", None),
            ("2027-02-30", None),
            ("tomorrow", None),
            ("2027-3", None),
            ("", None),
            ("9999-12-31", None),
        ] {
            let end = end.map(|end| end.parse::<Timestamp>().expect("a time").as_millisecond());
            assert_eq!(parse(typed, &berlin), end, "{typed}");
        }
    }
}
