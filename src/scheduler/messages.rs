//! What can be asked of the [`super::SchedulerActor`], and what it answers.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use actix::prelude::*;
use quota::PoolLimits;
use thiserror::Error;
use tokio::sync::oneshot;

use super::board::{Board, MailboxReport, Mailed};
use crate::types::{ApiId, Profile, RateLimitSummary};
use crate::upstream::{ApiStatus, FastPath, Permit, Refusal, TokenReport};

/// An admitted upstream for this request, now. Sent by the data path to the scheduler of its worker, and awaited; the permit
/// in the reply gives itself back if nobody takes it.
#[derive(Debug, Message)]
#[rtype(result = "Result<Admitted, AdmissionError>")]
pub struct Select {
    /// What is to be forwarded.
    pub profile: Profile,
    /// Upstreams that failed this request already.
    pub tried: Vec<ApiId>,
    /// Gone when the client has left: then nobody waits for it in the line.
    pub client: Weak<()>,
    /// May it wait in the line at all? Not one that is asked besides another (a hedge).
    pub waits: bool,
}

/// The answer to a [`Select`].
#[derive(Debug)]
pub struct Admitted {
    /// The right to one attempt.
    pub permit: Permit,
    /// What the pool's limits leave for the model.
    pub rate: Option<RateLimitSummary>,
}

/// A selection that a scheduler can't make alone. Sent by a worker's scheduler to the supervisor; a lost one is answered by
/// the scheduler, in time.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Ask {
    /// The request.
    pub(super) select: Select,
    /// The upstream that the strategy has drawn already.
    pub(super) first: Option<ApiId>,
    /// Who waits for the answer.
    pub(super) reply: oneshot::Sender<Result<Granted, AdmissionError>>,
    /// It waits in the mailbox.
    pub(super) mailed: Mailed,
}

/// The answer to an [`Ask`], with what makes the next one needless.
#[derive(Debug)]
pub(super) struct Granted {
    /// The right to one attempt.
    pub(super) permit: Permit,
    /// The short ways to it, and to those that declined, by their positions.
    pub(super) lanes: Vec<(usize, Arc<FastPath>)>,
    /// The limits on requests for the model, to be summed up by whoever answers.
    pub(super) limits: Arc<PoolLimits>,
    /// The state of the pool in which that is so.
    pub(super) board: Arc<Board>,
}

/// Why the pool admits a request nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AdmissionError {
    /// No upstream serves the model.
    #[error("no API of this pool serves the model {0:?}")]
    ModelNotFound(Arc<str>),
    /// Upstreams serve it, and none can just now: why, for each.
    #[error("no API can serve the model {model:?} now")]
    NoneAvailable {
        /// The model.
        model: Arc<str>,
        /// What each of them said. Empty if all were tried already.
        refusals: Vec<(ApiId, Refusal)>,
        /// What the pool's limits leave for the model.
        rate: Option<RateLimitSummary>,
    },
    /// The supervisor did not answer in time: the disk is slow, or the process overloaded.
    #[error("no API could be admitted in time")]
    NotInTime,
    /// The supervisor's mailbox is full (`actors.mailbox`).
    #[error("too many requests wait to be admitted")]
    Overloaded,
    /// The supervisor is not there: the process is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// An upstream was asked for its models. Sent by the discovery; a lost one leaves the old list until it asks again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ModelsFound {
    /// Whose.
    pub api: ApiId,
    /// What it serves.
    pub models: ModelNames,
}

/// An upstream could not be asked for its models. Sent by the discovery; a lost one makes clients wait a second instead.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ModelsUnavailable {
    /// Whose.
    pub api: ApiId,
    /// When the upstream is asked again (ms, monotonic).
    pub retry_at: u64,
}

/// What an upstream that was asked for its models serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelNames {
    /// These.
    These(BTreeSet<Arc<str>>),
    /// It has no list (404, 405, …): whatever is asked for is worth a try.
    Any,
}

/// The names that clients may ask for, sorted. Sent by the handler of `/v1/models`.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Arc<str>>")]
pub struct GetModels;

/// What each configured upstream is and does, in the order of the configuration. Sent by the handler of `/v1/status`.
#[derive(Debug, Message)]
#[rtype(result = "Vec<ApiReport>")]
pub struct GetReports;

/// One upstream's status, and the models that are routed to it.
#[derive(Debug, Clone)]
pub struct ApiReport {
    /// Its own account.
    pub status: ApiStatus,
    /// Requested names that are routed to it; `None` while it has not told its models.
    pub models: Option<ModelNames>,
}

/// How the supervisor's mailbox fares. Sent by the handler of `/v1/status`.
#[derive(Debug, Message)]
#[rtype(result = "MailboxReport")]
pub struct GetMailbox;

/// The token statistics of every upstream that this process knows, gone ones included. Sent by the handler of
/// `/v1/token/stats`.
#[derive(Debug, Message)]
#[rtype(result = "Vec<TokenReport>")]
pub struct GetTokenReports;

/// Set token statistics to zero, of one upstream or of all. Sent by the handler of `/v1/token/reset`.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), UnknownApi>")]
pub struct ResetTokenStats(pub Option<ApiId>);

/// No upstream has this id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no API has the id {:?}", .0.as_str())]
pub struct UnknownApi(pub ApiId);

/// The process stops: every upstream is to save exact counts. Sent by the app at shutdown and awaited.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopUpstreams;
