//! The loan of a shared store to this server, and the last denial.

use clock::Now;

use crate::limits::QuotaKind;
use crate::no_room::NoRoom;
use crate::records::SharedGrant;

/// How often a store is asked again after a denial (ms): other servers may give units back.
const RETRY_MS: u64 = 200;

/// After a correction of the clock the store is asked again at once, at most so many times in a row.
const MAX_CORRECTIONS: u32 = 3;

/// The pause after [`MAX_CORRECTIONS`] (ms).
const CORRECTED_MS: u64 = 1_000;

/// The part of a shared quota in this server's hands.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    /// The end of the lease (ms, monotonic).
    pub(crate) until: u64,
    /// Granted requests at the same time.
    pub(crate) slots: u32,
    /// When the store was last asked (ms, monotonic).
    pub(crate) asked_at: u64,
    /// The tokens or nano-dollars of the attempt behind the last request.
    pub(crate) demand: u64,
    denied: Option<Denied>,
    /// How many times in a row the store has corrected the clock.
    corrections: u32,
}

/// The store's last denial.
#[derive(Debug, Clone, Copy)]
struct Denied {
    /// The full window; `None` if the store itself is not ready.
    which: Option<QuotaKind>,
    /// When units come free (ms, monotonic).
    until: u64,
    /// The tokens or nano-dollars of the denied attempt.
    demand: u64,
}

impl Lease {
    /// Records the store's answer. The lease runs from the request: the store's own count began later.
    pub(crate) fn renew(&mut self, grant: &SharedGrant) {
        let Lease { asked_at, demand, .. } = *self;
        if grant.lasts_ms > 0 {
            self.until = asked_at + grant.lasts_ms;
            self.slots = grant.slots;
            self.corrections = 0;
            self.denied =
                grant.denied.map(|denial| Denied { which: denial.which, until: asked_at + denial.frees_in_ms, demand });
        } else {
            // The next request names the store's day. The lease stays.
            self.corrections += 1;
            let stuck = self.corrections > MAX_CORRECTIONS;
            self.denied = stuck.then_some(Denied { which: None, until: asked_at + CORRECTED_MS, demand });
        }
    }

    /// Returns whether the lease has ended. Then this server holds nothing.
    pub(crate) fn ends(&mut self, now: Now) -> bool {
        let over = self.until <= now.mono;
        if over {
            self.slots = 0;
        }
        over
    }

    /// Returns why the store would grant nothing for an attempt of `demand` units, if so.
    pub(crate) fn denial(&self, demand: u64, now: Now) -> Option<NoRoom> {
        let denied = self.denied.filter(|denied| denied.until > now.mono)?;
        match denied.which {
            // What is left may be enough for a smaller attempt.
            Some(which) if which.depends_on_demand() && demand < denied.demand => None,
            // A slot comes free with the end of some attempt. Nobody can foresee when.
            Some(QuotaKind::Concurrency) => Some(NoRoom::Full { which: QuotaKind::Concurrency, until: None }),
            Some(which) => Some(NoRoom::Full { which, until: Some(denied.until) }),
            None => Some(NoRoom::StoreNotReady { until: denied.until }),
        }
    }

    /// Returns whether the store's last answer was a denial.
    pub(crate) fn was_denied(&self) -> bool {
        self.denied.is_some()
    }

    /// Returns whether the last request is long enough ago to ask again.
    pub(crate) fn may_retry(&self, now: Now) -> bool {
        now.mono >= self.asked_at + RETRY_MS
    }

    /// Forgets the denial: under other limits the store may grant.
    pub(crate) fn forget_denial(&mut self) {
        self.denied = None;
    }
}
