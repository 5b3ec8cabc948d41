//! How long an upstream takes, as moving averages.

use std::time::Duration;

/// The weight of the newest measurement: the last ten or so count.
const NEWEST: f64 = 0.2;

/// Moving averages, in ms; `None` until the first success.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latency {
    first_token_ms: Option<f64>,
    duration_ms: Option<f64>,
}

impl Latency {
    /// Records one success.
    pub(super) fn record(&mut self, first_token: Option<Duration>, duration: Duration) {
        if let Some(first_token) = first_token {
            blend(&mut self.first_token_ms, first_token);
        }
        blend(&mut self.duration_ms, duration);
    }

    /// Returns (first token, whole exchange), in whole ms.
    pub(super) fn averages_ms(self) -> (Option<u64>, Option<u64>) {
        (self.first_token_ms.map(whole), self.duration_ms.map(whole))
    }
}

fn whole(ms: f64) -> u64 {
    ms.round() as u64
}

fn blend(average: &mut Option<f64>, newest: Duration) {
    let newest = newest.as_secs_f64() * 1_000.0;
    *average = Some(average.map_or(newest, |old| old + NEWEST * (newest - old)));
}
