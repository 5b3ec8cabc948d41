//! What becomes of a limit if its use goes on as before.

/// The shortest time that a rate is taken over (ms): the first requests of a period say little of the rest.
const SHORTEST_MS: i64 = 300_000;

/// A shorter time, in parts of a short period.
const PARTS: i64 = 12;

const HOUR_MS: f64 = 3_600_000.0;

/// The rate of use, and what follows. Times are ms since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Units an hour.
    pub rate_per_hour: f64,
    /// When the limit is spent at this rate; `None` if units come free before.
    pub exhausted_at: Option<i64>,
    /// When units come free: all at the end of a calendar period, the first ones of a rolling period.
    pub frees_at: i64,
}

impl Forecast {
    /// Returns the forecast of a limit with `used` of `bound` units at `now`; `None` where nothing was used. `since`: when the first
    /// of the used units may have been used. `frees_at`: when units come free.
    pub(crate) fn of([used, bound]: [u64; 2], [since, now, frees_at]: [i64; 3]) -> Option<Forecast> {
        if used == 0 {
            return None;
        }
        let shortest = SHORTEST_MS.min(frees_at.saturating_sub(since) / PARTS).max(1);
        let elapsed = now.saturating_sub(since).max(shortest);
        let rate = used as f64 / elapsed as f64;
        let left = (bound.saturating_sub(used) as f64 / rate).ceil();
        let spent_at = now.saturating_add(left as i64);
        let exhausted_at = Some(spent_at).filter(|at| used >= bound || *at < frees_at);
        Some(Forecast { rate_per_hour: rate * HOUR_MS, exhausted_at, frees_at })
    }

    /// Returns the forecast of a limit that a pace keeps from being spent before `at`.
    #[must_use]
    pub(crate) fn not_before(self, at: i64) -> Forecast {
        Forecast { exhausted_at: self.exhausted_at.map(|spent| spent.max(at)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    fn at(used: u64, now: i64) -> Option<Forecast> {
        Forecast::of([used, 1_000], [0, now, DAY])
    }

    #[test]
    fn a_limit_is_spent_at_the_rate_of_its_period_so_far() {
        let forecast = |exhausted_at, rate_per_hour| Some(Forecast { rate_per_hour, exhausted_at, frees_at: DAY });
        assert_eq!(at(0, 6 * HOUR), None, "nothing was used");
        assert_eq!(at(500, 6 * HOUR).map(|of| of.exhausted_at), Some(Some(12 * HOUR)));
        assert_eq!(at(240, 6 * HOUR), forecast(None, 40.0), "it lasts for the day");
        assert_eq!(at(1_000, 10 * HOUR), forecast(Some(10 * HOUR), 100.0), "it is spent");
        assert_eq!(at(1_200, 10 * HOUR), forecast(Some(10 * HOUR), 120.0));
    }

    #[test]
    fn the_first_requests_of_a_period_are_no_rate() {
        assert_eq!(at(10, 1).map(|of| of.rate_per_hour.round()), Some(120.0));
        let short = Forecast::of([10, 100], [0, 1, 600_000]);
        assert_eq!(short.map(|of| of.rate_per_hour.round()), Some(720.0), "a period of ten minutes");
    }

    #[test]
    fn a_clock_set_back_and_the_largest_amounts_make_no_nonsense() {
        assert!(at(5, -DAY).is_some_and(|of| of.rate_per_hour > 0.0));
        let largest = Forecast::of([1, u64::MAX], [0, i64::MAX - 1, i64::MAX]);
        assert_eq!(largest.and_then(|of| of.exhausted_at), None);
        assert!(Forecast::of([u64::MAX, u64::MAX], [0, 0, 0]).is_some_and(|of| of.rate_per_hour.is_finite()));
    }
}
