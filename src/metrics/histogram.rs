//! Counts of durations by bounds.

use std::time::Duration;

/// The bounds of durations that upstreams decide, in seconds.
pub const WAIT_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// The bounds of our own share, in seconds.
pub const ADDED_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1];

/// How many durations were below each bound. One writer.
#[derive(Debug, Clone)]
pub struct Histogram {
    bounds: &'static [f64],
    /// By bound, each without the ones below; the last is for all beyond.
    counts: Vec<u64>,
    sum: Duration,
}

impl Histogram {
    /// Creates an empty histogram with these bounds, in ascending order.
    pub fn new(bounds: &'static [f64]) -> Histogram {
        Histogram { bounds, counts: vec![0; bounds.len() + 1], sum: Duration::ZERO }
    }

    /// Counts one duration. A bound includes durations of just its length.
    pub fn record(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let place = self.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(self.bounds.len());
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(duration);
    }

    /// Returns each bound with the number of durations up to it.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        self.bounds.iter().zip(&self.counts).scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((*bound, *sum))
        })
    }

    /// Returns the number of all durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the sum of all durations, in seconds.
    pub fn sum_seconds(&self) -> f64 {
        self.sum.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_at_its_bound_and_all_above() {
        let mut histogram = Histogram::new(&[0.1, 1.0]);
        for ms in [100, 101, 1_000, 5_000] {
            histogram.record(Duration::from_millis(ms));
        }
        assert_eq!(histogram.cumulative().collect::<Vec<_>>(), [(0.1, 1), (1.0, 3)]);
        assert_eq!((histogram.count(), histogram.sum_seconds()), (4, 6.201));
    }

    #[test]
    fn the_bounds_ascend() {
        for bounds in [WAIT_SECONDS, ADDED_SECONDS] {
            assert!(bounds.is_sorted_by(|a, b| a < b));
        }
        assert_eq!(WAIT_SECONDS.len(), 12);
    }
}
