//! What can be asked of an [`super::UpstreamActor`], and what it answers.

use std::sync::Arc;

use actix::prelude::*;
use quota::WindowUsage;

use super::{Lane, Permit};
use crate::config::ApiConfig;
use crate::types::{ApiId, FailureClass, Limits, Now, Operation, Profile, QuotaId, QuotaKind, TokenStats};

/// Admit one attempt. Sent by the scheduler and awaited; the permit in the reply *is* the admission, and gives itself
/// back if nobody takes it.
#[derive(Debug, Message)]
#[rtype(result = "Result<Permit, Declined>")]
pub struct Forward {
    /// What is to be forwarded.
    pub profile: Profile,
    /// Nobody else can serve it: then a rest of the breaker need not be over, nor a wait as far as it is a guess.
    pub last_resort: bool,
}

/// An upstream's no.
#[derive(Debug)]
pub struct Declined {
    /// Why.
    pub refusal: Refusal,
    /// The short way there, which knows when it is worth trying again.
    pub lane: Option<Arc<Lane>>,
}

/// Why an upstream takes no attempt now. Times are ms of the monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// One of our windows is full.
    QuotaExhausted {
        /// Which.
        which: QuotaKind,
        /// When it has room again, at the earliest; `None` if nobody knows: when something ends that is on the way.
        until: Option<u64>,
    },
    /// The upstream told us to wait, or refuses its key.
    CoolingDown {
        /// When it is asked again.
        until: u64,
        /// What it said.
        reason: FailureClass,
        /// When it is asked if nobody else is left, the wait being a guess of ours, or over but for its probe.
        last_resort: Option<u64>,
    },
    /// It failed too often.
    BreakerOpen {
        /// When it is probed.
        until: u64,
        /// When it is probed if nobody else is left.
        last_resort: u64,
    },
    /// This model is not to be had there for what is asked of it.
    Absent {
        /// What it said: that it does not serve it, or not to this key.
        reason: FailureClass,
        /// When it is asked again.
        until: u64,
        /// It only seems so: if nobody else is left, it is asked all the same.
        guess: bool,
    },
    /// The store can't promise that a crash would not forget this attempt, or that no other server uses its place.
    StoreUnavailable {
        /// When it is asked again.
        until: u64,
    },
    /// `enabled: false`, or a limit of 0.
    Disabled,
    /// It is no longer in the configuration.
    Retiring,
}

impl Refusal {
    /// When to ask again, if that can be told.
    pub fn until(&self) -> Option<u64> {
        match self {
            Refusal::QuotaExhausted { until, .. } => *until,
            Refusal::CoolingDown { until, .. }
            | Refusal::BreakerOpen { until, .. }
            | Refusal::Absent { until, .. }
            | Refusal::StoreUnavailable { until } => Some(*until),
            Refusal::Disabled | Refusal::Retiring => None,
        }
    }

    /// When to ask again if all others refuse as well, if that can be told.
    pub fn until_at_last(&self) -> Option<u64> {
        self.until().map(|until| until.min(self.last_resort().unwrap_or(until)))
    }

    /// From when it may be asked all the same, if nobody else is left. What the upstream told us itself holds.
    fn last_resort(&self) -> Option<u64> {
        match self {
            Refusal::CoolingDown { last_resort, .. } => *last_resort,
            Refusal::BreakerOpen { last_resort, .. } => Some(*last_resort),
            Refusal::Absent { guess, .. } => guess.then_some(0),
            Refusal::QuotaExhausted { .. }
            | Refusal::StoreUnavailable { .. }
            | Refusal::Disabled
            | Refusal::Retiring => None,
        }
    }

    /// Both hold: the one that ends last, and nobody is asked all the same before the other lets them.
    pub(super) fn beside(self, other: Refusal) -> Refusal {
        let (mut last, first) = if self.until() < other.until() { (other, self) } else { (self, other) };
        if let Refusal::CoolingDown { last_resort: Some(at), .. } | Refusal::BreakerOpen { last_resort: at, .. } =
            &mut last
        {
            *at = first.until_at_last().map_or(*at, |first| first.max(*at));
        }
        last
    }

    /// May it be over by `deadline` (ms, monotonic)? Only a limit passes by itself.
    pub fn may_pass_by(&self, deadline: u64) -> bool {
        self.is_limit() && self.until_at_last().is_none_or(|until| until <= deadline)
    }

    /// With its end as wall time (ms since the Unix epoch).
    pub(super) fn dated(self, now: Now) -> (Refusal, Option<i64>) {
        let until = self.until().map(|until| now.wall_at(until));
        (self, until)
    }

    /// May it be asked all the same, if nobody else is left?
    pub fn is_a_guess(&self) -> bool {
        self.last_resort().is_some()
    }

    /// Is it a limit, ours or theirs, which passes by itself?
    pub fn is_limit(&self) -> bool {
        match self {
            Refusal::QuotaExhausted { .. } => true,
            Refusal::CoolingDown { reason, .. } => *reason == FailureClass::RateLimited,
            Refusal::BreakerOpen { .. }
            | Refusal::Absent { .. }
            | Refusal::StoreUnavailable { .. }
            | Refusal::Disabled
            | Refusal::Retiring => false,
        }
    }

    /// The word for it in `/v1/status`.
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::QuotaExhausted { which, .. } => which.as_str(),
            Refusal::CoolingDown { reason: FailureClass::Unauthorized, .. } => "unauthorized",
            Refusal::CoolingDown { reason: FailureClass::PaymentRequired, .. } => "payment_required",
            Refusal::CoolingDown { .. } => "cooldown",
            Refusal::BreakerOpen { .. } => "breaker",
            Refusal::Absent { reason, .. } => reason.as_str(),
            Refusal::StoreUnavailable { .. } => "store",
            Refusal::Disabled => "disabled",
            Refusal::Retiring => "retired",
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
    /// Does it rest for a failure (breaker, cooldown, refused key)?
    pub resting: bool,
    /// The models that it says it does not serve, or not so.
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

/// A model that an upstream says it does not serve.
#[derive(Debug, Clone)]
pub struct AbsentModel {
    /// By its own name.
    pub model: Arc<str>,
    /// For what.
    pub operation: Operation,
    /// How it says so.
    pub reason: FailureClass,
    /// When it is asked again (ms since the Unix epoch).
    pub until: i64,
}

/// One quota of an upstream.
#[derive(Debug, Clone)]
pub struct QuotaStatus {
    /// Whose.
    pub id: QuotaId,
    /// The model that it is for, by the upstream's own name; all together, if there is none.
    pub model: Option<Arc<str>>,
    /// Its bounds.
    pub limits: Limits,
    /// Requests, with those under way and those of other servers.
    pub requests: WindowUsage,
    /// Tokens, likewise.
    pub tokens: WindowUsage,
    /// Why it has no room just now, and until when (ms since the Unix epoch).
    pub refusal: Option<(Refusal, Option<i64>)>,
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
