//! Times as people and programs read them.

use jiff::Timestamp;

/// ms since the Unix epoch as ISO 8601 in UTC, to the millisecond: `2026-11-23T02:22:37.000Z`.
pub fn iso(millis: i64) -> String {
    let at = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_have_milliseconds_and_a_z() {
        assert_eq!(super::iso(1_704_110_400_000), "2024-01-01T12:00:00.000Z");
        assert_eq!(super::iso(1_704_110_400_007), "2024-01-01T12:00:00.007Z");
    }
}
