//! The decisions of one upstream, from its parts: may an attempt go out, and what does its end mean?
//! No actix, no clock: functions of the state, the input and `now`.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::absent::AbsentModels;
use super::breaker::Breaker;
use super::cooldown::Cooldown;
use super::day::{Day, hour_start};
use super::lane::Way;
use super::latency::Latency;
use super::messages::{ApiStatus, QuotaStatus, Refusal, TokenReport};
use super::quota::Spent;
use crate::config::{ApiConfig, CountOn};
use crate::persistence::TokenChange;
use crate::types::{Failure, FailureClass, Moment, Now, Outcome, Phase, Profile, Settlement, TokenStats, Usage};

/// What an answer costs in tokens, as long as none was seen.
const TYPICAL_COMPLETION: u64 = 512;

/// All that an upstream's actor owns, but for its quotas.
pub(super) struct State {
    pub(super) config: Arc<ApiConfig>,
    zone: TimeZone,
    breaker: Breaker,
    cooldown: Cooldown,
    pub(super) absent: AbsentModels,
    latency: Latency,
    tokens: TokenStats,
    /// Tokens that an answer takes: a moving average, once one was seen.
    typical_completion: Option<u64>,
    in_flight: u32,
    errors_in_a_row: u32,
    last_failure: Option<(i64, FailureClass, String)>,
    retired: bool,
    /// The last one that was asked for.
    moment: Moment,
}

/// What is to be known of the end of an attempt, besides how it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    /// Was it the probe of a rest that was over?
    pub(super) probe: bool,
    /// When it ended.
    pub(super) now: Now,
}

impl State {
    /// Takes up where the saved statistics left off.
    pub(super) fn restore(config: Arc<ApiConfig>, zone: TimeZone, mut tokens: TokenStats, now: Now) -> State {
        tokens.prune(now.wall);
        State {
            config,
            zone,
            breaker: Breaker::default(),
            cooldown: Cooldown::default(),
            absent: AbsentModels::default(),
            latency: Latency::default(),
            tokens,
            typical_completion: None,
            in_flight: 0,
            errors_in_a_row: 0,
            last_failure: None,
            retired: false,
            // Of no quarter of an hour that comes again.
            moment: Moment { wall: i64::MIN, hour: 0, day: 0 },
        }
    }

    /// What a request may cost here, in tokens.
    pub(super) fn demand(&self, profile: &Profile) -> u64 {
        profile.demand.tokens(self.typical_completion())
    }

    /// An attempt goes out. Returns whether it is the probe of a rest that is over.
    pub(super) fn admitted(&mut self) -> bool {
        self.joined();
        // Not `||`: both are to know.
        self.breaker.enter() | self.cooldown.enter()
    }

    /// An attempt went out through a lane, which no probe does.
    pub(super) fn joined(&mut self) {
        self.in_flight += 1;
    }

    /// Which way the next attempts are to go.
    pub(super) fn way(&self, now: Now) -> Way {
        match self.health(now) {
            Ok(()) if self.breaker.is_closed() && self.cooldown.is_over() => Way::Open,
            Ok(()) => Way::AskFrom(now.mono),
            Err(refusal) => Way::AskFrom(refusal.until().unwrap_or(u64::MAX)),
        }
    }

    /// Tokens of an answer, as long as its request bounds none.
    pub(super) fn typical_completion(&self) -> u64 {
        self.typical_completion.unwrap_or(TYPICAL_COMPLETION)
    }

    /// May it be asked for this model (by its own name)? `last_resort`: nobody else can serve it.
    pub(super) fn may_serve(&self, model: &str, last_resort: bool, now: Now) -> Result<(), Refusal> {
        if let Some(until) = self.absent.until(model, now) {
            return Err(Refusal::ModelNotFound { until });
        }
        match self.health(now) {
            Err(Refusal::BreakerOpen { .. }) if last_resort && self.breaker.may_be_the_last(now) => Ok(()),
            health => health,
        }
    }

    /// May it be asked at all?
    pub(super) fn health(&self, now: Now) -> Result<(), Refusal> {
        if self.retired {
            return Err(Refusal::Retiring);
        }
        if !self.config.enabled {
            return Err(Refusal::Disabled);
        }
        self.cooldown.check(now).map_err(|(until, reason)| Refusal::CoolingDown { until, reason })?;
        self.breaker.check(now).map_err(|until| Refusal::BreakerOpen { until })
    }

    /// How an attempt counts that ended thus.
    pub(super) fn spent(&self, settlement: &Settlement) -> Spent {
        let failed = match &settlement.outcome {
            Outcome::Failed(failure) => Some(failure),
            Outcome::Completed | Outcome::ClientClosed | Outcome::Abandoned => None,
        };
        let turned_away = failed.is_some_and(Failure::takes_no_tokens);
        let accepted = failed.is_none_or(|failure| failure.class != FailureClass::RateLimited);
        Spent {
            counts: accepted || self.config.count_on == CountOn::Attempt,
            tokens: settlement.usage.map(|usage| usage.total).or(turned_away.then_some(0)),
        }
    }

    /// Takes in how an attempt ended. Returns how the statistics changed, if they did. `day_ends` tells when a day's limit begins
    /// anew (ms, monotonic).
    pub(super) fn settle(
        &mut self,
        settlement: &Settlement,
        ending: Ending,
        day_ends: impl FnOnce() -> u64,
    ) -> Option<TokenChange> {
        let Ending { probe, now } = ending;
        self.in_flight = self.in_flight.saturating_sub(1);
        match &settlement.outcome {
            Outcome::Completed => {
                self.succeed(now);
                if let Some(wait) = settlement.closed_for {
                    self.cooldown.close_for(wait, now);
                }
                self.latency.record(settlement.first_token, settlement.duration, now);
            }
            Outcome::Failed(failure) => self.fail(failure, ending, day_ends),
            Outcome::Abandoned if self.latency.is_overdue(settlement.duration, now) => {
                let silent = "it was silent for so long that nobody waited any more";
                self.fail(&Failure::new(FailureClass::Timeout, Phase::Head, silent), ending, day_ends);
            }
            Outcome::ClientClosed | Outcome::Abandoned if probe => self.probe_lost(now),
            Outcome::ClientClosed | Outcome::Abandoned => {}
        }
        let served = matches!(settlement.outcome, Outcome::Completed) || settlement.usage.is_some();
        served.then(|| self.count_tokens(settlement, now))
    }

    fn succeed(&mut self, now: Now) {
        if self.errors_in_a_row >= 3 {
            log::info!("{}: healthy again", self.config.id);
        }
        self.errors_in_a_row = 0;
        self.breaker.success();
        self.cooldown.success(now);
    }

    fn probe_lost(&mut self, now: Now) {
        self.breaker.probe_lost(now);
        self.cooldown.probe_lost();
    }

    fn fail(&mut self, failure: &Failure, Ending { probe, now }: Ending, day_ends: impl FnOnce() -> u64) {
        match failure.class {
            // The upstream did its work: the request was wrong.
            FailureClass::Rejected => return self.succeed(now),
            FailureClass::StaleConnection
            | FailureClass::StreamOptionsRefused
            | FailureClass::ModelNotFound
            | FailureClass::TooLarge
            | FailureClass::NoSocket => {
                if probe {
                    self.probe_lost(now);
                }
                return;
            }
            FailureClass::RateLimited
            | FailureClass::Unauthorized
            | FailureClass::PaymentRequired
            | FailureClass::Overloaded
            | FailureClass::ServerError
            | FailureClass::Timeout
            | FailureClass::Connect
            | FailureClass::Protocol
            | FailureClass::Empty => {}
        }
        self.errors_in_a_row = self.errors_in_a_row.saturating_add(1);
        self.last_failure = Some((now.wall, failure.class, failure.detail.clone()));
        let cooldown = self.cooldown.failure(failure, day_ends(), now);
        let says_nothing_of_health = matches!(
            failure.class,
            FailureClass::RateLimited | FailureClass::Unauthorized | FailureClass::PaymentRequired
        );
        let rest = match says_nothing_of_health {
            true => {
                if probe {
                    self.breaker.probe_lost(now);
                }
                cooldown
            }
            false => self.breaker.failure(now).max(cooldown),
        };
        if let Some(rest) = rest {
            log::warn!("{}: rests for {:.1} s ({failure})", self.config.id, rest as f64 / 1_000.0);
        }
    }

    fn count_tokens(&mut self, settlement: &Settlement, now: Now) -> TokenChange {
        let at = self.moment(now);
        if let Some(Usage { completion, .. }) = settlement.usage {
            let before = self.typical_completion.unwrap_or(completion);
            self.typical_completion = Some(before.saturating_mul(7).saturating_add(completion).div_ceil(8));
        }
        self.tokens.record(settlement.usage, at);
        let (hour, day) = self.tokens.at(at);
        TokenChange::Grown { totals: self.tokens.totals, hour: (at.hour, hour), day: (at.day, day) }
    }

    /// The entry changed, or came back: new limits count at once; what it rested for may be mended.
    pub(super) fn reconfigure(&mut self, config: Arc<ApiConfig>) {
        self.retired = false;
        // Whatever was changed, it may have been for this.
        self.cooldown.forgive_key();
        if config != self.config {
            self.breaker = Breaker::default();
            self.cooldown = Cooldown::default();
            self.absent = AbsentModels::default();
            self.errors_in_a_row = 0;
            self.config = config;
        }
    }

    /// The entry is gone.
    pub(super) fn retire(&mut self) {
        self.retired = true;
    }

    /// For `/v1/status`. `room`: its quotas have room, or why not.
    pub(super) fn status(&self, quotas: Vec<QuotaStatus>, room: Result<(), Refusal>, now: Now) -> ApiStatus {
        let health = self.health(now);
        let resting = matches!(health, Err(Refusal::CoolingDown { .. } | Refusal::BreakerOpen { .. }));
        ApiStatus {
            config: self.config.clone(),
            refusal: health.and(room).err().map(|refusal| refusal.dated(now)),
            resting,
            absent_models: self.absent.all(now).map(|(model, until)| (model.clone(), now.wall_at(until))).collect(),
            error_count: self.errors_in_a_row,
            quotas,
            in_flight: self.in_flight,
            latency_ms: self.latency.averages_ms(),
            last_failure: self.last_failure.clone(),
        }
    }

    /// For `/v1/token/stats`.
    pub(super) fn token_report(&mut self, now: Now) -> TokenReport {
        self.tokens.prune(now.wall);
        let moment = self.moment(now);
        let (this_hour, today) = self.tokens.at(moment);
        TokenReport { api: self.config.id.clone(), this_hour, today, stats: self.tokens.clone() }
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
    pub(super) fn reset_tokens(&mut self) {
        self.tokens = TokenStats::default();
    }
}
