//! The decisions of one upstream, from its parts: may an attempt go out, and what does its end mean?
//! No actix, no clock: functions of the state, the input and `now`.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::breaker::Breaker;
use super::cooldown::Cooldown;
use super::day::{Day, hour_start};
use super::latency::Latency;
use super::messages::{ApiStatus, QuotaKind, Refusal, Settle, TokenReport};
use super::quota::{Admission, Limits, Quota};
use crate::config::ApiConfig;
use crate::persistence::{QuotaRecord, Saved, TokenChange};
use crate::types::{Failure, FailureClass, Moment, Now, Outcome, Settlement, TokenStats, WriteStamp};

/// All that an upstream's actor owns.
pub(super) struct State {
    pub(super) config: Arc<ApiConfig>,
    pub(super) quota: Quota,
    zone: TimeZone,
    breaker: Breaker,
    cooldown: Cooldown,
    latency: Latency,
    tokens: TokenStats,
    in_flight: u32,
    errors_in_a_row: u32,
    last_failure: Option<(i64, FailureClass, String)>,
    retired: bool,
    store_failed: bool,
}

/// What [`State::admit`] says.
pub(super) enum Decision {
    Go {
        stamp: WriteStamp,
        probe: bool,
    },
    /// First the store must promise more units.
    WaitForGrant,
    Refuse(Refusal),
}

impl State {
    /// Takes up where `saved` left off.
    pub(super) fn restore(config: Arc<ApiConfig>, zone: TimeZone, saved: Saved, now: Now) -> State {
        let limits = limits(&config);
        let spent = saved.lost.then(|| limits.spent(now));
        let quota = Quota::restore(limits, saved.quota.as_ref().or(spent.as_ref()), now);
        let mut tokens = saved.tokens;
        tokens.prune(now.wall);
        State {
            config,
            quota,
            zone,
            breaker: Breaker::default(),
            cooldown: Cooldown::default(),
            latency: Latency::default(),
            tokens,
            in_flight: 0,
            errors_in_a_row: 0,
            last_failure: None,
            retired: false,
            store_failed: false,
        }
    }

    /// Counts an attempt, if nothing speaks against it.
    pub(super) fn admit(&mut self, now: Now) -> Decision {
        if let Err(refusal) = self.health(now).and_then(|()| self.capacity(now)) {
            return Decision::Refuse(refusal);
        }
        match self.quota.admit(now) {
            Admission::Admitted(stamp) => {
                self.in_flight += 1;
                // Not `||`: both are to know.
                let probe = self.breaker.enter() | self.cooldown.enter();
                Decision::Go { stamp, probe }
            }
            Admission::Refused(refusal) => Decision::Refuse(refusal),
            Admission::NeedsGrant if self.store_failed => Decision::Refuse(Refusal::StoreUnavailable),
            Admission::NeedsGrant => Decision::WaitForGrant,
        }
    }

    /// Is there room for one more at the same time? When one of the others ends nobody knows: ask again soon.
    fn capacity(&self, now: Now) -> Result<(), Refusal> {
        match self.config.max_concurrent {
            Some(most) if self.in_flight >= most => {
                Err(Refusal::QuotaExhausted { which: QuotaKind::Concurrency, until: now.mono + 1_000 })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// May it be asked at all?
    fn health(&self, now: Now) -> Result<(), Refusal> {
        if self.retired {
            return Err(Refusal::Retiring);
        }
        if !self.config.enabled {
            return Err(Refusal::Disabled);
        }
        self.cooldown.check(now).map_err(|(until, reason)| Refusal::CoolingDown { until, reason })?;
        self.breaker.check(now).map_err(|until| Refusal::BreakerOpen { until })
    }

    /// The store answered a reservation.
    pub(super) fn reserved(&mut self, durable: bool) {
        self.store_failed = !durable;
        self.quota.reserved(durable);
    }

    /// Takes in how an attempt ended. Returns how the statistics changed, if they did.
    pub(super) fn settle(&mut self, attempt: &Settle, now: Now) -> Option<TokenChange> {
        let Settle { stamp, probe, settlement } = attempt;
        self.in_flight = self.in_flight.saturating_sub(1);
        self.quota.settle(stamp, now);
        match &settlement.outcome {
            Outcome::Completed => {
                self.succeed(now);
                if let Some(wait) = settlement.closed_for {
                    self.cooldown.close_for(wait, now);
                }
                self.latency.record(settlement.first_token, settlement.duration);
            }
            Outcome::Failed(failure) => self.fail(failure, *probe, now),
            Outcome::ClientClosed | Outcome::Abandoned if *probe => self.probe_lost(now),
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

    fn fail(&mut self, failure: &Failure, probe: bool, now: Now) {
        match failure.class {
            // The upstream did its work: the request was wrong.
            FailureClass::Rejected => return self.succeed(now),
            FailureClass::StaleConnection | FailureClass::StreamOptionsRefused => {
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
        let cooldown = self.cooldown.failure(failure, self.quota.day_ends(now), now);
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
        self.tokens.record(settlement.usage, at);
        let (hour, day) = self.tokens.at(at);
        TokenChange::Grown { totals: self.tokens.totals, hour: (at.hour, hour), day: (at.day, day) }
    }

    /// The entry changed, or came back: new limits count at once; what it rested for may be mended.
    pub(super) fn reconfigure(&mut self, config: Arc<ApiConfig>, now: Now) {
        self.retired = false;
        // Whatever was changed, it may have been for this.
        self.cooldown.forgive_key();
        if config != self.config {
            self.quota.reconfigure(limits(&config), now);
            self.breaker = Breaker::default();
            self.cooldown = Cooldown::default();
            self.errors_in_a_row = 0;
            self.config = config;
        }
    }

    /// The entry is gone.
    pub(super) fn retire(&mut self) {
        self.retired = true;
    }

    /// The counts as the store keeps them.
    pub(super) fn record(&mut self, now: Now) -> QuotaRecord {
        self.quota.record(now)
    }

    /// For `/v1/status`.
    pub(super) fn status(&mut self, now: Now) -> ApiStatus {
        let health = self.health(now);
        let resting = matches!(health, Err(Refusal::CoolingDown { .. } | Refusal::BreakerOpen { .. }));
        let refusal = health.and_then(|()| self.capacity(now)).and_then(|()| self.quota.room(now)).err();
        ApiStatus {
            config: self.config.clone(),
            refusal: refusal.map(|refusal| {
                let until = refusal.until().map(|until| now.wall_at(until));
                (refusal, until)
            }),
            resting,
            error_count: self.errors_in_a_row,
            usage: self.quota.usage(now),
            in_flight: self.in_flight,
            latency_ms: self.latency.averages_ms(),
            last_failure: self.last_failure.clone(),
        }
    }

    /// For `/v1/token/stats`.
    pub(super) fn token_report(&mut self, now: Now) -> TokenReport {
        self.tokens.prune(now.wall);
        let (this_hour, today) = self.tokens.at(self.moment(now));
        TokenReport { api: self.config.id.clone(), this_hour, today, stats: self.tokens.clone() }
    }

    fn moment(&self, now: Now) -> Moment {
        let day = Day::containing(now.wall, &self.zone).start;
        Moment { wall: now.wall, hour: hour_start(now.wall, &self.zone), day }
    }

    /// For `/v1/token/reset`.
    pub(super) fn reset_tokens(&mut self) {
        self.tokens = TokenStats::default();
    }
}

fn limits(config: &ApiConfig) -> Limits {
    Limits { rpm: config.rpm, rpd: config.rpd, reset: config.reset.clone(), burst: config.burst }
}
