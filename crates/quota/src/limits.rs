//! The limits of a quota.

use std::fmt;

use crate::demand::Measure;

/// The most units in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Limit {
    /// No bound of ours (`-1`, or left out).
    #[default]
    Unlimited,
    /// At most this many units; 0 disables the API.
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
}

impl Limits {
    /// Returns whether nothing is bounded.
    pub fn are_none(&self) -> bool {
        *self == Limits { measure: self.measure, ..Limits::default() }
    }

    /// Returns whether any limit is 0.
    pub fn disable(&self) -> bool {
        [self.rpm, self.rpd, self.tpm, self.tpd].contains(&Limit::AtMost(0))
    }

    /// Returns the tighter limits of two sets. Of two bursts the one with the lower rate is the tighter.
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
        }
    }
}

/// Returns the length of a window (ms) around the provider's span of `ms`. Two requests sent 60.0 s apart may
/// arrive closer, so the window has a guard: a second, or a tenth of a span below ten seconds.
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
}

impl QuotaKind {
    /// Every kind.
    pub const ALL: [QuotaKind; 6] =
        [QuotaKind::Rpm, QuotaKind::Rpd, QuotaKind::Tpm, QuotaKind::Tpd, QuotaKind::Burst, QuotaKind::Concurrency];

    /// Returns the word for the limit in `/v1/status` and in errors.
    pub fn as_str(self) -> &'static str {
        match self {
            QuotaKind::Rpm => "rpm",
            QuotaKind::Rpd => "rpd",
            QuotaKind::Tpm => "tpm",
            QuotaKind::Tpd => "tpd",
            QuotaKind::Burst => "burst",
            QuotaKind::Concurrency => "concurrency",
        }
    }
}
