//! How long an upstream takes, as a moving average, and when it last answered.

use std::time::Duration;

use crate::types::Now;

/// The weight of the newest measurement: the last ten or so count.
const NEWEST: f64 = 0.2;

/// Nobody hangs who has been silent for less than this.
const LEAST_OVERDUE: Duration = Duration::from_secs(20);

/// Moving averages, in ms; `None` until the first success.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latency {
    first_token_ms: Option<f64>,
    duration_ms: Option<f64>,
    /// When it last answered somebody, or an answer of its ended well (ms, monotonic).
    answered_at: Option<u64>,
}

impl Latency {
    /// Takes in one success.
    pub(super) fn record(&mut self, first_token: Option<Duration>, duration: Duration) {
        if let Some(first_token) = first_token {
            blend(&mut self.first_token_ms, first_token);
        }
        blend(&mut self.duration_ms, duration);
    }

    /// It answered somebody, be it not to the end yet. (That is told in no order.)
    pub(super) fn answered(&mut self, at: Now) {
        self.answered_at = self.answered_at.max(Some(at.mono));
    }

    /// Has it answered anybody since then (ms, monotonic)?
    pub(super) fn answered_since(self, then: u64) -> bool {
        self.answered_at.is_some_and(|at| at > then)
    }

    /// Is an attempt that took so long, and had no answer, one of an upstream that hangs? A client with little patience says nothing
    /// of that, and one whose request takes long says nothing of an upstream that answered others meanwhile.
    pub(super) fn is_overdue(self, waited: Duration, now: Now) -> bool {
        let usual = Duration::from_secs_f64(self.duration_ms.unwrap_or(0.0) / 1_000.0);
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        !self.answered_since(now.mono.saturating_sub(waited_ms)) && waited >= LEAST_OVERDUE.max(usual * 4)
    }

    /// (first token, whole exchange), in whole ms.
    pub(super) fn averages_ms(self) -> (Option<u64>, Option<u64>) {
        let whole = |ms: Option<f64>| ms.map(|ms| ms.round() as u64);
        (whole(self.first_token_ms), whole(self.duration_ms))
    }
}

fn blend(average: &mut Option<f64>, newest: Duration) {
    let newest = newest.as_secs_f64() * 1_000.0;
    *average = Some(average.map_or(newest, |old| old + NEWEST * (newest - old)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answered_others_meanwhile_does_not_hang() {
        let at = |secs: u64| Now { mono: secs * 1_000, wall: 0 };
        let mut latency = Latency::default();
        assert!(latency.is_overdue(LEAST_OVERDUE, at(30)), "it has never answered");
        latency.record(None, Duration::from_secs(1));
        latency.answered(at(10));
        latency.answered(at(9));
        for (waited, now, hangs) in [(20, 30, true), (21, 30, false), (19, 60, false), (600, 609, false)] {
            assert_eq!(latency.is_overdue(Duration::from_secs(waited), at(now)), hangs, "{waited} s until {now}");
        }
        latency.record(None, Duration::from_secs(26));
        assert!(!latency.is_overdue(Duration::from_secs(23), at(200)), "that is not four times the usual 6 s");
        assert!(latency.is_overdue(Duration::from_secs(24), at(200)));
    }
}
