//! How long an upstream takes, as a moving average.

use std::time::Duration;

/// The weight of the newest measurement: the last ten or so count.
const NEWEST: f64 = 0.2;

/// Nobody hangs who has been silent for less than this.
const LEAST_OVERDUE: Duration = Duration::from_secs(20);

/// Moving averages, in ms; `None` until the first success.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latency {
    first_token_ms: Option<f64>,
    duration_ms: Option<f64>,
}

impl Latency {
    /// Takes in one success.
    pub(super) fn record(&mut self, first_token: Option<Duration>, duration: Duration) {
        if let Some(first_token) = first_token {
            blend(&mut self.first_token_ms, first_token);
        }
        blend(&mut self.duration_ms, duration);
    }

    /// Is an attempt that took so long, and had no answer, one of an upstream that hangs? A client with little patience says nothing
    /// of that.
    pub(super) fn is_overdue(self, waited: Duration) -> bool {
        let usual = Duration::from_secs_f64(self.duration_ms.unwrap_or(0.0) / 1_000.0);
        waited >= LEAST_OVERDUE.max(usual * 4)
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
