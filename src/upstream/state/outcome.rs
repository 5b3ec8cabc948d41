//! What answers and ends of attempts say of the upstream: health, errors, and the log.
//! No actix, no clock: functions of the state, the input and `now`.

use std::time::Duration;

use log::Level;

use super::{Subject, UpstreamState};
use crate::config::LimitsPer;
use crate::types::{Failure, FailureClass, Now, Outcome, Settlement, Signal, iso};
use crate::upstream::health::{self, Reported, RestBegan, Scope, Times};

impl Subject<'_> {
    fn reported(&self) -> Reported<'_> {
        Reported { of: self.of, times: Times { sent: self.admitted_at, now: self.now.mono } }
    }
}

impl UpstreamState {
    /// Records the beginning of an answer. `exhausted_for`: how long the upstream says to have nothing left.
    pub(in crate::upstream) fn on_response(&mut self, of: Subject<'_>, exhausted_for: Option<Duration>) {
        self.has_served = true;
        self.heal(false, of);
        if exhausted_for.is_some() {
            let of_model = self.config.quirks.limits_per == LimitsPer::Model;
            let limited = Signal::Limited { wait: exhausted_for, of_model };
            if let Some(began) = self.health.failure(limited, FailureClass::RateLimited, of.reported()) {
                let why = "its answer says that nothing is left of a limit";
                self.log_rest((Level::Info, began), of, why);
            }
        }
    }

    /// Records what the end of an attempt says of the upstream. `day_ends` is when a day's limit frees (ms, monotonic).
    pub(in crate::upstream) fn apply_outcome(&mut self, settlement: &Settlement, of: Subject<'_>, day_ends: u64) {
        match &settlement.outcome {
            Outcome::Completed => {
                self.has_served = true;
                self.on_success(of);
                if !of.of.route.is_free() {
                    self.latency.record(settlement.first_token, settlement.duration);
                }
            }
            // The upstream did the work: the request was wrong.
            Outcome::Failed(failure) if failure.class == FailureClass::Rejected => self.on_success(of),
            Outcome::Failed(failure) => self.on_failure(failure, of, day_ends),
            Outcome::ClientClosed | Outcome::Abandoned => {
                if let Some(failure) = health::hung(settlement) {
                    self.on_failure(&failure, of, day_ends);
                }
            }
        }
    }

    /// Records a confirmed refusal at this URL: another upstream served the same request.
    pub(in crate::upstream) fn on_confirmed(&mut self, failure: &Failure, of: Subject<'_>, url: &str) {
        // Many serve messages and have no path for counts: that says nothing of the address.
        let is_known = self.has_served || of.of.route.is_free();
        let detail = match failure.status {
            Some(status @ (404 | 405)) if !is_known => {
                let field = of.of.route.format().base_url_field();
                format!("answered {status} to POST {url}, which another API serves: is its {field} right?")
            }
            _ => {
                format!("{}, and another API serves the same request: {}", failure.detail, health::mend(failure))
            }
        };
        self.last_failure = Some((of.now.wall, failure.class, detail.clone()));
        let began: Vec<RestBegan> = self.health.confirmed(failure.class, is_known, of.reported()).collect();
        for began in began {
            self.log_rest((Level::Warn, began), of, &format!("{}: {detail}", failure.class.as_str()));
        }
    }

    /// Shows a failure of the upstream's list of models. No request has failed, and nothing rests.
    pub(in crate::upstream) fn on_list_failed(&mut self, class: FailureClass, detail: String, now: Now) {
        self.last_failure = Some((now.wall, class, detail));
    }

    fn on_success(&mut self, of: Subject<'_>) {
        self.heal(true, of);
        if self.check(of.now).is_ok() {
            self.errors_in_a_row = 0;
        }
    }

    fn heal(&mut self, whole: bool, of: Subject<'_>) {
        let healed = self.health.success(whole, of.reported());
        let api = &self.config.id;
        if healed.upstream {
            log::info!("{api}: healthy again");
        }
        if healed.model {
            log::info!("{api}: serves {:?} at {} again", of.of.model, of.of.route);
        }
    }

    fn on_failure(&mut self, failure: &Failure, of: Subject<'_>, day_ends: u64) {
        if !is_of_the_account(failure.class) {
            return;
        }
        let mend = health::mend(failure);
        self.last_failure = Some((of.now.wall, failure.class, format!("{}: {mend}", failure.detail)));
        if !failure.counted {
            return;
        }
        self.errors_in_a_row = self.errors_in_a_row.saturating_add(1);
        let signal = health::signal(failure, day_ends, of.now, self.config.quirks.limits_per);
        if let Some(began) = self.health.failure(signal, failure.class, of.reported()) {
            self.log_rest((Level::Warn, began), of, &format!("{failure}: {mend}"));
        }
    }

    /// Logs a rest: why, until when, and what to do.
    fn log_rest(&self, (level, RestBegan { scope, until }): (Level, RestBegan), of: Subject<'_>, why: &str) {
        let api = &self.config.id;
        let seconds = until.saturating_sub(of.now.mono) as f64 / 1_000.0;
        let until = iso(of.now.wall_at(until));
        match scope {
            Scope::Service | Scope::Limit | Scope::Key => {
                log::log!(level, "{api}: rests for {seconds:.1} s, until {until} ({why})")
            }
            Scope::Model | Scope::ModelLimit => {
                let (model, route) = (of.of.model, of.of.route);
                log::log!(
                    level,
                    "{api}: is not asked for {model:?} at {route} for {seconds:.1} s, until {until} ({why})"
                );
            }
        }
    }
}

/// Returns whether a failure of this class is the account's, and not the caller's, the connection's or this machine's.
fn is_of_the_account(class: FailureClass) -> bool {
    match class {
        FailureClass::RateLimited
        | FailureClass::Unauthorized
        | FailureClass::Forbidden
        | FailureClass::PaymentRequired
        | FailureClass::Overloaded
        | FailureClass::ServerError
        | FailureClass::Timeout
        | FailureClass::Connect
        | FailureClass::Protocol
        | FailureClass::EmptyResponse
        | FailureClass::ModelNotFound => true,
        FailureClass::LocalSocketLimit
        | FailureClass::StaleConnection
        | FailureClass::WrongForm
        | FailureClass::TooLarge
        | FailureClass::ObjectNotHere
        | FailureClass::Rejected => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::ApiConfig;
    use crate::types::{Phase, RouteId, TokenStats};
    use crate::upstream::health::ModelRoute;
    use crate::upstream::messages::ApiStatus;
    use crate::upstream::testing::entry;

    const URL: &str = "http://host/v1/chat/completions";

    struct World {
        state: UpstreamState,
        model: Arc<str>,
        /// ms, monotonic: each attempt is sent, and ends a millisecond later.
        now: u64,
    }

    impl World {
        fn new() -> World {
            let state =
                UpstreamState::restore(entry("a"), TimeZone::UTC, TokenStats::default(), Now { mono: 0, wall: 0 });
            World { state, model: "m".into(), now: 10 }
        }

        fn subject<'a>(&self, model: &'a Arc<str>) -> Subject<'a> {
            let of = ModelRoute { model, route: RouteId::new("chat/completions") };
            Subject { of, admitted_at: self.now - 1, now: Now { mono: self.now, wall: 0 } }
        }

        fn ends(&mut self, outcome: Outcome) {
            self.now += 2;
            let model = self.model.clone();
            let of = self.subject(&model);
            self.state.apply_outcome(&Settlement::of(outcome, Duration::from_millis(1)), of, 0);
        }

        /// One fails so, and another upstream serves the same request.
        fn is_refuted(&mut self, failure: &Failure) {
            self.ends(Outcome::Failed(failure.clone()));
            let model = self.model.clone();
            let of = self.subject(&model);
            self.state.on_confirmed(failure, of, URL);
        }

        fn status(&self) -> ApiStatus {
            self.state.status(Vec::new(), Ok(()), Now { mono: self.now, wall: 0 })
        }

        fn detail(&self) -> Option<String> {
            self.status().last_failure.map(|(_, _, detail)| detail)
        }
    }

    fn failure(class: FailureClass, status: u16) -> Failure {
        Failure { status: Some(status), ..Failure::new(class, Phase::Head, format!("status {status}")) }
    }

    #[test]
    fn refusals_of_an_account_are_shown_and_a_callers_own_mistakes_are_not() {
        for (class, status, shown) in [
            (FailureClass::Unauthorized, 401, Some("status 401: check its apiKey")),
            (FailureClass::PaymentRequired, 402, Some("status 402: top up its account")),
            (FailureClass::Forbidden, 403, Some("status 403: check what its apiKey may use")),
            (FailureClass::ModelNotFound, 404, Some("status 404: check its baseUrl and its models")),
            (FailureClass::RateLimited, 429, Some("status 429: give its entry the limits that the account has")),
            (FailureClass::ServerError, 500, Some("status 500: see its provider's status page")),
            (FailureClass::Rejected, 400, None),
            (FailureClass::TooLarge, 413, None),
            (FailureClass::WrongForm, 422, None),
        ] {
            let mut world = World::new();
            world.ends(Outcome::Failed(failure(class, status)));
            assert_eq!(world.detail().as_deref(), shown, "{class:?}");
            assert_eq!(world.status().error_count, u32::from(shown.is_some()), "{class:?}");
        }
        let mut world = World::new();
        world.ends(Outcome::Failed(Failure { counted: false, ..failure(FailureClass::ServerError, 500) }));
        assert!(world.detail().is_some() && world.status().error_count == 0, "the request had failed before");
    }

    #[test]
    fn a_confirmed_404_is_for_the_address_until_the_upstream_has_served() {
        let refused = failure(FailureClass::ModelNotFound, 404);
        let mut world = World::new();
        world.is_refuted(&refused);
        let asks = format!("answered 404 to POST {URL}, which another API serves: is its baseUrl right?");
        assert_eq!(world.detail(), Some(asks));
        (0..2).for_each(|_| world.is_refuted(&refused));
        assert!(world.status().resting, "three in a row");

        let mut world = World::new();
        world.ends(Outcome::Completed);
        (0..3).for_each(|_| world.is_refuted(&refused));
        let status = world.status();
        assert!(!status.resting && status.absent_models.len() == 1, "only the model");
        let words = "status 404, and another API serves the same request: check its baseUrl and its models";
        assert_eq!(world.detail().as_deref(), Some(words));
    }

    #[test]
    fn a_changed_entry_forgets_its_health_and_an_unchanged_one_does_not() {
        let mut world = World::new();
        world.ends(Outcome::Failed(failure(FailureClass::Unauthorized, 401)));
        world.state.reconfigure(entry("a"));
        assert!(world.status().resting);
        world.state.reconfigure(Arc::new(ApiConfig { name: "mended".to_owned(), ..(*entry("a")).clone() }));
        assert!(!world.status().resting && world.status().error_count == 0);
        assert_eq!(world.detail(), None, "the failure was that of the entry as it was");
    }
}
