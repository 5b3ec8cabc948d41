//! What can be asked of the [`super::PersistenceActor`].

use actix::prelude::*;
use quota::{Grant, QuotaRecord};

use super::{Ask, Saved, StoreError, TokenChange};
use crate::types::{ApiId, LedgerId, LedgerRecord, ObjectKey, QuotaId, TokenStats};

/// Read what is saved of one quota. Sent when the quota is opened, and awaited.
#[derive(Debug, Message)]
#[rtype(result = "Saved")]
pub struct Restore(pub QuotaId);

/// Read the saved statistics of one upstream. Sent by an UpstreamActor once, at the start, and awaited.
#[derive(Debug, Message)]
#[rtype(result = "TokenStats")]
pub struct RestoreTokens(pub LedgerId);

/// Read whose ledgers there are. Sent by the supervisor once, at the start, and awaited.
#[derive(Debug, Message)]
#[rtype(result = "Vec<(LedgerId, LedgerRecord)>")]
pub struct RestoreLedgers;

/// Write whose ledgers these are, before all that is sent later. Sent by the supervisor for new, changed and renamed entries. After a
/// lost one a renamed entry begins at zero.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SaveLedgers(pub Vec<(LedgerId, LedgerRecord)>);

/// Tell other servers whose ledgers these are, and return whose ledgers they have told. Sent by the supervisor around each change, if
/// a store is shared, and awaited. A lost one is sent again; until one has succeeded the store lends nothing.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<(LedgerId, LedgerRecord)>, StoreError>")]
pub struct ShareLedgers(pub Vec<(LedgerId, LedgerRecord)>);

/// These entries have these ledgers now. Sent by the supervisor after a change, to those who keep something by ledger and are asked
/// by id. A lost one leaves the homes of renamed entries to be found by asking.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct LedgersChanged(pub Vec<(ApiId, LedgerId)>);

/// Make these counts durable, and grant units for attempts. Sent for a quota, and awaited. A lost one refuses
/// requests until the next.
#[derive(Debug, Message)]
#[rtype(result = "Result<Grant, StoreError>")]
pub struct Reserve(pub Box<Ask>);

/// Save these changes soon. Sent by an UpstreamActor or for a quota after a change. A lost one costs some statistics,
/// and no quota.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Save {
    /// What quotas have counted.
    pub quotas: Vec<(QuotaId, QuotaRecord)>,
    /// How statistics of upstreams changed.
    pub tokens: Vec<(LedgerId, TokenChange)>,
}

/// Save these records of homes soon, and forget older ones. Sent by the HomesActor. A lost one costs homes, which are then found by
/// asking.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SaveHomes {
    /// Records, by their numbers.
    pub records: Vec<(u64, Vec<u8>)>,
    /// Records with smaller numbers are forgotten.
    pub forget_before: u64,
}

/// Tell other servers the home of these objects, if a store is shared. Sent by the HomesActor. A lost one makes them ask the
/// upstreams.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ShareHomes {
    /// The objects.
    pub objects: Vec<ObjectKey>,
    /// Their home.
    pub home: LedgerId,
}

/// Return the homes of these objects that another server has told. Sent by the HomesActor, and awaited. A lost one makes the
/// request ask the upstreams.
#[derive(Debug, Message)]
#[rtype(result = "Vec<(ObjectKey, LedgerId)>")]
pub struct FindSharedHomes(pub Vec<ObjectKey>);

/// Answer when everything sent before is durable. Sent at shutdown.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), StoreError>")]
pub struct Flush;
