//! The limits of a quota.

use std::fmt;

use crate::demand::Measure;
use crate::listed_limit::{LimitUnit, ListedLimit};
use crate::pacing::Pacing;
use crate::period::Period;

/// The most units in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Limit {
    /// No bound of ours (`-1`, or left out).
    #[default]
    Unlimited,
    /// So many units at most. 0 disables the API.
    AtMost(u64),
}

impl Limit {
    /// Returns the bound, if there is one.
    pub fn bound(self) -> Option<u64> {
        match self {
            Limit::Unlimited => None,
            Limit::AtMost(bound) => Some(bound),
        }
    }

    /// Returns the limit in the form of the configuration, with -1 for unlimited.
    pub fn as_configured(self) -> i64 {
        self.bound().map_or(-1, |bound| i64::try_from(bound).unwrap_or(i64::MAX))
    }

    /// Returns the tighter of two limits.
    pub fn min(self, other: Limit) -> Limit {
        match (self.bound(), other.bound()) {
            (Some(a), Some(b)) => Limit::AtMost(a.min(b)),
            (Some(a), None) | (None, Some(a)) => Limit::AtMost(a),
            (None, None) => Limit::Unlimited,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Unlimited => f.write_str("unlimited"),
            Limit::AtMost(bound) => write!(f, "{bound}"),
        }
    }
}

/// The most requests in any span of a length shorter than a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// The most requests; at least 1.
    pub requests: u64,
    /// The length of the span in ms.
    pub span_ms: u64,
}

/// The bounds of one quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests a minute.
    pub rpm: Limit,
    /// Requests a day.
    pub rpd: Limit,
    /// Tokens a minute.
    pub tpm: Limit,
    /// Tokens a day.
    pub tpd: Limit,
    /// Requests in a span shorter than a minute.
    pub burst: Option<Burst>,
    /// Requests at the same time.
    pub max_concurrent: Option<u32>,
    /// What `tpm` and `tpd` count.
    pub measure: Measure,
    /// How `rpd` and `tpd` may be used over the period. Without effect on a rolling period.
    pub pacing: Pacing,
    /// Unit and period of an entry of `limits`. The amount of the entry is in `rpd` or `tpd`, and the entry's period replaces the day.
    pub listed: Option<(LimitUnit, Period)>,
}

impl Limits {
    /// Returns whether nothing is bounded.
    pub fn are_none(&self) -> bool {
        *self == Limits { measure: self.measure, listed: self.listed, pacing: self.pacing, ..Limits::default() }
    }

    /// Returns whether any limit is 0.
    pub fn disable(&self) -> bool {
        [self.rpm, self.rpd, self.tpm, self.tpd].contains(&Limit::AtMost(0))
    }

    /// Returns the period of `rpd` and `tpd`.
    pub fn period(&self) -> Period {
        self.listed.map_or(Period::Day, |(_, period)| period)
    }

    /// Returns the entry of `limits` that this quota is for, if any.
    pub fn listed_limit(&self) -> Option<ListedLimit> {
        let (unit, period) = self.listed?;
        let bound = match unit {
            LimitUnit::Requests => self.rpd.bound(),
            LimitUnit::Tokens | LimitUnit::Usd => self.tpd.bound(),
        };
        Some(ListedLimit { amount: bound?, unit, period })
    }

    /// Returns the kind with this name ([`QuotaKind::as_str`]). A shared store names kinds so.
    pub fn kind(&self, name: &str) -> Option<QuotaKind> {
        let kind = QuotaKind::PLAIN.into_iter().find(|kind| kind.as_str() == name)?;
        let Some(listed) = self.listed_limit() else { return Some(kind) };
        Some(match kind {
            QuotaKind::Rpd | QuotaKind::Tpd => QuotaKind::Listed(listed),
            QuotaKind::RpdPaced | QuotaKind::TpdPaced => QuotaKind::ListedPaced(listed),
            QuotaKind::Rpm
            | QuotaKind::Tpm
            | QuotaKind::Burst
            | QuotaKind::Concurrency
            | QuotaKind::Listed(_)
            | QuotaKind::ListedPaced(_) => kind,
        })
    }

    /// Returns the tighter limit of each kind from two sets. The tighter burst has the lower rate.
    pub fn tightest(self, other: Limits) -> Limits {
        let rate = |burst: &Burst| burst.requests.saturating_mul(60_000) / burst.span_ms.max(1);
        Limits {
            rpm: self.rpm.min(other.rpm),
            rpd: self.rpd.min(other.rpd),
            tpm: self.tpm.min(other.tpm),
            tpd: self.tpd.min(other.tpd),
            burst: self.burst.into_iter().chain(other.burst).min_by_key(rate),
            max_concurrent: self.max_concurrent.into_iter().chain(other.max_concurrent).min(),
            measure: self.measure,
            pacing: self.pacing.max(other.pacing),
            listed: self.listed,
        }
    }
}

/// Returns the length of our window (ms) for the provider's span of `ms`. Two requests that are sent 60.0 s apart may arrive with less
/// time between. So the window is longer by a second, or by a tenth of a span below ten seconds.
pub const fn guarded(ms: u64) -> u64 {
    ms + if ms < 10_000 { ms / 10 } else { 1_000 }
}

/// One limit of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaKind {
    /// Requests in any minute.
    Rpm,
    /// Requests in a day.
    Rpd,
    /// Tokens in any minute.
    Tpm,
    /// Tokens in a day.
    Tpd,
    /// Requests in a shorter span (`burst`).
    Burst,
    /// Requests at the same time (`maxConcurrent`).
    Concurrency,
    /// An entry of `limits`.
    Listed(ListedLimit),
    /// The part of `rpd` that may be used by now. More comes free later in the day.
    RpdPaced,
    /// The part of `tpd` that may be used by now.
    TpdPaced,
    /// The part of an entry of `limits` that may be used by now.
    ListedPaced(ListedLimit),
}

impl QuotaKind {
    /// Every kind with a name of its own.
    pub const PLAIN: [QuotaKind; 8] = [
        QuotaKind::Rpm,
        QuotaKind::Rpd,
        QuotaKind::Tpm,
        QuotaKind::Tpd,
        QuotaKind::Burst,
        QuotaKind::Concurrency,
        QuotaKind::RpdPaced,
        QuotaKind::TpdPaced,
    ];

    /// Returns the word for the limit in `/v1/status` and in errors.
    pub fn as_str(self) -> &'static str {
        match self {
            QuotaKind::Rpm => "rpm",
            QuotaKind::Rpd => "rpd",
            QuotaKind::Tpm => "tpm",
            QuotaKind::Tpd => "tpd",
            QuotaKind::Burst => "burst",
            QuotaKind::Concurrency => "concurrency",
            QuotaKind::Listed(ListedLimit { unit: LimitUnit::Requests, .. }) => "limit_requests",
            QuotaKind::Listed(ListedLimit { unit: LimitUnit::Tokens, .. }) => "limit_tokens",
            QuotaKind::Listed(ListedLimit { unit: LimitUnit::Usd, .. }) => "limit_usd",
            QuotaKind::RpdPaced => "rpd_paced",
            QuotaKind::TpdPaced => "tpd_paced",
            QuotaKind::ListedPaced(ListedLimit { unit: LimitUnit::Requests, .. }) => "limit_requests_paced",
            QuotaKind::ListedPaced(ListedLimit { unit: LimitUnit::Tokens, .. }) => "limit_tokens_paced",
            QuotaKind::ListedPaced(ListedLimit { unit: LimitUnit::Usd, .. }) => "limit_usd_paced",
        }
    }

    /// Returns whether an attempt takes its demand (tokens or dollars) of the limit, and not one request.
    pub fn depends_on_demand(self) -> bool {
        match self {
            QuotaKind::Tpm | QuotaKind::Tpd | QuotaKind::TpdPaced => true,
            QuotaKind::Rpm | QuotaKind::Rpd | QuotaKind::RpdPaced | QuotaKind::Burst | QuotaKind::Concurrency => false,
            QuotaKind::Listed(ListedLimit { unit, .. }) | QuotaKind::ListedPaced(ListedLimit { unit, .. }) => {
                unit != LimitUnit::Requests
            }
        }
    }

    /// Returns the kind for a refusal by the pace: the period has units left, and none may be used yet.
    pub fn paced(self) -> QuotaKind {
        match self {
            QuotaKind::Rpd => QuotaKind::RpdPaced,
            QuotaKind::Tpd => QuotaKind::TpdPaced,
            QuotaKind::Listed(limit) => QuotaKind::ListedPaced(limit),
            QuotaKind::Rpm
            | QuotaKind::Tpm
            | QuotaKind::Burst
            | QuotaKind::Concurrency
            | QuotaKind::RpdPaced
            | QuotaKind::TpdPaced
            | QuotaKind::ListedPaced(_) => self,
        }
    }
}

impl fmt::Display for QuotaKind {
    /// Writes the limit for people: a word, or the entry of `limits` as in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QuotaKind::Listed(limit) => limit.fmt(f),
            QuotaKind::ListedPaced(limit) => write!(f, "the pace of {limit}"),
            QuotaKind::Rpm
            | QuotaKind::Rpd
            | QuotaKind::RpdPaced
            | QuotaKind::Tpm
            | QuotaKind::Tpd
            | QuotaKind::TpdPaced
            | QuotaKind::Burst
            | QuotaKind::Concurrency => f.write_str(self.as_str()),
        }
    }
}
