//! The decisions of one upstream, from its parts: may an attempt go out? ([`verdict`]: what does its end mean?)
//! No actix, no clock: functions of the state, the input and `now`.

use std::sync::Arc;

use jiff::tz::TimeZone;
use quota::ActualUsage;

use super::absent::{Absence, AbsentModels};
use super::breaker::{Breaker, Standing};
use super::cooldown::Cooldown;
use super::lane::Way;
use super::latency::Latency;
use super::messages::{AbsentModel, ApiStatus, QuotaStatus, Refusal};
use super::tally::Tally;
use crate::config::{ApiConfig, CountOn};
use crate::persistence::TokenChange;
use crate::types::{FailureClass, Now, Operation, Outcome, Profile, Settlement, TokenStats};

mod verdict;

/// All that an upstream's actor owns, but for its quotas.
pub(super) struct State {
    pub(super) config: Arc<ApiConfig>,
    breaker: Breaker,
    cooldown: Cooldown,
    pub(super) absent: AbsentModels,
    latency: Latency,
    pub(super) tally: Tally,
    in_flight: u32,
    errors_in_a_row: u32,
    last_failure: Option<(i64, FailureClass, String)>,
    retired: bool,
}

/// What is to be known of the end of an attempt, besides how it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    pub(super) sent: Sent,
    /// When it ended.
    pub(super) now: Now,
}

/// How things stood when an attempt went out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// The wait that it is to find out the end of.
    wait: Option<u32>,
    health: Standing,
}

impl Sent {
    /// Does anything hang on its answer?
    pub(super) fn is_probe(self) -> bool {
        self.wait.is_some() || self.health.probe
    }

    /// What it was to find out is known: its end is another matter.
    pub(super) fn answered(&mut self) -> Sent {
        let before = *self;
        (self.wait, self.health.probe) = (None, false);
        before
    }
}

impl State {
    /// Takes up where the saved statistics left off.
    pub(super) fn restore(config: Arc<ApiConfig>, zone: TimeZone, tokens: TokenStats, now: Now) -> State {
        State {
            config,
            breaker: Breaker::default(),
            cooldown: Cooldown::default(),
            absent: AbsentModels::default(),
            latency: Latency::default(),
            tally: Tally::restore(zone, tokens, now),
            in_flight: 0,
            errors_in_a_row: 0,
            last_failure: None,
            retired: false,
        }
    }

    /// What a request may cost here, in tokens.
    pub(super) fn demand(&self, profile: &Profile) -> u64 {
        profile.demand.tokens(self.tally.typical_completion())
    }

    /// An attempt goes out.
    pub(super) fn admitted(&mut self, now: Now) -> Sent {
        self.in_flight += 1;
        Sent { wait: self.cooldown.enter(now), health: self.breaker.enter(now) }
    }

    /// An attempt went out through a lane, which no probe does.
    pub(super) fn joined(&mut self) -> Sent {
        self.in_flight += 1;
        Sent { wait: None, health: self.breaker.standing() }
    }

    /// Which way the next attempts are to go.
    pub(super) fn way(&self, now: Now) -> Way {
        match self.health(now) {
            Ok(()) if self.breaker.is_closed() && self.cooldown.is_over() => Way::Open,
            Ok(()) => Way::AskFrom(now.mono),
            Err(refusal) => Way::AskFrom(refusal.until().unwrap_or(u64::MAX)),
        }
    }

    /// May it be asked for this model (by its own name), and for this of it? `last_resort`: nobody else can serve it.
    pub(super) fn may_serve(&self, (model, of): (&str, Operation), last_resort: bool, now: Now) -> Result<(), Refusal> {
        match self.absent.get(model, of, now) {
            Some(Absence { reason, until, guess }) if !(guess && last_resort) => {
                return Err(Refusal::Absent { reason, until, guess });
            }
            Some(_) | None => {}
        }
        self.usable()?;
        match last_resort && self.cooldown.may_be_the_last(now) && self.breaker.may_be_the_last(now) {
            true => Ok(()),
            false => self.rested(now),
        }
    }

    /// May it be asked at all?
    pub(super) fn health(&self, now: Now) -> Result<(), Refusal> {
        self.usable()?;
        self.rested(now)
    }

    /// Is it there?
    fn usable(&self) -> Result<(), Refusal> {
        if self.retired {
            return Err(Refusal::Retiring);
        }
        if self.config.enabled { Ok(()) } else { Err(Refusal::Disabled) }
    }

    /// Is whatever it rested for over?
    fn rested(&self, now: Now) -> Result<(), Refusal> {
        match (self.cooldown.check(now), self.breaker.check(now)) {
            (Err(waits), Err(rests)) => Err(waits.beside(rests)),
            (waits, rests) => waits.and(rests),
        }
    }

    /// How an attempt counts that ended thus.
    pub(super) fn spent(&self, settlement: &Settlement) -> ActualUsage {
        let failed = settlement.failure();
        let turned_away = failed.is_some_and(|failure| failure.class.takes_no_tokens());
        let accepted = failed.is_none_or(|failure| failure.class != FailureClass::RateLimited);
        ActualUsage {
            counts: accepted || self.config.count_on == CountOn::Attempt,
            tokens: settlement.usage.map(|usage| usage.total).or(turned_away.then_some(0)),
        }
    }

    /// An attempt is over. Returns how the statistics changed, if they did.
    pub(super) fn left(&mut self, settlement: &Settlement, now: Now) -> Option<TokenChange> {
        self.in_flight = self.in_flight.saturating_sub(1);
        let served = matches!(settlement.outcome, Outcome::Completed) || settlement.usage.is_some();
        served.then(|| self.tally.count(settlement.usage, now))
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
            absent_models: self.absent_models(now),
            error_count: self.errors_in_a_row,
            quotas,
            in_flight: self.in_flight,
            latency_ms: self.latency.averages_ms(),
            last_failure: self.last_failure.clone(),
        }
    }

    fn absent_models(&self, now: Now) -> Vec<AbsentModel> {
        let each = self.absent.all(now);
        each.map(|(model, operation, Absence { reason, until, .. })| AbsentModel {
            model: model.clone(),
            operation,
            reason,
            until: now.wall_at(until),
        })
        .collect()
    }
}

#[cfg(test)]
mod model;
