//! One request on its way through the pool: whom it has been to, and whether it may go on.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::{sleep, timeout};

use super::dispatch::Pool;
use super::exchange::{Answer, Failed, attempt};
use super::request::ClientRequest;
use super::retry::backoff;
use crate::config::RetryConfig;
use crate::scheduler::{AdmissionError, Select};
use crate::types::{ApiId, Blame, ClassSet, Failure, FailureClass, Now, Outcome, RateLimitSummary, Settlement};
use crate::upstream::{Endpoint, Permit, Witness};

/// How often one request may be sent to the same upstream again that had not failed, but was asked in a wrong way (on a
/// connection that it had closed, with `stream_options` that it does not know). These don't count as attempts.
const MAX_REPEATS: usize = 3;

/// The way of one request so far.
pub(super) struct Journey<'a> {
    pool: &'a Pool,
    request: &'a ClientRequest,
    retry: RetryConfig,
    /// Lives as long as the client waits for this.
    client: Arc<()>,
    tried: RefCell<Vec<ApiId>>,
    repeats: Cell<usize>,
    /// Who refused `stream_options`, as it seems: to be believed once it takes the request without. From then on it goes without.
    plain: RefCell<Option<ApiId>>,
    /// The same, as long as it has not gone anywhere without.
    unheard: RefCell<Option<Witness>>,
    /// Did a connection break under it that others were on, too?
    broke: Cell<bool>,
    /// Failures that it was blamed for itself.
    blamed: RefCell<Vec<Witness>>,
    /// How often an upstream was asked again for want of another.
    again: Cell<u32>,
    /// Exchanges that were begun, repeats included.
    pub(super) exchanges: Cell<u32>,
    /// How they failed that the request may have brought about itself.
    seen: Cell<ClassSet>,
    /// Attempts that failed.
    pub(super) failures: Cell<usize>,
    /// The last one that was asked.
    pub(super) target: RefCell<Option<Arc<Endpoint>>>,
    /// What the pool's limits leave, as it was last told.
    pub(super) rate: Cell<Option<RateLimitSummary>>,
}

impl<'a> Journey<'a> {
    /// A request sets out.
    pub(super) fn begin(pool: &'a Pool, request: &'a ClientRequest, retry: RetryConfig) -> Self {
        pool.budget.earn(retry.budget, Now::read_mono());
        Journey {
            pool,
            request,
            retry,
            client: Arc::new(()),
            tried: RefCell::default(),
            repeats: Cell::new(0),
            plain: RefCell::default(),
            unheard: RefCell::default(),
            broke: Cell::new(false),
            blamed: RefCell::default(),
            again: Cell::new(0),
            exchanges: Cell::new(0),
            seen: Cell::new(ClassSet::NONE),
            failures: Cell::new(0),
            target: RefCell::new(None),
            rate: Cell::new(None),
        }
    }

    /// A permit of an upstream that it has not been to. `besides`: one that is being asked meanwhile; then there is no hurry, and so
    /// no waiting in the line.
    pub(super) async fn select(&self, besides: Option<&ApiId>) -> Result<Permit, AdmissionError> {
        let tried = self.tried.borrow().iter().chain(besides).cloned().collect();
        let (profile, client) = (self.request.profile.clone(), Arc::downgrade(&self.client));
        let select = Select { profile, tried, client, waits: besides.is_none() };
        match self.pool.scheduler.send(select).await.unwrap_or(Err(AdmissionError::Stopping)) {
            Ok(admitted) => {
                self.rate.set(admitted.rate);
                Ok(admitted.permit)
            }
            Err(refused) => {
                if let AdmissionError::NoneAvailable { rate, .. } = &refused {
                    self.rate.set(*rate);
                    if besides.is_none() {
                        self.unheard.take().into_iter().for_each(Witness::leaves_open);
                    }
                }
                Err(refused)
            }
        }
    }

    /// One attempt, or two at the same time.
    pub(super) async fn attempt(&self, permit: Permit) -> Result<(Permit, Answer), Failed> {
        match self.retry.hedge_after {
            // Boxed, so that who does not hedge does not carry it.
            Some(after) => Box::pin(self.hedged(permit, after)).await,
            None => self.exchange(permit).await,
        }
    }

    /// One attempt; if no answer comes for `after` (`retry.hedgeAfterMs`), another one besides. The first that has something for
    /// the client is heard, and the other is stopped by being dropped.
    async fn hedged(&self, permit: Permit, after: Duration) -> Result<(Permit, Answer), Failed> {
        let first_api = permit.endpoint().api.clone();
        let mut first = pin!(self.exchange(permit));
        if let Ok(ended) = timeout(after, &mut first).await {
            return ended;
        }
        let second = pin!(async {
            let permit = self.select(Some(&first_api)).await.ok()?;
            // If there is nothing to spend, the permit gives itself back.
            let may = self.pool.budget.spend(self.retry.budget, Now::read_mono());
            if may { Some(self.exchange(permit).await) } else { None }
        });
        match select(first, second).await {
            Either::Left((Ok(answer), _)) | Either::Right((Some(Ok(answer)), _)) => Ok(answer),
            Either::Left((Err(failed), second)) => second.await.unwrap_or(Err(failed)),
            Either::Right((None | Some(Err(_)), first)) => first.await,
        }
    }

    async fn exchange(&self, mut permit: Permit) -> Result<(Permit, Answer), Failed> {
        permit.ask_usage &= self.plain.borrow().is_none();
        self.unheard.take();
        self.exchanges.set(self.exchanges.get() + 1);
        self.target.replace(Some(permit.endpoint().clone()));
        // Boxed: the allocator serves small sizes from the thread's own shelf, and an attempt would make this one large.
        match Box::pin(attempt(&self.pool.clients, &permit, self.request, self.retry.retry_on)).await {
            Ok(answer) => {
                if answer.outcome == Outcome::Completed {
                    self.served(&permit);
                }
                if self.retry.hedge_after.is_some() {
                    self.target.replace(Some(permit.endpoint().clone()));
                }
                Ok((permit, answer))
            }
            Err(mut failed) => {
                self.take_in(permit, &mut failed.failure);
                Err(failed)
            }
        }
    }

    /// It is served: what other upstreams made of it was not its own fault.
    fn served(&self, permit: &Permit) {
        if self.plain.borrow().as_ref() == Some(&permit.endpoint().api) {
            permit.stream_options_refused();
        } else if permit.ask_usage && self.request.lacks_usage() {
            permit.stream_options_taken();
        }
        self.blamed.take().into_iter().filter(|witness| !witness.is_of(permit)).for_each(Witness::testify);
    }

    /// An attempt failed.
    fn take_in(&self, permit: Permit, failure: &mut Failure) {
        self.compare(failure);
        let api = &permit.endpoint().api;
        log::warn!("{api}: attempt failed: {failure}");
        if !self.takes_a_repeat(failure) {
            self.tried.borrow_mut().push(api.clone());
            self.failures.set(self.failures.get() + 1);
        }
        if failure.class == FailureClass::StreamOptionsRefused {
            self.plain.replace(Some(api.clone()));
            self.unheard.replace(Some(permit.witness(failure.clone())));
        }
        if failure.blame == Blame::Request && !failure.class.is_of_the_model() {
            self.blamed.borrow_mut().push(permit.witness(failure.clone()));
        }
        let duration = permit.elapsed();
        permit.settle(Settlement::of(Outcome::Failed(failure.clone()), duration));
    }

    /// Takes one of the repeats, if the same upstream may be asked again: behind a connection that broke with others on it, once.
    fn takes_a_repeat(&self, failure: &Failure) -> bool {
        let broke = matches!(failure.blame, Blame::Connection | Blame::Told);
        let again = failure.class.same_upstream_again() || broke && !self.broke.replace(true);
        let takes = again && self.repeats.get() < MAX_REPEATS;
        self.repeats.set(self.repeats.get() + usize::from(takes));
        takes
    }

    /// One request that fails everywhere in the same way must not rest the whole pool: it counts where it failed first, unless it is
    /// served in the end.
    fn compare(&self, failure: &mut Failure) {
        let seen = self.seen.get();
        if failure.blame == Blame::Unclear && seen.contains(failure.class) {
            failure.blame = Blame::Request;
        }
        if matches!(failure.blame, Blame::Unclear | Blame::Connection) {
            self.seen.set(seen.with(failure.class));
        }
    }

    /// May it go on after this failure?
    pub(super) fn goes_on(&self, failure: &Failure) -> bool {
        let class = failure.class;
        if self.failures.get() >= self.retry.max_attempts {
            return false;
        }
        // We had asked wrongly: that is no failure.
        if class.same_upstream_again() {
            return true;
        }
        // Who is refused everywhere asks for trouble.
        let costs = class.is_trouble() || failure.blame == Blame::Request;
        self.retry.retry_on.contains(class) && (!costs || self.pool.budget.spend(self.retry.budget, Now::read_mono()))
    }

    /// No other upstream is left: may those that it has been to be asked once more (`retry.sameUpstream`)? Then a pause is over
    /// when this resolves.
    pub(super) async fn comes_again(&self, last: Option<&Failed>) -> bool {
        let nth = self.again.get();
        if nth >= self.retry.same_upstream || !last.is_some_and(|last| last.failure.class.is_trouble()) {
            return false;
        }
        self.again.set(nth + 1);
        self.tried.borrow_mut().clear();
        sleep(backoff(self.retry.backoff, nth, rand::random())).await;
        true
    }
}
