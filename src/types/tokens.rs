//! Token statistics of one upstream: totals, the last 48 hours by the hour, and a year by the day.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Usage, UsageSource};

/// How long hours are kept.
pub const HOURS_KEPT_MS: i64 = 48 * 3_600_000;

/// How long days are kept.
pub const DAYS_KEPT_MS: i64 = 366 * 86_400_000;

/// Counts since the first request, or since the last reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenTotals {
    /// Tokens in all.
    pub total_tokens: u64,
    /// Tokens in prompts.
    pub prompt_tokens: u64,
    /// Generated tokens.
    pub completion_tokens: u64,
    /// The estimated part of the total.
    pub estimated_tokens: u64,
    /// Served exchanges.
    pub requests: u64,
    /// The end of the last exchange, in ms since the Unix epoch.
    pub last_used: Option<i64>,
}

/// A wall time, with the begin of the hour and of the day; all in ms since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub wall: i64,
    /// The start of the hour.
    pub hour: i64,
    /// Midnight before.
    pub day: i64,
}

/// The statistics of one upstream. The key of an hour or a day is the wall time (ms) of the begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenStats {
    /// Since the beginning.
    pub totals: TokenTotals,
    /// Tokens by the hour.
    pub hours: BTreeMap<i64, u64>,
    /// Tokens by the day.
    pub days: BTreeMap<i64, u64>,
}

impl TokenStats {
    /// Counts one served exchange with this end.
    pub fn record(&mut self, usage: Option<Usage>, Moment { wall, hour, day }: Moment) {
        self.totals.requests += 1;
        self.totals.last_used = Some(wall);
        if let Some(usage) = usage {
            let totals = &mut self.totals;
            totals.total_tokens = totals.total_tokens.saturating_add(usage.total);
            totals.prompt_tokens = totals.prompt_tokens.saturating_add(usage.prompt);
            totals.completion_tokens = totals.completion_tokens.saturating_add(usage.completion);
            if usage.source == UsageSource::Estimated {
                totals.estimated_tokens = totals.estimated_tokens.saturating_add(usage.total);
            }
        }
        let tokens = usage.map_or(0, |usage| usage.total);
        // What is too old is looked for when a new hour begins.
        if !self.hours.contains_key(&hour) {
            self.prune(wall);
        }
        for (buckets, start) in [(&mut self.hours, hour), (&mut self.days, day)] {
            let bucket = buckets.entry(start).or_default();
            *bucket = bucket.saturating_add(tokens);
        }
    }

    /// Returns the tokens of the hour and of the day.
    pub fn at(&self, Moment { hour, day, .. }: Moment) -> (u64, u64) {
        let of = |buckets: &BTreeMap<i64, u64>, start| buckets.get(&start).copied().unwrap_or_default();
        (of(&self.hours, hour), of(&self.days, day))
    }

    /// Forgets hours and days too old at `wall`.
    pub fn prune(&mut self, wall: i64) {
        self.hours = self.hours.split_off(&(wall - HOURS_KEPT_MS));
        self.days = self.days.split_off(&(wall - DAYS_KEPT_MS));
    }
}
