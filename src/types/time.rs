//! Times in texts.

use jiff::Timestamp;

/// Returns ms since the Unix epoch as ISO 8601 in UTC, to the millisecond: `2026-11-23T02:22:37.000Z`.
pub fn iso(millis: i64) -> String {
    let at = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Returns a time for people, in UTC, to the nearest second: `01:16:51Z`, with the date if that is not the date of `now`. Both in ms
/// since the Unix epoch. Times by two clocks differ by a millisecond, so a cut would tell 00:29:59 of half past.
pub fn clock_time(millis: i64, now: i64) -> String {
    const DAY_MS: i64 = 86_400_000;
    let millis = millis.saturating_add(500).div_euclid(1_000).saturating_mul(1_000);
    let at = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    let format = if millis.div_euclid(DAY_MS) == now.div_euclid(DAY_MS) { "%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_of_another_day_has_its_date() {
        assert_eq!(super::clock_time(1_704_110_400_000, 1_704_110_000_000), "12:00:00Z");
        assert_eq!(super::clock_time(1_704_110_400_000, 1_703_000_000_000), "2024-01-01T12:00:00Z");
        assert_eq!(super::clock_time(1_704_110_400_000, 1_704_064_000_000), "2024-01-01T12:00:00Z", "next noon");
    }

    #[test]
    fn a_time_for_people_is_that_of_the_nearest_second() {
        for (millis, text) in [(-1, "12:00:00Z"), (1, "12:00:00Z"), (499, "12:00:00Z"), (500, "12:00:01Z")] {
            assert_eq!(super::clock_time(1_704_110_400_000 + millis, 1_704_110_000_000), text, "{millis}");
        }
        assert_eq!(super::clock_time(1_704_067_199_999, 1_704_060_000_000), "2024-01-01T00:00:00Z", "the next day");
    }

    #[test]
    fn times_have_milliseconds_and_a_z() {
        assert_eq!(super::iso(1_704_110_400_000), "2024-01-01T12:00:00.000Z");
        assert_eq!(super::iso(1_704_110_400_007), "2024-01-01T12:00:00.007Z");
    }
}
