//! The tokens that one upstream's answers took, as its statistics tell them. No clock: functions of the state and `now`.

use jiff::tz::TimeZone;

use quota::{Day, hour_start};

use super::messages::TokenReport;
use crate::persistence::TokenChange;
use crate::types::{ApiId, Moment, Now, TokenStats, Usage};

/// What an answer costs in tokens, as long as none was seen.
const TYPICAL_COMPLETION: u64 = 512;

/// The statistics of one upstream.
pub(super) struct Tally {
    zone: TimeZone,
    tokens: TokenStats,
    /// Tokens that an answer takes: a moving average, once one was seen.
    typical_completion: Option<u64>,
    /// The last one that was asked for.
    moment: Moment,
}

impl Tally {
    /// Takes up where the saved statistics left off.
    pub(super) fn restore(zone: TimeZone, mut tokens: TokenStats, now: Now) -> Tally {
        tokens.prune(now.wall);
        // Of no quarter of an hour that comes again.
        Tally { zone, tokens, typical_completion: None, moment: Moment { wall: i64::MIN, hour: 0, day: 0 } }
    }

    /// Tokens of an answer, as long as its request bounds none.
    pub(super) fn typical_completion(&self) -> u64 {
        self.typical_completion.unwrap_or(TYPICAL_COMPLETION)
    }

    /// An answer was served. Returns how the statistics changed.
    pub(super) fn count(&mut self, usage: Option<Usage>, now: Now) -> TokenChange {
        let at = self.moment(now);
        if let Some(Usage { completion, .. }) = usage {
            let before = self.typical_completion.unwrap_or(completion);
            self.typical_completion = Some(before.saturating_mul(7).saturating_add(completion).div_ceil(8));
        }
        self.tokens.record(usage, at);
        let (hour, day) = self.tokens.at(at);
        TokenChange::Grown { totals: self.tokens.totals, hour: (at.hour, hour), day: (at.day, day) }
    }

    /// For `/v1/token/stats`.
    pub(super) fn report(&mut self, api: ApiId, now: Now) -> TokenReport {
        self.tokens.prune(now.wall);
        let moment = self.moment(now);
        let (this_hour, today) = self.tokens.at(moment);
        TokenReport { api, this_hour, today, stats: self.tokens.clone() }
    }

    /// Hours and days begin with a quarter of an hour, in every zone: within one, they are known.
    fn moment(&mut self, now: Now) -> Moment {
        const QUARTER_MS: i64 = 900_000;
        if now.wall.div_euclid(QUARTER_MS) != self.moment.wall.div_euclid(QUARTER_MS) {
            self.moment.day = Day::containing(now.wall, &self.zone).start;
            self.moment.hour = hour_start(now.wall, &self.zone);
        }
        self.moment.wall = now.wall;
        self.moment
    }

    /// For `/v1/token/reset`.
    pub(super) fn reset(&mut self) {
        self.tokens = TokenStats::default();
    }
}
