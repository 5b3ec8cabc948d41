//! The admission of one attempt in several quotas: in all or in none.
//!
//! Several upstreams' actors use the quota of a group. All share a thread, and nothing here awaits: all quotas of an attempt agree at
//! once.

use quota::{Need, NoRoom, Reservation};
use tokio::sync::oneshot;

use super::handle::{Paused, QuotaHandle, STORE_RETRY_MS};
use crate::types::{Now, SentAt};
use crate::upstream::messages::Refusal;

/// The answer of [`admit`].
pub(in crate::upstream) enum Admission {
    /// The attempt is counted.
    Admitted {
        /// To be set when the request is written.
        sent_at: SentAt,
        /// One for each quota, to be settled.
        reservations: Vec<Reservation>,
    },
    /// A store has to answer first. Ask again when the receiver resolves.
    Wait(oneshot::Receiver<()>),
    /// A quota is used up, or the store fails.
    Refused(Refusal),
}

/// Counts one attempt of `demand` tokens in all `quotas`, or in none. `waiting` attempts wait, this one included.
pub(in crate::upstream) fn admit(quotas: &[QuotaHandle], demand: u64, waiting: usize, now: Now) -> Admission {
    if let Some(opening) = quotas.iter().find(|quota| !quota.is_ready()) {
        return Admission::Wait(opening.notified());
    }
    let _paused: Vec<Paused> = quotas.iter().map(|quota| quota.pause(now)).collect();
    if let Err(refusal) = room(quotas, demand, now) {
        for quota in quotas {
            quota.retry_denied(demand, now);
            quota.return_unused();
        }
        return Admission::Refused(refusal);
    }
    let lacking: Vec<&QuotaHandle> =
        quotas.iter().filter(|quota| quota.with(now, |quota, _| quota.needs_grant(demand))).collect();
    if lacking.iter().any(|quota| quota.is_failing()) {
        return Admission::Refused(Refusal::StoreUnavailable { until: now.mono + STORE_RETRY_MS });
    }
    for quota in &lacking {
        quota.request_grant(Some(Need { demand, waiting: waiting as u64 }), now);
    }
    if let Some(first) = lacking.first() {
        return Admission::Wait(first.notified());
    }
    let begin_by = quotas.iter().map(|quota| quota.with(now, |quota, _| quota.begin_by())).min();
    let sent_at = SentAt::to_begin_by(begin_by.unwrap_or(u64::MAX));
    let reservations = quotas.iter().map(|quota| quota.reserve(&sent_at, demand, now)).collect();
    Admission::Admitted { sent_at, reservations }
}

/// Returns whether all `quotas` have room for one more attempt of `demand` tokens.
///
/// # Errors
/// When one is full. Of several reasons, the error is the last to end.
pub(in crate::upstream) fn room(quotas: &[QuotaHandle], demand: u64, now: Now) -> Result<(), Refusal> {
    let full = quotas.iter().filter_map(|quota| quota.with(now, |quota, now| quota.room(demand, now)).err());
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
