//! Entries that would reject a request as another entry did: ten keys of one address are one judge.
//!
//! The loop does not know all entries. So one that is selected gives the permit back, and is excluded.

use super::RetryState;
use crate::proxy::client_request::ClientRequest;
use crate::types::ApiId;
use crate::upstream::{Endpoint, Permit};

/// Addresses and models with a rejection in doubt. No more than `retry.maxAttempts`.
#[derive(Debug, Default)]
pub(super) struct RefusedAlike(Vec<Judge>);

/// Who judged a request.
#[derive(Debug, PartialEq, Eq)]
struct Judge {
    tls: bool,
    base: String,
    model: String,
}

impl Judge {
    fn of(request: &ClientRequest, endpoint: &Endpoint) -> Option<Judge> {
        let reach = endpoint.reach(request.route.id.format())?;
        let requested = &request.profile.model;
        let model = endpoint.upstream_model(requested).unwrap_or(requested).to_string();
        Some(Judge { tls: reach.tls, base: reach.base.clone(), model })
    }
}

impl RefusedAlike {
    /// Remembers a rejection in doubt.
    pub(super) fn remember(&mut self, request: &ClientRequest, endpoint: &Endpoint) {
        self.0.extend(Judge::of(request, endpoint));
    }

    fn contains(&self, request: &ClientRequest, endpoint: &Endpoint) -> bool {
        !self.0.is_empty() && Judge::of(request, endpoint).is_some_and(|judge| self.0.contains(&judge))
    }
}

impl RetryState<'_> {
    /// Returns whether the address of this permit has rejected the request for the same model.
    pub(in crate::proxy) fn is_refused_alike(&self, request: &ClientRequest, permit: &Permit) -> bool {
        self.refused_alike.contains(request, permit.endpoint())
    }

    /// Asks this upstream no more for the request.
    pub(in crate::proxy) fn exclude(&mut self, api: ApiId) {
        self.excluded.push(api);
    }
}
