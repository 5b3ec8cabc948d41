//! The decisions of one upstream, from all parts: may an attempt go? ([`outcome`]: what does the end mean?)
//! No actix, no clock: functions of the state, the input and `now`.

use std::sync::Arc;

use jiff::tz::TimeZone;
use quota::{ActualUsage, Demand};

use super::alarms::{Alarms, RestOf};
use super::health::{Health, ModelBackoff, ModelRoute};
use super::latency::Latency;
use super::messages::{AbsentModel, ApiStatus, Refusal};
use super::shared_state::AdmissionMode;
use super::token_stats::TokenStatsRecorder;
use crate::alerts::Alert;
use crate::config::{ApiConfig, CountOn};
use crate::persistence::TokenChange;
use crate::quotas::QuotaStatus;
use crate::types::{
    Cost, FailureClass, Now, Outcome, Price, RouteId, Settlement, TokenEstimate, TokenStats, Usage, iso,
};

mod outcome;

/// The facts of an upstream's actor, without the quotas.
pub(super) struct UpstreamState {
    pub(super) config: Arc<ApiConfig>,
    pub(super) health: Health,
    latency: Latency,
    pub(super) token_stats: TokenStatsRecorder,
    in_flight: u32,
    errors_in_a_row: u32,
    last_failure: Option<(i64, FailureClass, String)>,
    /// The upstream has answered somebody since the entry changed: so the address is right.
    has_served: bool,
    alarms: Alarms,
    retired: bool,
    /// The end of a rest by an operator (ms, monotonic).
    rested_until: Option<u64>,
}

/// What a report on an attempt is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) of: ModelRoute<'a>,
    /// When the attempt was admitted (ms, monotonic).
    pub(super) admitted_at: u64,
    /// When the report is taken in.
    pub(super) now: Now,
}

impl UpstreamState {
    /// Creates the state of an upstream with saved statistics.
    pub(super) fn restore(config: Arc<ApiConfig>, zone: TimeZone, tokens: TokenStats, now: Now) -> UpstreamState {
        UpstreamState {
            config,
            health: Health::default(),
            latency: Latency::default(),
            token_stats: TokenStatsRecorder::restore(zone, tokens, now),
            in_flight: 0,
            errors_in_a_row: 0,
            last_failure: None,
            has_served: false,
            alarms: Alarms::default(),
            retired: false,
            rested_until: None,
        }
    }

    /// Returns what a request may use here. `price`: of the model, if a quota counts money.
    pub(super) fn demand(&self, estimate: TokenEstimate, price: Option<Price>) -> Demand {
        let expected = self.token_stats.average_completion_tokens();
        let cost = price.map_or(0, |price| price.estimate(estimate, expected).nanodollars());
        Demand { tokens: estimate.tokens(expected, self.config.quirks.counted_tokens), cost }
    }

    /// Records an admission by the actor. Returns whether the attempt is a probe.
    pub(super) fn admitted(&mut self, of: ModelRoute<'_>, now: Now) -> bool {
        self.in_flight += 1;
        self.health.admit(of, now.mono)
    }

    /// Records an admission by a fast path: never of a probe.
    pub(super) fn admitted_by_fast_path(&mut self) {
        self.in_flight += 1;
    }

    /// Returns the place of admission for the next attempts.
    pub(super) fn admission_mode(&self, now: Now) -> AdmissionMode {
        match self.check(now) {
            Ok(()) if self.health.is_open() => AdmissionMode::Local,
            Ok(()) => AdmissionMode::AskActorFrom(now.mono),
            Err(refusal) => AdmissionMode::AskActorFrom(refusal.until().unwrap_or(u64::MAX)),
        }
    }

    /// Returns whether the upstream may be asked for this model by this route. In panic mode nobody else can serve.
    ///
    /// # Errors
    /// With the reason.
    pub(super) fn may_serve(&self, of: ModelRoute<'_>, panic: bool, now: Now) -> Result<(), Refusal> {
        self.usable(now)?;
        // The configuration may have changed since the upstream was selected.
        if !self.config.offers(of.route.format()) {
            return Err(Refusal::Retiring);
        }
        self.health.check(of, panic, now.mono).map_err(Refusal::Resting)
    }

    /// Returns whether the upstream may be asked at all.
    fn check(&self, now: Now) -> Result<(), Refusal> {
        self.usable(now)?;
        self.health.check_common(now.mono).map_err(Refusal::Resting)
    }

    fn usable(&self, now: Now) -> Result<(), Refusal> {
        if self.retired {
            return Err(Refusal::Retiring);
        }
        if !self.config.enabled {
            return Err(Refusal::Disabled);
        }
        match self.rested_until.filter(|until| *until > now.mono) {
            Some(until) => Err(Refusal::RestedByOperator { until }),
            None => Ok(()),
        }
    }

    /// Returns what an attempt with this end took of the quotas. `price`: of the model, if a quota counts money.
    pub(super) fn actual_usage(&self, settlement: &Settlement, price: Option<Price>) -> ActualUsage {
        let failed = settlement.failure();
        let consumed_nothing = failed.is_some_and(|failure| failure.class.consumed_nothing());
        let accepted = failed.is_none_or(|failure| failure.class != FailureClass::RateLimited);
        let nothing = consumed_nothing.then_some(0);
        let cost = |usage: Usage| match price {
            Some(price) => price.known_cost(&usage).map(Cost::nanodollars),
            None => Some(0),
        };
        ActualUsage {
            counts: accepted || self.config.count_on == CountOn::Attempt,
            tokens: settlement.usage.and_then(|usage| usage.counted(self.config.quirks.counted_tokens)).or(nothing),
            cost: settlement.usage.and_then(cost).or(nothing),
        }
    }

    /// Records the end of an attempt. Returns the change of the statistics, if there is one.
    pub(super) fn left(&mut self, settlement: &Settlement, route: RouteId, now: Now) -> Option<TokenChange> {
        self.in_flight = self.in_flight.saturating_sub(1);
        if route.is_free() {
            return None;
        }
        let served = matches!(settlement.outcome, Outcome::Completed) || settlement.usage.is_some();
        served.then(|| self.token_stats.count(settlement.usage, now))
    }

    /// Records what was used without an admission. Returns the change of the statistics.
    pub(super) fn spent(&mut self, usage: Usage, now: Now) -> TokenChange {
        self.token_stats.count_beside(usage, now)
    }

    /// Adopts a changed entry, or one that came back. New limits count at once. A change may mend the reason of a rest: then all
    /// health is forgotten. Returns whether there was a change.
    pub(super) fn reconfigure(&mut self, config: Arc<ApiConfig>) -> bool {
        self.retired = false;
        let is_changed = config != self.config;
        if is_changed {
            self.forget_health();
            self.last_failure = None;
            self.config = config;
        }
        is_changed
    }

    /// Rests until then (ms since the Unix epoch), as an operator says.
    pub(super) fn rest_until(&mut self, until: i64, now: Now) {
        self.rested_until = Some(now.mono_at(until)).filter(|until| *until > now.mono);
        match self.rested_until {
            Some(_) => log::info!("{}: rests until {}, as an operator says", self.config.id, iso(until)),
            None => log::info!("{}: no longer rests by an operator", self.config.id),
        }
    }

    /// Ends every rest, as an operator says.
    pub(super) fn try_again(&mut self) {
        self.rested_until = None;
        self.forget_health();
        log::info!("{}: is tried again now, as an operator says", self.config.id);
    }

    fn forget_health(&mut self) {
        self.health = Health::default();
        self.errors_in_a_row = 0;
        self.has_served = false;
        self.alarms.rearm();
    }

    /// Returns what people are to be told of rests since the last look.
    pub(super) fn news(&mut self, now: Now) -> Vec<Alert> {
        let rests: Vec<RestOf> =
            self.health.rests().map(|(scope, reason, until)| RestOf { scope, reason, until }).collect();
        self.alarms.judge((&self.config.id, self.has_served), &rests, now)
    }

    /// Records that the entry is gone.
    pub(super) fn retire(&mut self) {
        self.retired = true;
    }

    /// Returns the status. `room`: the quotas have room, or why not.
    pub(super) fn status(&self, quotas: Vec<QuotaStatus>, room: Result<(), Refusal>, now: Now) -> ApiStatus {
        let health = self.check(now);
        ApiStatus {
            config: self.config.clone(),
            resting: matches!(health, Err(Refusal::Resting(_) | Refusal::RestedByOperator { .. })),
            refusal: health.and(room).err().map(|refusal| refusal.dated(now)),
            absent_models: self.absent_models(now),
            error_count: self.errors_in_a_row,
            quotas,
            in_flight: self.in_flight,
            latency_ms: self.latency.averages_ms(),
            last_failure: self.last_failure.clone(),
        }
    }

    fn absent_models(&self, now: Now) -> Vec<AbsentModel> {
        let each = self.health.backoffs(now.mono);
        each.map(|(model, ModelBackoff { route, open_from, reason })| AbsentModel {
            model: model.clone(),
            operation: route,
            reason,
            until: now.wall_at(open_from),
        })
        .collect()
    }
}
