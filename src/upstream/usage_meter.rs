//! Counts what an upstream did without an admission.

use std::sync::Arc;

use super::Permit;
use super::shared_state::{SharedState, UpstreamEvent};
use crate::quotas::Urgency;
use crate::types::Usage;

/// Counts usage that no permit stands for: the upstream began by itself.
#[derive(Debug)]
pub struct UsageMeter(Arc<SharedState>);

impl UsageMeter {
    /// Returns the meter of the upstream that a permit is for.
    pub fn of(permit: &Permit) -> UsageMeter {
        UsageMeter(permit.shared().clone())
    }

    /// Counts tokens, money and units of a model, by the upstream's own name. No request is counted.
    pub fn count(&self, model: Arc<str>, usage: Usage) {
        // What was used may fill a window.
        self.0.events.push(UpstreamEvent::Spent { model, usage }, Urgency::Blocking);
    }
}
