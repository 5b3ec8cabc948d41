//! The health of one upstream: five kinds of scopes under one rule.
//!
//! In reading order: `scope` (the rule), `rules` (failures to signals, and the figures), `model_backoff` (a scope for each model
//! by each route), [`mod@mend`] (what an operator can do). Here all meet.
//!
//! 1. An attempt needs all scopes: the service, the limit, the key, and of the model by the route the limit and the model itself.
//!    A limit is the model's if the upstream or the configuration says so, and then rests no other model.
//! 2. An attempt admitted while a scope rests is the probe of the scope.
//! 3. The beginning of an answer proves the limit, the key and the model. Only a whole answer proves the service.
//! 4. A refusal in words may be about the request. The refusal says nothing until another upstream has served the same request,
//!    and a 400 or 422 never says anything.
//!    Then it counts at the model by the route, whether the words are about a key, an account, a model or a place.
//! 5. An upstream that has served nobody yet may be wrong as a whole (its key, its address). There, a confirmed refusal is also a
//!    failure of the service. Elsewhere not: requests for what an upstream does not do would rest what the upstream does.

use std::sync::Arc;

pub(super) use self::mend::mend_of_class;
#[cfg(test)]
pub(crate) use self::mend::mends;
pub(crate) use self::mend::{mend, split_mend};
use self::model_backoff::ModelBackoffs;
pub(super) use self::model_backoff::{ModelBackoff, ModelRoute};
use self::rules::{KEY, KEY_REFUSED_MS, LIMIT, MODEL, MODEL_REFUSED_MS, SERVICE, UNPAID_MS};
pub(super) use self::rules::{hung, signal};
pub(crate) use self::scope::PROBE_EVERY_MS;
use self::scope::ScopeHealth;
pub(super) use self::scope::Times;
use crate::types::{FailureClass, Signal};

mod mend;
mod model_backoff;
#[cfg(test)]
mod properties;
mod rules;
mod scope;

/// What of an upstream rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The upstream as a whole: too many failures.
    Service,
    /// A limit of the upstream's own is reached.
    Limit,
    /// The key, or the account, is refused.
    Key,
    /// One model by one route.
    Model,
    /// A limit of the upstream's own is reached, of one model by one route.
    ModelLimit,
}

/// Why an attempt can't go now. Times are ms of the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resting {
    /// The scope whose rest ends last.
    pub scope: Scope,
    /// The class of the failure behind the rest.
    pub reason: FailureClass,
    /// When the upstream is asked again.
    pub until: u64,
    /// The same if nobody else can serve: not later than `until`.
    pub panic_from: u64,
}

impl Resting {
    /// Returns both as one: the rest that ends last, and no panic before either allows it.
    fn beside(self, other: Resting) -> Resting {
        let last = if other.until > self.until { other } else { self };
        Resting { panic_from: self.panic_from.max(other.panic_from), ..last }
    }
}

/// What a report is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported<'a> {
    pub(super) of: ModelRoute<'a>,
    pub(super) times: Times,
}

/// The beginning of a rest, or its growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RestBegan {
    pub(super) scope: Scope,
    /// ms, monotonic.
    pub(super) until: u64,
}

/// Rests ended by a success.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Healed {
    /// Of the service, the limit or the key.
    pub(super) upstream: bool,
    pub(super) model: bool,
}

/// The health of one upstream.
#[derive(Debug)]
pub(super) struct Health {
    service: ScopeHealth,
    limit: ScopeHealth,
    key: ScopeHealth,
    models: ModelBackoffs,
    model_limits: ModelBackoffs,
}

impl Default for Health {
    fn default() -> Self {
        Health {
            service: ScopeHealth::new(&SERVICE),
            limit: ScopeHealth::new(&LIMIT),
            key: ScopeHealth::new(&KEY),
            models: ModelBackoffs::new(&MODEL),
            model_limits: ModelBackoffs::new(&LIMIT),
        }
    }
}

impl Health {
    /// Returns whether an attempt may go at `now` (ms, monotonic). In panic mode nobody else can serve.
    ///
    /// # Errors
    /// With the last rest to end.
    pub(super) fn check(&self, of: ModelRoute<'_>, panic: bool, now: u64) -> Result<(), Resting> {
        // A free request has limits of its own.
        let common = self.common().into_iter().filter(|(scope, _)| *scope != Scope::Limit || !of.route.is_free());
        resting(common.chain(self.of_model(of)), panic, now)
    }

    /// Does the same for the scopes of all attempts, without a model.
    ///
    /// # Errors
    /// With the last rest to end.
    pub(super) fn check_common(&self, now: u64) -> Result<(), Resting> {
        resting(self.common(), false, now)
    }

    /// Returns whether no scope of all attempts rests or waits for a probe.
    pub(super) fn is_open(&self) -> bool {
        self.common().iter().all(|(_, health)| health.rests_for().is_none())
    }

    /// Returns the rests of the scopes of all attempts: the scope, the reason, and the end (ms, monotonic). A rest is there until a
    /// success, even if its time is over.
    pub(super) fn rests(&self) -> impl Iterator<Item = (Scope, FailureClass, u64)> {
        let rest = |(scope, health): (Scope, &ScopeHealth)| Some((scope, health.rests_for()?, health.ends()));
        self.common().into_iter().filter_map(rest)
    }

    /// Records an admitted attempt. Returns whether the attempt is a probe.
    pub(super) fn admit(&mut self, of: ModelRoute<'_>, now: u64) -> bool {
        self.service.admit(now);
        if !of.route.is_free() {
            self.limit.admit(now);
        }
        self.key.admit(now);
        self.models.admit(of, now);
        self.model_limits.admit(of, now);
        let model_rests = self.of_model(of).any(|(_, health)| health.rests_for().is_some());
        model_rests || !self.is_open()
    }

    /// Records an answer, `whole` or only begun.
    pub(super) fn success(&mut self, whole: bool, report: Reported<'_>) -> Healed {
        let Reported { of, times } = report;
        let service = self.service.success(whole, times);
        let limit = !of.route.is_free() && self.limit.success(true, times);
        let key = self.key.success(true, times);
        let model = self.models.success(of, times);
        let model_limit = self.model_limits.success(of, times);
        Healed { upstream: service || limit || key, model: model || model_limit }
    }

    /// Records the signal of a failure of this class. Returns the rest, if one begins or grows.
    pub(super) fn failure(&mut self, signal: Signal, class: FailureClass, report: Reported<'_>) -> Option<RestBegan> {
        let Reported { of, times } = report;
        let began = |scope, until: Option<u64>| until.map(|until| RestBegan { scope, until });
        match signal {
            Signal::Failure => began(Scope::Service, self.service.failure(class, times)),
            Signal::Limited { .. } if of.route.is_free() => None,
            Signal::Limited { wait, of_model } => {
                let wait_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                match (of_model, wait_ms) {
                    (false, Some(wait)) => began(Scope::Limit, self.limit.wait(wait, class, times)),
                    (false, None) => began(Scope::Limit, self.limit.failure(class, times)),
                    (true, Some(wait)) => began(Scope::ModelLimit, self.model_limits.wait(of, wait, (class, times))),
                    (true, None) => began(Scope::ModelLimit, self.model_limits.failure(of, class, times)),
                }
            }
            Signal::KeyRefused { unpaid } => {
                let wait_ms = if unpaid { UNPAID_MS } else { KEY_REFUSED_MS };
                began(Scope::Key, self.key.wait(wait_ms, class, times))
            }
            Signal::ModelRefused => began(Scope::Model, self.models.wait(of, MODEL_REFUSED_MS, (class, times))),
            Signal::Success { whole } => {
                self.success(whole, report);
                None
            }
            Signal::Nothing => None,
        }
    }

    /// Records a confirmed refusal: another upstream served the same request. `is_known`: the address is right.
    /// Returns the rests that begin or grow.
    pub(super) fn confirmed(
        &mut self,
        class: FailureClass,
        is_known: bool,
        report: Reported<'_>,
    ) -> impl Iterator<Item = RestBegan> {
        let Reported { of, times } = report;
        let model = self.models.failure(of, class, times).map(|until| RestBegan { scope: Scope::Model, until });
        let service = if is_known { None } else { self.service.failure(class, times) };
        service.map(|until| RestBegan { scope: Scope::Service, until }).into_iter().chain(model)
    }

    /// Returns the routes by which a model backs off, until a success.
    pub(super) fn backoffs_of(&self, model: &str) -> Vec<ModelBackoff> {
        [self.models.of(model), self.model_limits.of(model)].concat()
    }

    /// Returns all models in back-off now.
    pub(super) fn backoffs(&self, now: u64) -> impl Iterator<Item = (&Arc<str>, ModelBackoff)> {
        self.models.all(now).chain(self.model_limits.all(now))
    }

    /// Returns a number that grows with each change of the back-offs.
    pub(super) fn backoffs_version(&self) -> u64 {
        self.models.version() + self.model_limits.version()
    }

    /// Returns the scopes of one model by one route, as far as there is anything to remember.
    fn of_model(&self, of: ModelRoute<'_>) -> impl Iterator<Item = (Scope, &ScopeHealth)> {
        let both = [(Scope::Model, self.models.get(of)), (Scope::ModelLimit, self.model_limits.get(of))];
        both.into_iter().filter_map(|(scope, health)| Some((scope, health?)))
    }

    fn common(&self) -> [(Scope, &ScopeHealth); 3] {
        [(Scope::Service, &self.service), (Scope::Limit, &self.limit), (Scope::Key, &self.key)]
    }
}

/// Returns whether an attempt in need of these scopes may go at `now`.
fn resting<'a>(
    scopes: impl IntoIterator<Item = (Scope, &'a ScopeHealth)>,
    panic: bool,
    now: u64,
) -> Result<(), Resting> {
    let mut open_from = 0;
    let mut last: Option<Resting> = None;
    for (scope, health) in scopes {
        let Some(reason) = health.rests_for() else { continue };
        open_from = health.open_from(panic).max(open_from);
        let this = Resting { scope, reason, until: health.open_from(false), panic_from: health.open_from(true) };
        last = Some(last.map_or(this, |before| before.beside(this)));
    }
    last.filter(|_| open_from > now).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
