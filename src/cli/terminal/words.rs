//! Numbers and times in words.

/// Returns a count with its noun: `1 model`, `3 models`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let many = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{many}")
}

/// Returns how long, in its largest units: `35 s`, `4 min`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn span(ms: u64) -> String {
    let s = ms.div_ceil(1_000);
    let two = |large: u64, of: &str, small: u64, unit: &str| match small {
        0 => format!("{large} {of}"),
        small => format!("{large} {of} {small} {unit}"),
    };
    match s {
        0..100 => format!("{s} s"),
        100..3_600 => two(s / 60, "min", s % 60, "s"),
        3_600..86_400 => two(s / 3_600, "h", s % 3_600 / 60, "min"),
        _ => two(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!([0, 1, 2].map(|n| count(n, "API")), ["0 APIs", "1 API", "2 APIs"]);
        let spans = [0, 1, 35_000, 240_000, 7_500_000, 273_600_000].map(span);
        assert_eq!(spans, ["0 s", "1 s", "35 s", "4 min", "2 h 5 min", "3 d 4 h"]);
    }
}
