//! The admission of one attempt in all of its quotas, or in none.
//!
//! Several upstreams' actors use the ledger of a group. They share a thread, and each step here is done before another
//! begins: all quotas of an attempt agree at once.

use quota::{NoRoom, Share};
use tokio::sync::oneshot;

use super::ledger::{Held, Ledger, STORE_RETRY_MS};
use super::messages::Refusal;
use crate::types::{Now, SentAt};

/// What [`admit`] says.
pub(super) enum Admission {
    /// Counted. The stamp is to be set when the request is written; the shares, one for each ledger, are to be settled.
    Admitted(SentAt, Vec<Share>),
    /// A store has to answer first; ask again when it has.
    Wait(oneshot::Receiver<()>),
    /// A quota is used up, or can't be relied on.
    Refused(Refusal),
}

/// Counts one attempt of so many tokens in all `ledgers`, or in none. `waiting` attempts like it wait, it included.
pub(super) fn admit(ledgers: &[Ledger], demand: u64, waiting: usize, now: Now) -> Admission {
    if let Some(opening) = ledgers.iter().find(|ledger| !ledger.is_ready()) {
        return Admission::Wait(opening.woken());
    }
    let _held: Vec<Held> = ledgers.iter().map(|ledger| ledger.hold(now)).collect();
    if let Err(refusal) = room(ledgers, demand, now) {
        for ledger in ledgers {
            ledger.ask_again(demand, now);
            ledger.return_unused();
        }
        return Admission::Refused(refusal);
    }
    let lacking: Vec<&Ledger> =
        ledgers.iter().filter(|ledger| ledger.with(now, |quota, _| quota.lacks(demand))).collect();
    if lacking.iter().any(|ledger| ledger.is_failing()) {
        return Admission::Refused(Refusal::StoreUnavailable { until: now.mono + STORE_RETRY_MS });
    }
    for ledger in &lacking {
        ledger.reserve(Some(demand), waiting, now);
    }
    if let Some(first) = lacking.first() {
        return Admission::Wait(first.woken());
    }
    let begin_by = ledgers.iter().map(|ledger| ledger.with(now, |quota, _| quota.begin_by())).min();
    let stamp = SentAt::to_begin_by(begin_by.unwrap_or(u64::MAX));
    let shares = ledgers.iter().map(|ledger| ledger.take(&stamp, demand, now)).collect();
    Admission::Admitted(stamp, shares)
}

/// Is there room for one more attempt in all `ledgers`? If not: why, in the one that frees last.
pub(super) fn room(ledgers: &[Ledger], demand: u64, now: Now) -> Result<(), Refusal> {
    let full = ledgers.iter().filter_map(|ledger| ledger.with(now, |quota, now| quota.room(demand, now)).err());
    NoRoom::last(full).map_or(Ok(()), |no_room| Err(no_room.into()))
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
