//! What can be asked of the [`super::PersistenceActor`].

use actix::prelude::*;

use super::{QuotaRecord, Saved, StoreError, TokenChange};
use crate::types::ApiId;

/// All that is kept of one upstream. Sent by an UpstreamActor once, at its start, and awaited.
#[derive(Debug, Message)]
#[rtype(result = "Saved")]
pub struct Restore(pub ApiId);

/// Make these counts durable, and say when they are: attempts may then be sent that they allow for. Sent by an
/// UpstreamActor and awaited; a lost one refuses requests until the next.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), StoreError>")]
pub struct Reserve(pub ApiId, pub QuotaRecord);

/// Keep this, soon. Sent by an UpstreamActor some ms after something changed; a lost one costs the statistics of that
/// time, and no quota.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Save {
    /// Whose.
    pub api: ApiId,
    /// Its quotas.
    pub quota: QuotaRecord,
    /// Its statistics, if they changed.
    pub tokens: Vec<TokenChange>,
}

/// Answered when everything sent before is durable. Sent at shutdown.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), StoreError>")]
pub struct Flush;
