//! The rest of a limit on requests, for clients.

/// The requests left by the pool's limits for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitSummary {
    /// The sum of the limits.
    pub limit: u64,
    /// The requests left now.
    pub remaining: u64,
    /// How long until all of `limit` is left again, if nobody asks (ms).
    pub reset_ms: u64,
}

impl RateLimitSummary {
    /// Returns a key to order limits, the tightest first.
    pub fn tightness(&self) -> (u64, u64) {
        (self.remaining, self.limit)
    }

    /// Returns the sum of both.
    pub(crate) fn plus(self, other: RateLimitSummary) -> RateLimitSummary {
        RateLimitSummary {
            limit: self.limit.saturating_add(other.limit),
            remaining: self.remaining.saturating_add(other.remaining),
            reset_ms: self.reset_ms.max(other.reset_ms),
        }
    }

    /// Returns the reset in OpenAI's form: `17ms`, `7.66s`, `6m0s`, `1h2m3s`. From a minute on, seconds are rounded up.
    pub fn reset(&self) -> String {
        let ms = if self.reset_ms < 60_000 { self.reset_ms } else { self.reset_ms.div_ceil(1_000) * 1_000 };
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        match ms {
            0..1_000 => format!("{ms}ms"),
            1_000..60_000 => format!("{}s", f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1_000.0),
            60_000..3_600_000 => format!("{minutes}m{seconds}s"),
            _ => format!("{hours}h{minutes}m{seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_are_written_as_openai_writes_them() {
        for (reset_ms, written) in [
            (0, "0ms"),
            (17, "17ms"),
            (7_660, "7.66s"),
            (59_000, "59s"),
            (360_000, "6m0s"),
            (60_001, "1m1s"),
            (86_399_999, "24h0m0s"),
        ] {
            assert_eq!(RateLimitSummary { limit: 1, remaining: 0, reset_ms }.reset(), written);
        }
    }
}
