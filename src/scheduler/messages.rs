//! The questions to the [`super::SchedulerActor`] and the [`super::SupervisorActor`], and the answers.

use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use thiserror::Error;

use super::model_names::{ModelNames, ServedNames};
use crate::types::{ApiId, FailureClass, ModelKey, NameList, Profile, RateLimitSummary, RequestTarget, WireFormat};
use crate::upstream::{ApiStatus, Permit, Refusal, TokenReport};

/// Select an upstream with room for this request, now. Sent by the data path to the scheduler of its worker, and awaited. The
/// permit in the reply gives itself back without a taker.
#[derive(Debug, Message)]
#[rtype(result = "Result<Admitted, AdmissionError>")]
pub struct Select {
    /// What the request asks of the pool.
    pub profile: Profile,
    /// Which upstreams may serve the request. A home that is not configured any more is none.
    pub target: RequestTarget,
    /// Upstreams that have failed this request.
    pub excluded: Vec<ApiId>,
    /// Gone when the client has left: the request then leaves the wait queue.
    pub client: Weak<()>,
    /// The request may wait for a limit. A hedge may not, as another attempt is under way.
    pub may_queue: bool,
    /// The request may probe a resting upstream if nobody else can serve. A request whose probe failed may not.
    pub may_panic: bool,
}

/// The answer to a [`Select`].
#[derive(Debug)]
pub struct Admitted {
    /// The right to one attempt.
    pub permit: Permit,
    /// What the pool's limits leave for the model.
    pub rate: Option<RateLimitSummary>,
    /// How long the request waited for a limit to free (`queue`).
    pub waited: Duration,
}

/// Why no upstream of the pool admits a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AdmissionError {
    /// No upstream serves the model.
    #[error("no API of this pool serves the model {0:?}")]
    ModelNotFound(Arc<str>),
    /// Upstreams serve the model, in another format only.
    #[error("no API of this pool serves the model {model:?} in this format")]
    OtherFormat {
        /// The model.
        model: Arc<str>,
        /// The format in which the model is served.
        served: WireFormat,
    },
    /// Upstreams serve the model, and none of them is open to the client's key.
    #[error("no API that is open to the key serves the model {0:?}")]
    ClosedToKey(Arc<str>),
    /// Upstreams serve the model, and none can now.
    #[error("no API can serve the model {model:?} now")]
    NoneAvailable {
        /// The model.
        model: Arc<str>,
        /// The refusal of each upstream. Empty if all have failed the request before.
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
    /// The supervisor has ended: the process is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl AdmissionError {
    /// Returns whether no upstream has what is asked for, whatever the time.
    pub fn is_nobody(&self) -> bool {
        match self {
            AdmissionError::ModelNotFound(_) | AdmissionError::OtherFormat { .. } => true,
            AdmissionError::NoneAvailable { refusals, .. } => {
                !refusals.is_empty() && refusals.iter().all(|(_, refusal)| refusal.is_missing_model())
            }
            AdmissionError::ClosedToKey(_)
            | AdmissionError::NotInTime
            | AdmissionError::Overloaded
            | AdmissionError::Stopping => false,
        }
    }

    /// Returns whether an upstream refused for a time only.
    pub fn passes_by_itself(&self) -> bool {
        match self {
            AdmissionError::NoneAvailable { refusals, .. } => {
                refusals.iter().any(|(_, refusal)| refusal.until().is_some() || refusal.is_limit())
            }
            AdmissionError::ModelNotFound(_)
            | AdmissionError::OtherFormat { .. }
            | AdmissionError::ClosedToKey(_)
            | AdmissionError::NotInTime
            | AdmissionError::Overloaded
            | AdmissionError::Stopping => false,
        }
    }
}

/// An upstream answered with its models. Sent by the discovery; a lost one leaves the old list until the next.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ModelsFound {
    /// The upstream.
    pub api: ApiId,
    /// The models.
    pub models: ModelNames,
}

/// An upstream did not answer with its models. Sent by the discovery; a lost one makes clients wait a second instead.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ModelsUnavailable {
    /// The upstream.
    pub api: ApiId,
    /// When the upstream is asked again (ms, monotonic).
    pub retry_at: u64,
    /// The kind of the failure.
    pub class: FailureClass,
    /// In words, with what to do.
    pub detail: String,
}

/// Return the names that clients of this format may ask for, sorted. If no API offers the format: the names of the other one. Sent
/// by the handler of `/v1/models`.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Arc<str>>")]
pub struct GetModels {
    /// The format.
    pub format: WireFormat,
    /// The ids of the APIs that are open to the client's key; `None` for all.
    pub apis: Option<Arc<NameList>>,
}

/// Return the names that are near to one that does not exist. Sent by the data path to the scheduler of its worker.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Arc<str>>")]
pub struct GetSimilarNames {
    /// The name that does not exist.
    pub of: ModelKey,
    /// The ids of the APIs that are open to the client's key; `None` for all.
    pub apis: Option<Arc<NameList>>,
}

/// Return the state of each configured upstream, in the order of the configuration. Sent by the handler of `/v1/status`.
#[derive(Debug, Message)]
#[rtype(result = "Vec<ApiReport>")]
pub struct GetReports;

/// Return how many requests wait for a limit to free. Sent by the handler of `/metrics`.
#[derive(Debug, Message)]
#[rtype(result = "usize")]
pub struct GetWaiting;

/// One upstream's status, and the models that are routed there.
#[derive(Debug, Clone)]
pub struct ApiReport {
    /// The upstream's own report.
    pub status: ApiStatus,
    /// The requested names routed there; `None` while the list of models is missing.
    pub models: Option<ServedNames>,
    /// When the list of models may be there (ms, monotonic), if it decides what is served here, and is missing.
    pub models_at: Option<u64>,
}

/// Return the token statistics of every upstream known to this process, also of former ones. Sent by the handler of
/// `/v1/token/stats`.
#[derive(Debug, Message)]
#[rtype(result = "Vec<TokenReport>")]
pub struct GetTokenReports;

/// Set the token statistics of one upstream, or of all, to zero. Sent by the handler of `/v1/token/reset`.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), UnknownApi>")]
pub struct ResetTokenStats(pub Option<ApiId>);

/// Let an upstream rest until a time, in place of an earlier such rest. Sent by the dashboard for an operator, and awaited.
/// Returns the end: a time that is over ends such a rest, and none is longer than a year.
#[derive(Debug, Message)]
#[rtype(result = "Result<i64, UnknownApi>")]
pub struct RestUpstream {
    /// The upstream.
    pub api: ApiId,
    /// ms since the Unix epoch.
    pub until: i64,
}

/// End every rest of an upstream, by an operator or by itself, also of single models: try it again now. Counts of limits stay. Sent by
/// the dashboard for an operator, and awaited.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), UnknownApi>")]
pub struct ClearRest {
    /// The upstream.
    pub api: ApiId,
}

/// No upstream has this id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no API has the id {:?}", .0.as_str())]
pub struct UnknownApi(pub ApiId);

/// The process stops: save exact counts. Sent by the app at shutdown, and awaited. A lost one costs granted units.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopUpstreams;
