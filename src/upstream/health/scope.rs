//! The health of one scope of an upstream: the service, the limit, the key, or one model by one route. One rule for all:
//!
//! 1. An attempt speaks only of the state of its sending. A report is ignored if its attempt was sent at or before the last
//!    change. An explicit wait is never ignored: the upstream asks for the wait, whichever attempt brings the word.
//! 2. While a scope rests, one attempt each ten seconds is the probe, until a success ends the rest. The first probe comes
//!    when the rest is over. A probe without a report needs no bookkeeping.
//! 3. If nobody else can serve (panic mode), an inferred rest is no obstacle, and an explicit one is.
//!
//! The state changes when a rest begins, grows or ends, and when a success clears failures. The comparison with the last
//! change is strict: of two events within one millisecond neither speaks of the other.
//!
//! Pure: functions of the state, the report and the time. All times are ms of the monotonic clock.

use crate::types::FailureClass;

/// The time between two probes. Also the time from the beginning of a long rest to the first probe in panic mode.
pub(crate) const PROBE_EVERY_MS: u64 = 10_000;

/// The longest rest. However long a wait is asked for, the upstream is probed once an hour.
pub(super) const LONGEST_REST_MS: u64 = 3_600_000;

/// How many failures in a row begin an inferred rest, and how long such rests are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) failures: u32,
    /// The first rest, in ms. Each further one before a whole answer is twice as long.
    pub(super) first_ms: u64,
    /// The longest, in ms.
    pub(super) longest_ms: u64,
}

/// When the attempt of a report was sent, and when the report is taken in.
#[derive(Debug, Clone, Copy)]
pub(in crate::upstream) struct Times {
    pub(in crate::upstream) sent: u64,
    pub(in crate::upstream) now: u64,
}

/// A rest, and the class of the failure behind the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rest {
    until: u64,
    /// The end of the part asked for by the upstream, or certain by a code or a status. Never after `until`.
    explicit_until: u64,
    reason: FailureClass,
}

/// The state of one scope.
#[derive(Debug, Clone)]
pub(super) struct ScopeHealth {
    rule: &'static Rule,
    rest: Option<Rest>,
    /// The last change of the state.
    changed: u64,
    /// While the scope rests, no attempt goes before.
    next_probe: u64,
    /// Failures in a row without a rest yet.
    failures: u32,
    /// Inferred rests since the last whole answer.
    streak: u32,
}

impl ScopeHealth {
    /// Creates the health of an unknown scope.
    pub(super) fn new(rule: &'static Rule) -> Self {
        ScopeHealth { rule, rest: None, changed: 0, next_probe: 0, failures: 0, streak: 0 }
    }

    /// Returns from when on an attempt may go.
    pub(super) fn open_from(&self, panic: bool) -> u64 {
        match self.rest {
            None => 0,
            Some(rest) if panic => rest.explicit_until.max(self.next_probe),
            Some(rest) => rest.until.max(self.next_probe),
        }
    }

    /// Returns when the rest is over; 0 without one.
    pub(super) fn ends(&self) -> u64 {
        self.rest.map_or(0, |rest| rest.until)
    }

    /// Returns the class of the failure behind a rest. A rest is there until a success, even if its time is over.
    pub(super) fn rests_for(&self) -> Option<FailureClass> {
        self.rest.map(|rest| rest.reason)
    }

    /// Returns whether there is anything to remember.
    pub(super) fn is_well(&self) -> bool {
        self.rest.is_none() && self.failures == 0
    }

    /// Records an admitted attempt: a probe, if the scope rests.
    pub(super) fn admit(&mut self, now: u64) {
        if self.rest.is_some() {
            self.next_probe = now + PROBE_EVERY_MS;
        }
    }

    /// Records a success. The beginning of an answer ends a rest, but neither clears failures nor ends the doubling: an
    /// upstream must rest if streams begin and then break. Returns whether a rest ended.
    pub(super) fn success(&mut self, whole: bool, at: Times) -> bool {
        if at.sent <= self.changed || self.rest.is_none() && !whole {
            return false;
        }
        if !self.is_well() {
            self.changed = at.now;
        }
        self.failures = 0;
        if whole {
            self.streak = 0;
        }
        self.rest.take().is_some()
    }

    /// Records a failure. Returns until when the scope rests, if a rest begins or grows.
    pub(super) fn failure(&mut self, reason: FailureClass, at: Times) -> Option<u64> {
        if at.sent <= self.changed {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        if self.rest.is_none() && self.failures < self.rule.failures {
            return None;
        }
        let rest_ms = (self.rule.first_ms << self.streak.min(16)).min(self.rule.longest_ms);
        self.streak += 1;
        self.begin(Rest { until: at.now + rest_ms, explicit_until: 0, reason }, at)
    }

    /// Records an explicit wait. Returns until when the scope rests, if the attempt speaks of the present state.
    pub(super) fn wait(&mut self, wait_ms: u64, reason: FailureClass, at: Times) -> Option<u64> {
        let is_news = at.sent > self.changed;
        let until = at.now + wait_ms.min(LONGEST_REST_MS);
        self.begin(Rest { until, explicit_until: until, reason }, at).filter(|_| is_news)
    }

    /// Begins a rest, or lets the present one grow: nothing shortens a rest. Returns until when, if anything changed.
    fn begin(&mut self, asked: Rest, at: Times) -> Option<u64> {
        let before = self.rest.unwrap_or(Rest { until: 0, explicit_until: 0, ..asked });
        let rest = Rest {
            until: before.until.max(asked.until),
            explicit_until: before.explicit_until.max(asked.explicit_until),
            reason: if asked.until > before.until { asked.reason } else { before.reason },
        };
        if self.rest == Some(rest) {
            return None;
        }
        let first_probe = at.now + (asked.until - at.now).min(PROBE_EVERY_MS);
        // A later probe than the reported one may be open: then the pace between probes holds.
        let other_is_out = at.sent + PROBE_EVERY_MS < self.next_probe;
        self.next_probe = if other_is_out { first_probe.max(self.next_probe) } else { first_probe };
        self.rest = Some(rest);
        self.changed = at.now;
        self.failures = 0;
        Some(rest.until)
    }
}
