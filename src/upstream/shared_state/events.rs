//! What workers report to an upstream's actor, over an [`EventQueue`](crate::quotas::EventQueue).

use std::sync::Arc;
use std::time::Duration;

use quota::Demand;

use super::ModelCredits;
use crate::types::{Failure, Now, RouteId, SentAt, Settlement, Usage};

/// A worker's report.
#[derive(Debug)]
pub(crate) enum UpstreamEvent {
    /// An attempt was admitted by a fast path, and takes so much at most.
    Admitted {
        credits: Arc<ModelCredits>,
        route: RouteId,
        sent_at: SentAt,
        demand: Demand,
        /// ms, monotonic.
        admitted_at: u64,
    },
    /// An attempt was not admitted: the first quotas of a fast path had room, and the next had none.
    Refunded {
        credits: Arc<ModelCredits>,
        /// How many quotas get units back.
        count: usize,
        demand: Demand,
    },
    /// An attempt had an answer for the client.
    Responded {
        sent_at: SentAt,
        at: Now,
        /// The answer says how long the upstream has nothing left.
        exhausted_for: Option<Duration>,
    },
    /// An attempt ended.
    Settled { sent_at: SentAt, settlement: Settlement },
    /// The upstream did something that nobody had asked for, or that was not admitted: no request, only what was used.
    Spent {
        /// By the upstream's own name.
        model: Arc<str>,
        usage: Usage,
    },
    /// Another upstream served what this one had refused.
    Confirmed(ConfirmedRefusal),
}

/// A refusal by one upstream of a request served by another.
#[derive(Debug)]
pub(crate) struct ConfirmedRefusal {
    /// Of the refusing endpoint: a changed entry has another one.
    pub(in crate::upstream) endpoint_serial: u64,
    /// By the upstream's own name.
    pub(in crate::upstream) model: Arc<str>,
    pub(in crate::upstream) route: RouteId,
    /// ms, monotonic.
    pub(in crate::upstream) admitted_at: u64,
    pub(in crate::upstream) failure: Failure,
}
