//! The questions to an [`super::UpstreamActor`], and the answers.

use std::fmt;
use std::sync::Arc;

use actix::prelude::*;
use quota::NoRoom;

use super::health::{Resting, Scope};
use super::{FastPath, Permit};
use crate::config::ApiConfig;
use crate::quotas::QuotaStatus;
use crate::types::{ApiId, FailureClass, Now, Profile, QuotaKind, RouteId, TokenStats};

/// Admit one attempt. Sent by the scheduler and awaited; the permit in the reply *is* the admission, and gives itself
/// back without a taker.
#[derive(Debug, Message)]
#[rtype(result = "Result<Forwarded, Declined>")]
pub struct Forward {
    /// What is to be forwarded.
    pub profile: Profile,
    /// Nobody else can serve the request: then an inferred rest is no obstacle.
    pub panic: bool,
}

/// The upstream did not answer with its models: show the failure in the status. Sent by the supervisor; a lost one shows nothing.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ListFailed {
    /// The kind of the failure.
    pub class: FailureClass,
    /// In words, with what to do.
    pub detail: String,
}

/// An upstream's yes.
#[derive(Debug)]
pub struct Forwarded {
    /// The right to one attempt.
    pub permit: Permit,
    /// The short way to the next such attempt, if there is one.
    pub fast_path: Option<Arc<FastPath>>,
}

/// An upstream's no.
#[derive(Debug)]
pub struct Declined {
    /// Why.
    pub refusal: Refusal,
    /// The short way there, with the time of the next try.
    pub fast_path: Option<Arc<FastPath>>,
}

/// Why an upstream takes no attempt now. Times are ms of the monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// One of our windows is full.
    QuotaExhausted {
        /// Which.
        which: QuotaKind,
        /// When there is room again, at the earliest; `None` if nobody knows: at the end of an open attempt.
        until: Option<u64>,
    },
    /// The upstream rests, or the model by this route.
    Resting(Resting),
    /// An operator said that the upstream rests.
    RestedByOperator {
        /// The end.
        until: u64,
    },
    /// The store can't promise that a crash would not forget this attempt, or that no other server uses its place.
    StoreUnavailable {
        /// When it is asked again.
        until: u64,
    },
    /// Whether it serves the model is not known: it could not be asked for its models.
    ModelsUnknown {
        /// When it is asked again.
        until: u64,
        /// Why it could not be asked the last time.
        why: Option<FailureClass>,
    },
    /// `enabled: false`, or a limit of 0.
    Disabled,
    /// It is no longer in the configuration.
    Retiring,
}

impl From<NoRoom> for Refusal {
    fn from(no_room: NoRoom) -> Refusal {
        match no_room {
            NoRoom::Disabled => Refusal::Disabled,
            NoRoom::Full { which, until } => Refusal::QuotaExhausted { which, until },
            NoRoom::StoreNotReady { until } => Refusal::StoreUnavailable { until },
        }
    }
}

impl Refusal {
    /// Returns when to ask again, if known.
    pub fn until(&self) -> Option<u64> {
        match self {
            Refusal::QuotaExhausted { until, .. } => *until,
            Refusal::Resting(Resting { until, .. })
            | Refusal::RestedByOperator { until }
            | Refusal::ModelsUnknown { until, .. }
            | Refusal::StoreUnavailable { until } => Some(*until),
            Refusal::Disabled | Refusal::Retiring => None,
        }
    }

    /// Returns when to ask again if nobody else can serve, if known.
    pub fn retry_at_in_panic(&self) -> Option<u64> {
        match self {
            Refusal::Resting(resting) => Some(resting.panic_from),
            Refusal::QuotaExhausted { .. }
            | Refusal::RestedByOperator { .. }
            | Refusal::StoreUnavailable { .. }
            | Refusal::ModelsUnknown { .. }
            | Refusal::Disabled
            | Refusal::Retiring => self.until(),
        }
    }

    /// Lets an inferred rest be an obstacle until then, as another upstream was asked just now.
    pub fn delay_panic_until(&mut self, at: u64) {
        if let Refusal::Resting(resting) = self {
            resting.panic_from = resting.panic_from.max(at).min(resting.until);
        }
    }

    /// Returns whether the upstream may be asked all the same if nobody else can serve.
    pub fn is_inferred(&self) -> bool {
        self.retry_at_in_panic() < self.until()
    }

    /// Returns whether the refusal may be over by `deadline` (ms, monotonic): only a limit passes by itself.
    pub fn may_pass_by(&self, deadline: u64) -> bool {
        self.is_limit() && self.retry_at_in_panic().is_none_or(|until| until <= deadline)
    }

    /// Returns the refusal, and the end as wall time (ms since the Unix epoch).
    pub(super) fn dated(self, now: Now) -> (Refusal, Option<i64>) {
        let until = self.until().map(|until| now.wall_at(until));
        (self, until)
    }

    /// Returns whether a limit is the reason, ours or the upstream's own: a limit passes by itself.
    pub fn is_limit(&self) -> bool {
        match self {
            Refusal::QuotaExhausted { .. } => true,
            Refusal::Resting(Resting { scope, reason, .. }) => {
                matches!(scope, Scope::Limit | Scope::ModelLimit) && *reason == FailureClass::RateLimited
            }
            Refusal::RestedByOperator { .. }
            | Refusal::StoreUnavailable { .. }
            | Refusal::ModelsUnknown { .. }
            | Refusal::Disabled
            | Refusal::Retiring => false,
        }
    }

    /// Returns whether the upstream does not have the model.
    pub fn is_missing_model(&self) -> bool {
        matches!(self, Refusal::Resting(Resting { scope: Scope::Model, reason: FailureClass::ModelNotFound, .. }))
    }

    /// Returns the word for programs: for people see the `Display`.
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::QuotaExhausted { which, .. } => which.as_str(),
            Refusal::Resting(Resting { scope, reason, .. }) => match scope {
                Scope::Service => "breaker",
                Scope::Limit => "cooldown",
                Scope::Key | Scope::Model | Scope::ModelLimit => reason.as_str(),
            },
            Refusal::RestedByOperator { .. } => "rested_by_operator",
            Refusal::StoreUnavailable { .. } => "store",
            Refusal::ModelsUnknown { .. } => "models_unknown",
            Refusal::Disabled => "disabled",
            Refusal::Retiring => "retired",
        }
    }
}

impl fmt::Display for Refusal {
    /// Writes the reason for people: the word with its cause, or a limit of the list `limits` as written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::QuotaExhausted { which, .. } => which.fmt(f),
            Refusal::ModelsUnknown { why: Some(why), .. } => write!(f, "{}: {}", self.reason(), why.as_str()),
            Refusal::Resting(_)
            | Refusal::RestedByOperator { .. }
            | Refusal::StoreUnavailable { .. }
            | Refusal::ModelsUnknown { why: None, .. }
            | Refusal::Disabled
            | Refusal::Retiring => f.write_str(self.reason()),
        }
    }
}

/// The entry of `apis` changed (or came back). Sent by the scheduler; a lost one leaves the old limits.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reconfigure(pub Arc<ApiConfig>);

/// The entry of `apis` is gone: take no more attempts, but keep the counts, in case it comes back. Sent by the
/// scheduler; a lost one changes nothing, as nobody is routed here any more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Retire;

/// Everything `/v1/status` tells of an upstream. Sent by the scheduler for a handler.
#[derive(Debug, Message)]
#[rtype(result = "ApiStatus")]
pub struct GetStatus;

/// What an upstream is and does just now. Times are ms since the Unix epoch, durations ms.
#[derive(Debug, Clone, MessageResponse)]
pub struct ApiStatus {
    /// As configured.
    pub config: Arc<ApiConfig>,
    /// Why it takes no attempt now, if it takes none, and until when.
    pub refusal: Option<(Refusal, Option<i64>)>,
    /// The upstream rests as a whole: the service, a limit or the key.
    pub resting: bool,
    /// The models in back-off, each by a route.
    pub absent_models: Vec<AbsentModel>,
    /// Failures in a row.
    pub error_count: u32,
    /// Its quotas: its own, its group's, and those of single models.
    pub quotas: Vec<QuotaStatus>,
    /// Attempts that are out.
    pub in_flight: u32,
    /// Moving averages of first token and whole exchange.
    pub latency_ms: (Option<u64>, Option<u64>),
    /// The last failure: when, its class, and what happened.
    pub last_failure: Option<(i64, FailureClass, String)>,
}

/// A model refused by an upstream.
#[derive(Debug, Clone)]
pub struct AbsentModel {
    /// By the upstream's own name.
    pub model: Arc<str>,
    /// By which route.
    pub operation: RouteId,
    /// The class of the refusal.
    pub reason: FailureClass,
    /// When it is asked again (ms since the Unix epoch).
    pub until: i64,
}

/// The token statistics. Sent by the scheduler for a handler.
#[derive(Debug, Message)]
#[rtype(result = "TokenReport")]
pub struct GetTokens;

/// The token statistics of one upstream, and what counts as now.
#[derive(Debug, Clone, MessageResponse)]
pub struct TokenReport {
    /// Whose.
    pub api: ApiId,
    /// The counts.
    pub stats: TokenStats,
    /// Tokens of the current hour.
    pub this_hour: u64,
    /// Tokens of the current day.
    pub today: u64,
}

/// Set the token statistics to zero; quotas stay. Sent by the scheduler for a handler, and awaited.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ResetTokens;
