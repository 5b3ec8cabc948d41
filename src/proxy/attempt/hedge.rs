//! A second attempt beside a silent first one (`retry.hedgeAfterMs`). The first answer wins. Dropping the other attempt stops its
//! upstream.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::timeout;

use super::run;
use crate::proxy::attempt_error::AttemptError;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::pool::Upstreams;
use crate::proxy::response::CommittedResponse;
use crate::proxy::retry_state::{FailedAttempt, RetryState};
use crate::types::ApiId;
use crate::upstream::Permit;

pub(in crate::proxy) struct Ended {
    pub(in crate::proxy) permit: Permit,
    /// The place in the record.
    pub(in crate::proxy) place: usize,
    pub(in crate::proxy) result: Result<Box<CommittedResponse>, AttemptError>,
}

/// Makes an attempt, and a second one beside it if the first is silent for `retry.hedgeAfterMs`.
pub(in crate::proxy) async fn attempt(
    upstreams: &impl Upstreams,
    request: &ClientRequest,
    permit: Permit,
    state: &mut RetryState<'_>,
) -> Ended {
    // A second attempt would make a second object.
    match state.config.hedge_after.filter(|_| !request.route.objects.makes) {
        None => run_recorded(upstreams, request, permit, state).await,
        // Boxed: requests without a hedge need not carry the state.
        Some(after) => {
            let hedge = Hedge { upstreams, request, after };
            Box::pin(hedge.run(permit, state)).await
        }
    }
}

async fn run_recorded(
    upstreams: &impl Upstreams,
    request: &ClientRequest,
    mut permit: Permit,
    state: &mut RetryState<'_>,
) -> Ended {
    let place = state.begin_attempt(request, &mut permit);
    // Boxed: the allocator serves small sizes from the thread's own cache, and an attempt would make this future large.
    let result = Box::pin(run(upstreams, &permit, request, state.config.retry_on)).await;
    Ended { permit, place, result }
}

struct Hedge<'a, U> {
    upstreams: &'a U,
    request: &'a ClientRequest,
    after: Duration,
}

impl<U: Upstreams> Hedge<'_, U> {
    async fn run(self, mut permit: Permit, state: &mut RetryState<'_>) -> Ended {
        let api = permit.endpoint().api.clone();
        let place = state.begin_attempt(self.request, &mut permit);
        let retry_on = state.config.retry_on;
        let mut first = pin!(async {
            let result = run(self.upstreams, &permit, self.request, retry_on).await;
            Ended { permit, place, result }
        });
        if let Ok(ended) = timeout(self.after, &mut first).await {
            return ended;
        }
        let (ended, other) = {
            let second = pin!(self.second(&api, state));
            match select(first, second).await {
                Either::Left((ended, second)) if ended.result.is_err() => (ended, second.await),
                Either::Left((ended, _)) => (ended, None),
                Either::Right((None, first)) => (first.await, None),
                Either::Right((Some(ended), first)) if ended.result.is_err() => (ended, Some(first.await)),
                Either::Right((Some(ended), _)) => (ended, None),
            }
        };
        match other {
            None => ended,
            Some(other) => {
                let Ended { permit, place, result } = ended;
                if let Err(error) = result {
                    state.record_failed_hedge(self.request, FailedAttempt { permit, place, error });
                }
                other
            }
        }
    }

    /// The attempt beside the first, if another upstream has room and the budget allows one.
    async fn second(&self, first: &ApiId, state: &mut RetryState<'_>) -> Option<Ended> {
        let selected = self.upstreams.select(state.hedge_selection(self.request, first)).await;
        let permit = state.admitted(selected).ok().filter(|permit| !state.is_refused_alike(self.request, permit))?;
        // Without budget the permit is dropped, which gives it back.
        if state.withdraw() { Some(run_recorded(self.upstreams, self.request, permit, state).await) } else { None }
    }
}
