//! The questions to the [`super::KeysActor`], and the answers.

use std::sync::Arc;

use actix::prelude::*;
use quota::ActualUsage;
use tokio::sync::oneshot;

use super::demand::KeyDemand;
use super::path::KeyPath;
use super::permit::KeyPermit;
use super::refusal::{KeyAdmissionError, KeyReason};
use crate::config::KeyConfig;
use crate::quotas::QuotaStatus;
use crate::types::KeyName;

/// Admit a request that a worker can't admit alone. Sent by a worker's gate. If lost, the gate answers by its own deadline.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct AdmitKey {
    /// As the worker knows the key.
    pub(super) key: Arc<KeyConfig>,
    pub(super) demand: KeyDemand,
    /// A client that has left reads no answer: the permit in the answer gives itself back.
    pub(super) reply: oneshot::Sender<KeyAnswer>,
}

/// Count what a key has spent without an admission. Sent by a worker's gate. If lost, the limits of the key do not know of it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct SpendByKey {
    /// As the worker knows the key.
    pub(super) key: Arc<KeyConfig>,
    pub(super) actual: ActualUsage,
}

/// The answer to an [`AdmitKey`]: a permit or a refusal, and the short way to the next.
#[derive(Debug)]
pub(super) struct KeyAnswer {
    pub(super) admitted: Result<KeyPermit, KeyAdmissionError>,
    pub(super) path: Arc<KeyPath>,
}

/// Return what the configured keys have used. Sent by handlers of the status and of a key's own report, and by the alerts.
#[derive(Debug, Message)]
#[rtype(result = "Vec<KeyStatus>")]
pub struct GetKeyStatus {
    /// This key alone.
    pub only: Option<KeyName>,
}

/// What a key may use, and what is used. In the order of the configuration.
#[derive(Debug, Clone)]
pub struct KeyStatus {
    /// As configured.
    pub config: Arc<KeyConfig>,
    /// The quotas: the main one first, then one for each period of `limits` and `budgets`. Empty for a key without limits.
    pub quotas: Vec<QuotaStatus>,
    /// Requests under way.
    pub in_flight: u32,
    /// Refused requests since the start of the process, by reason.
    pub refused: Vec<(KeyReason, u64)>,
}

/// Give unused grants back, and save exact counts. Sent by the application when the server has ended, and awaited; a lost one costs
/// what was granted and not used.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopKeys;
