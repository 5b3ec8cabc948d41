//! The memory of one request, and the rules for another attempt.
//!
//! 1. A *replay* asks the same upstream again. The upstream had been asked in a wrong way: on a closed connection, or with
//!    `stream_options` unknown there. At most [`MAX_REPLAYS`] a request. A replay after the loss of a shared connection is paid
//!    from the retry budget, as all requests of the connection come again.
//! 2. Any other failure excludes the upstream for this request. The next one is asked if the class is in `retry.retryOn` and fewer
//!    than `retry.maxAttempts` have failed.
//! 3. Another attempt is paid from the retry budget after an upstream's trouble, or a refusal of the request itself, if only in
//!    doubt (400, 413, 415, 422). Refusals about a limit, a key, a model or a place cost none.
//! 4. The first ambiguous failure of a request counts for an upstream's health. Later ones count for nobody.
//! 5. A refusal in doubt counts only when another upstream serves the same request.
//! 6. An account without an object that the request names is no failure of anybody: see [`object_home`].
//! 7. A rejection in doubt (`retryRejected`) excludes all entries of the same address and model: see [`refused_alike`].
//! 8. With another model of an alias the request is another one: no upstream is excluded, and no refusal in doubt will count.

mod another_model;
pub(super) mod last_failure;
pub(super) mod object_home;
mod refused_alike;
mod same_upstream;

use std::sync::Arc;

use log::Level;

use self::last_failure::LastFailure;
use self::object_home::ObjectHome;
use self::refused_alike::RefusedAlike;
use super::attempt_error::{AttemptError, Replay};
use super::client_request::ClientRequest;
use super::pool::budget::RetryBudget;
use crate::config::RetryConfig;
use crate::dialect::Route;
use crate::records::{AttemptResult, AttemptStart, OpenRecord};
use crate::scheduler::{AdmissionError, Admitted, Select};
use crate::types::{ApiId, Failure, FailureClass, Now, Outcome, RateLimitSummary, Settlement};
use crate::upstream::{Permit, Suspicion};

/// How often one request may be sent again without a failure.
const MAX_REPLAYS: usize = 3;

/// A failed attempt.
pub(super) struct FailedAttempt {
    pub(super) permit: Permit,
    /// The place in the record.
    pub(super) place: usize,
    pub(super) error: AttemptError,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The same upstream may be asked again: that was no failure.
    Replay,
    /// An upstream that has not failed this request is asked, if one is left.
    AnotherUpstream,
    /// The next model of the alias is asked for: the prompt is too long for this one.
    AnotherModel,
    /// The client gets the error.
    GiveUp,
}

/// One request on its way through the pool.
pub(super) struct RetryState<'a> {
    /// The row of the route table.
    pub(super) route: &'static Route,
    pub(super) config: RetryConfig,
    pub(super) budget: &'a RetryBudget,
    /// Alive as long as the client waits: a wait queue skips requests whose client has left.
    client: Arc<()>,
    /// The home of the objects that the request names.
    pub(super) home: ObjectHome,
    /// Upstreams with a failure for this request.
    excluded: Vec<ApiId>,
    refused_alike: RefusedAlike,
    /// Failed attempts.
    pub(super) failures: usize,
    replays: usize,
    same_upstream_retries: u32,
    /// A shared connection broke under this request once.
    connection_lost: bool,
    /// An attempt has failed ambiguously: the request itself may be the cause.
    failed_before: bool,
    /// The upstream without `stream_options`, as it seems. The request goes without the field from then on.
    without_stream_options: Option<ApiId>,
    /// No attempt at a resting upstream has failed yet.
    may_panic: bool,
    /// Each failure so far was of a path that the upstream does not have.
    pub(super) only_missing_paths: bool,
    /// Refusals in doubt. Another upstream's answer decides.
    suspicions: Vec<Suspicion>,
    /// The last failure.
    pub(super) last: Option<LastFailure>,
    /// The limits of the pool at the last selection.
    pub(super) rate: Option<RateLimitSummary>,
    pub(super) record: OpenRecord,
}

impl<'a> RetryState<'a> {
    /// Begins a request, and deposits a share into the budget.
    pub(super) fn new(
        request: &ClientRequest,
        config: RetryConfig,
        budget: &'a RetryBudget,
        record: OpenRecord,
    ) -> Self {
        budget.deposit(config.budget, Now::read_mono());
        RetryState {
            route: request.route,
            config,
            budget,
            client: Arc::new(()),
            home: ObjectHome::unknown(),
            excluded: Vec::new(),
            refused_alike: RefusedAlike::default(),
            failures: 0,
            replays: 0,
            same_upstream_retries: 0,
            connection_lost: false,
            failed_before: false,
            without_stream_options: None,
            may_panic: true,
            only_missing_paths: true,
            suspicions: Vec::new(),
            last: None,
            rate: None,
            record,
        }
    }

    /// Returns the selection of an upstream without a failure for this request.
    pub(super) fn selection(&self, request: &ClientRequest) -> Select {
        Select {
            profile: request.profile.clone(),
            target: self.home.target.clone(),
            excluded: self.excluded.clone(),
            client: Arc::downgrade(&self.client),
            may_queue: self.is_last_resort(request),
            may_panic: self.may_panic && self.is_last_resort(request),
        }
    }

    /// Returns whether nothing else is left to be asked for: no other model, and no other target.
    fn is_last_resort(&self, request: &ClientRequest) -> bool {
        request.is_last_resort() && !self.home.has_other_targets()
    }

    /// Returns the selection for a hedge: of another upstream than `first`, and only if one has room now.
    pub(super) fn hedge_selection(&self, request: &ClientRequest, first: &ApiId) -> Select {
        let mut select = self.selection(request);
        select.excluded.push(first.clone());
        Select { may_queue: false, ..select }
    }

    /// Records what a selection said of the pool's limits. Returns the permit.
    pub(super) fn admitted(&mut self, selected: Result<Admitted, AdmissionError>) -> Result<Permit, AdmissionError> {
        if let Ok(Admitted { rate, .. }) | Err(AdmissionError::NoneAvailable { rate, .. }) = &selected {
            self.rate = *rate;
        }
        let Admitted { permit, waited, .. } = selected?;
        self.record.waited(waited);
        Ok(permit)
    }

    /// Records the begin of an attempt. Returns the place in the record.
    pub(super) fn begin_attempt(&mut self, request: &ClientRequest, permit: &mut Permit) -> usize {
        permit.ask_usage &= request.lacks_usage() && self.without_stream_options.is_none();
        let endpoint = permit.endpoint();
        self.record.attempt_began(AttemptStart {
            api: &endpoint.api,
            model: request.sent_model(endpoint),
            price: endpoint.price(&request.profile.model),
            sent_at: &permit.sent_at,
            prompt: (!request.profile.route.is_free()).then_some(request.profile.estimate.prompt),
            billed: request.profile.estimate.billed,
        })
    }

    /// Records an answer for the client. `complete`: a real answer, and no error passed through.
    pub(super) fn record_success(&mut self, permit: &Permit, place: usize, complete: bool) {
        self.record.attempt_ended(place, AttemptResult::Served);
        if !complete {
            return;
        }
        if self.without_stream_options.as_ref() == Some(&permit.endpoint().api) {
            permit.refuse_stream_options();
        }
        // The request is sound, so its content was not the reason of the refusals.
        for suspicion in self.suspicions.drain(..).filter(|suspicion| !suspicion.is_of(permit)) {
            suspicion.confirm();
        }
    }

    /// Decides how the request goes on after this failure. Withdraws from the retry budget where rules 1 and 3 say so.
    pub(super) fn should_retry(&mut self, request: &ClientRequest, error: &AttemptError) -> Next {
        if self.may_replay(error) {
            let is_paid = error.replay != Some(Replay::AfterLostConnection) || self.withdraw();
            if is_paid {
                return Next::Replay;
            }
        }
        let failure = &error.failure;
        if failure.class == FailureClass::ObjectNotHere {
            return if self.home.may_ask_another() { Next::AnotherUpstream } else { Next::GiveUp };
        }
        if self.failures + 1 >= self.config.max_attempts {
            return Next::GiveUp;
        }
        if failure.context_exceeded && request.has_next_model() {
            return Next::AnotherModel;
        }
        if !error.is_doubted && !self.config.retry_on.contains(failure.class) {
            return Next::GiveUp;
        }
        let is_paid = !costs_budget(failure) || self.withdraw();
        if is_paid { Next::AnotherUpstream } else { Next::GiveUp }
    }

    /// Takes one try from the retry budget. Returns whether there was one.
    pub(super) fn withdraw(&self) -> bool {
        self.budget.try_withdraw(self.config.budget, Now::read_mono())
    }

    /// Returns whether the same upstream may be asked again, as far as the budget goes.
    fn may_replay(&self, error: &AttemptError) -> bool {
        let again = match error.replay {
            // Such a refusal is in doubt only once: the request goes without the field from then on.
            Some(Replay::Same | Replay::WithoutStreamOptions) => true,
            Some(Replay::AfterLostConnection) => !self.connection_lost,
            None => false,
        };
        again && self.replays < MAX_REPLAYS
    }

    /// Records a failed attempt beside another that goes on.
    pub(super) fn record_failed_hedge(&mut self, request: &ClientRequest, failed: FailedAttempt) {
        let next = if self.may_replay(&failed.error) { Next::Replay } else { Next::AnotherUpstream };
        self.record_failure(request, failed, next);
    }

    /// Records a failed attempt, settles the permit, and logs the failure.
    pub(super) fn record_failure(&mut self, request: &ClientRequest, failed: FailedAttempt, next: Next) {
        let FailedAttempt { permit, place, mut error } = failed;
        let api = permit.endpoint().api.clone();
        let replayed = next == Next::Replay;
        if error.is_doubted && !replayed {
            self.refused_alike.remember(request, permit.endpoint());
        }
        if replayed {
            self.replays += 1;
            self.connection_lost |= error.failure.connection_lost;
            if error.replay == Some(Replay::WithoutStreamOptions) {
                self.without_stream_options = Some(api.clone());
            }
        } else {
            self.excluded.push(api.clone());
            self.may_panic &= !permit.is_probe();
            match error.failure.class == FailureClass::ObjectNotHere {
                true => self.home.is_not_here(request, &api),
                false => self.failures += 1,
            }
        }
        let failure = &mut error.failure;
        if failure.is_ambiguous() {
            failure.counted &= !self.failed_before;
            self.failed_before = true;
        }
        self.only_missing_paths &=
            failure.class == FailureClass::ModelNotFound && matches!(failure.status, Some(404 | 405));
        self.suspicions.extend(permit.suspicion(failure, &request.profile));
        let then = match next {
            Next::Replay => "the same upstream is asked again",
            Next::AnotherUpstream => "another is asked if one is left",
            Next::AnotherModel => "the next model of the alias is asked for",
            Next::GiveUp => "the client gets the error",
        };
        let level = if failure.class == FailureClass::ObjectNotHere { Level::Info } else { Level::Warn };
        log::log!(level, "{} {api} failed: {failure}; {then}", self.record.id());
        self.record.attempt_ended(place, AttemptResult::Failed(failure.clone()));
        let duration = permit.elapsed();
        let usage = error.usage.as_deref().copied();
        self.record.attempt_used(place, usage);
        permit.settle(Settlement { usage, ..Settlement::of(Outcome::Failed(failure.clone()), duration) });
        if !self.last.as_ref().is_some_and(|last| last.is_better_than(&error)) {
            self.last = Some(LastFailure { api, error, replayed });
        }
    }

    /// Returns the failure for the client, unless the upstream had just been asked in a wrong way.
    pub(super) fn take_last(&mut self) -> Option<LastFailure> {
        self.last.take().filter(|last| !last.replayed)
    }
}

/// Returns whether moving on is paid from the retry budget.
fn costs_budget(failure: &Failure) -> bool {
    // An upstream with a wrong key or address, or without the model, refuses every request until a rest begins.
    let is_of_the_account = failure.is_of_the_account() || matches!(failure.status, Some(401..=405 | 410));
    failure.class.counts_as_unhealthy() || !failure.certain && !is_of_the_account
}
