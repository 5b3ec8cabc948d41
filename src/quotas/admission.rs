//! The admission of one attempt in several quotas: in all or in none.
//!
//! Several upstreams' actors use the quota of a group. All share a thread, and nothing here awaits: all quotas of an attempt agree at
//! once.

use std::rc::Rc;

use quota::{ActualUsage, Demand, Need, NoRoom, Reservation};
use tokio::sync::oneshot;

use super::handle::{Paused, QuotaHandle};
use super::store_requests::STORE_RETRY_MS;
use crate::types::{Now, SentAt};

/// The answer of [`admit`].
pub(crate) enum Admission {
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
    Refused(NoRoom),
}

/// Counts one attempt of this `demand` in all `quotas`, or in none. `waiting` attempts wait, this one included.
pub(crate) fn admit(quotas: &[QuotaHandle], demand: Demand, waiting: usize, now: Now) -> Admission {
    if let Some(opening) = quotas.iter().find(|quota| !quota.is_ready()) {
        return Admission::Wait(opening.notified());
    }
    let _paused: Vec<Paused> = quotas.iter().map(|quota| quota.pause(now)).collect();
    if let Err(no_room) = room(quotas, demand, now) {
        for quota in quotas {
            quota.retry_denied(demand, now);
            quota.return_unused();
        }
        return Admission::Refused(no_room);
    }
    let lacking: Vec<&QuotaHandle> =
        quotas.iter().filter(|quota| quota.with(now, |quota, _| quota.needs_grant(demand))).collect();
    if lacking.iter().any(|quota| quota.is_failing()) {
        return Admission::Refused(NoRoom::StoreNotReady { until: now.mono + STORE_RETRY_MS });
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

/// Counts in all `quotas` what was used without an admission. No request is counted, and nothing that nobody knows.
pub(crate) fn spend(quotas: &[QuotaHandle], actual: ActualUsage, now: Now) {
    let known = ActualUsage { counts: false, tokens: actual.tokens.or(Some(0)), cost: actual.cost.or(Some(0)) };
    let sent_at = SentAt::at(now.mono);
    // A quota counts nothing before the saved counts are there. Whoever spends was admitted before.
    for quota in quotas.iter().filter(|quota| quota.is_ready()) {
        let reservation = quota.reserve(&sent_at, Demand::default(), now);
        quota.settle(&reservation, known, now);
    }
}

/// Lets an attempt under way join the quotas that came into force meanwhile, unless the attempt belongs to another owner.
pub(crate) fn join_later(
    (quotas, reservations): (&mut Rc<[QuotaHandle]>, &mut Vec<Reservation>),
    in_force: &[QuotaHandle],
    demand: Demand,
    now: Now,
) {
    let (Some(own), Some(first)) = (quotas.first(), reservations.first()) else { return };
    if !in_force.first().is_some_and(|quota| quota.is(own)) {
        return;
    }
    let more: Vec<QuotaHandle> =
        in_force.iter().filter(|quota| !quotas.iter().any(|known| known.is(quota))).cloned().collect();
    if more.is_empty() {
        return;
    }
    let sent_at = first.sent_at.clone();
    let joined = more.iter().map(|quota| quota.with(now, |quota, _| quota.reserve(&sent_at, demand)));
    reservations.extend(joined);
    *quotas = quotas.iter().cloned().chain(more).collect();
}

/// Returns whether all `quotas` have room for one more attempt of this `demand`.
///
/// # Errors
/// When one is full. Of several reasons, the error is the last to end.
pub(crate) fn room(quotas: &[QuotaHandle], demand: Demand, now: Now) -> Result<(), NoRoom> {
    let full = quotas.iter().filter_map(|quota| quota.with(now, |quota, now| quota.room(demand, now)).err());
    NoRoom::last(full).map_or(Ok(()), Err)
}
