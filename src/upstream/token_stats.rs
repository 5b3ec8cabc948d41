//! The tokens of one upstream's answers, for the statistics. No clock: functions of the state and `now`.

use jiff::tz::TimeZone;

use quota::{CalendarSpan, CalendarUnit, hour_start};

use super::messages::TokenReport;
use crate::persistence::TokenChange;
use crate::types::{ApiId, Moment, Now, TokenStats, Usage};

/// The tokens of an answer before any was seen.
const DEFAULT_COMPLETION: u64 = 512;

/// The statistics of one upstream.
pub(super) struct TokenStatsRecorder {
    zone: TimeZone,
    tokens: TokenStats,
    /// The tokens of an answer, as a moving average.
    average_completion: Option<u64>,
    /// The last moment asked for.
    moment: Moment,
}

impl TokenStatsRecorder {
    /// Creates a recorder with the saved statistics.
    pub(super) fn restore(zone: TimeZone, mut tokens: TokenStats, now: Now) -> TokenStatsRecorder {
        tokens.prune(now.wall);
        // In no quarter of an hour to come.
        TokenStatsRecorder {
            zone,
            tokens,
            average_completion: None,
            moment: Moment { wall: i64::MIN, hour: 0, day: 0 },
        }
    }

    /// Returns the tokens of an answer to a request without a bound.
    pub(super) fn average_completion_tokens(&self) -> u64 {
        self.average_completion.unwrap_or(DEFAULT_COMPLETION)
    }

    /// Records an answer. Returns the change of the statistics.
    pub(super) fn count(&mut self, usage: Option<Usage>, now: Now) -> TokenChange {
        if let Some(Usage { completion, .. }) = usage.and_then(Usage::of_tokens) {
            let before = self.average_completion.unwrap_or(completion);
            self.average_completion = Some(before.saturating_mul(7).saturating_add(completion).div_ceil(8));
        }
        self.record(usage, now)
    }

    /// Records what was used beside the answers, and says nothing of their length. Returns the change of the statistics.
    pub(super) fn count_beside(&mut self, usage: Usage, now: Now) -> TokenChange {
        self.record(Some(usage), now)
    }

    fn record(&mut self, usage: Option<Usage>, now: Now) -> TokenChange {
        let at = self.moment(now);
        self.tokens.record(usage, at);
        let (hour, day) = self.tokens.at(at);
        TokenChange::Grown { totals: self.tokens.totals, hour: (at.hour, hour), day: (at.day, day) }
    }

    /// Returns the report for `/v1/token/stats`.
    pub(super) fn report(&mut self, api: ApiId, now: Now) -> TokenReport {
        self.tokens.prune(now.wall);
        let moment = self.moment(now);
        let (this_hour, today) = self.tokens.at(moment);
        TokenReport { api, this_hour, today, stats: self.tokens.clone() }
    }

    /// Returns the hour and the day of `now`. Both begin with a quarter of an hour, in every zone.
    fn moment(&mut self, now: Now) -> Moment {
        const QUARTER_MS: i64 = 900_000;
        if now.wall.div_euclid(QUARTER_MS) != self.moment.wall.div_euclid(QUARTER_MS) {
            self.moment.day = CalendarSpan::containing(now.wall, CalendarUnit::Day, &self.zone).start;
            self.moment.hour = hour_start(now.wall, &self.zone);
        }
        self.moment.wall = now.wall;
        self.moment
    }

    /// Resets the statistics, for `/v1/token/reset`.
    pub(super) fn reset(&mut self) {
        self.tokens = TokenStats::default();
    }
}
