//! What a store lends of a quota that others share: for how long, and what to do when it has nothing left.

use clock::Now;

use crate::limits::QuotaKind;
use crate::no_room::NoRoom;
use crate::records::SharedGrant;

/// How often the store is asked again after it had nothing left (ms): others may give back.
const DENIED_MS: u64 = 200;

/// Once the store has told its time, its day is known. If it is not, it is not asked all the time.
const MOST_OTHER_DAYS: u32 = 3;
const OTHER_DAY_MS: u64 = 1_000;

/// The part of a shared quota that is lent to this server.
#[derive(Debug, Default)]
pub(super) struct Lease {
    /// What is granted may be used until then (ms, monotonic).
    pub(super) until: u64,
    /// Requests at the same time that are granted.
    pub(super) slots: u32,
    /// When the store was last asked (ms, monotonic).
    pub(super) asked: u64,
    /// For an attempt of so many tokens.
    pub(super) demand: u64,
    /// Others have used it up: in which window, and when it frees. No window is named if the store itself is not ready.
    denied: Option<(Option<QuotaKind>, u64)>,
    /// … for attempts of so many tokens.
    denied_demand: u64,
    /// So many times in a row the store said that its day is another.
    other_days: u32,
}

impl Lease {
    /// The store answered.
    pub(super) fn renewed(&mut self, grant: &SharedGrant) {
        let asked = self.asked;
        self.denied = grant.denied.map(|(which, frees_in)| (which, asked + frees_in));
        if grant.lasts_ms > 0 {
            // Counted from the question: the store's own count began later.
            self.until = asked + grant.lasts_ms;
            self.slots = grant.slots;
            self.other_days = 0;
        } else {
            // Its day is another: that is asked for next, and what was lent is as it was.
            self.other_days += 1;
            self.denied = (self.other_days > MOST_OTHER_DAYS).then_some((None, asked + OTHER_DAY_MS));
        }
        self.denied_demand = self.demand;
    }

    /// Is its time over? Then nothing is held any more.
    pub(super) fn ends(&mut self, now: Now) -> bool {
        let over = self.until <= now.mono;
        if over {
            self.slots = 0;
        }
        over
    }

    /// Why nothing is to be had for an attempt of so many tokens, if that is so.
    pub(super) fn denial(&self, demand: u64, now: Now) -> Option<NoRoom> {
        let (which, until) = self.denied.filter(|(_, until)| *until > now.mono)?;
        // What is left may be enough for a smaller one.
        if matches!(which, Some(QuotaKind::Tpm | QuotaKind::Tpd)) && demand < self.denied_demand {
            return None;
        }
        Some(match which {
            // A slot comes free when it does.
            Some(QuotaKind::Concurrency) => NoRoom::Full { which: QuotaKind::Concurrency, until: None },
            Some(which) => NoRoom::Full { which, until: Some(until) },
            None => NoRoom::StoreNotReady { until },
        })
    }

    /// Had the store nothing left, when it was last asked?
    pub(super) fn was_denied(&self) -> bool {
        self.denied.is_some()
    }

    /// Is it long enough ago that the store was asked?
    pub(super) fn may_ask_again(&self, now: Now) -> bool {
        now.mono >= self.asked + DENIED_MS
    }

    /// Other limits are in force: what was refused may be granted now.
    pub(super) fn forgive(&mut self) {
        self.denied = None;
    }
}
