//! What goes between the schedulers of the workers and the supervisor, and from the supervisor to itself.

use std::sync::Arc;

use actix::prelude::*;
use quota::PoolLimits;
use tokio::sync::oneshot;

use super::messages::{AdmissionError, Select};
use super::selection::ChosenUpstream;
use crate::types::ApiId;

/// Decide a selection that a worker can't decide alone. Sent by a worker's scheduler. If lost, the scheduler answers by its
/// own deadline.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct SelectSlow {
    pub(super) select: Select,
    /// The upstream that the worker has picked already.
    pub(super) picked: Option<ApiId>,
    pub(super) reply: oneshot::Sender<Result<Selected, AdmissionError>>,
}

/// The answer to a [`SelectSlow`]: a permit, and what the worker needs to decide the next selection alone.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) choice: ChosenUpstream,
    /// The limits on requests for the model. The worker sums up what is left of them.
    pub(super) limits: Arc<PoolLimits>,
}
