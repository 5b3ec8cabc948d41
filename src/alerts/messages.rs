//! What can be asked of the [`super::AlertsActor`], and the way to tell it something.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::prelude::*;

use super::alert::Alert;
use crate::mailbox::{ActorKind, refused};
use crate::types::AlertEvent;

/// Where owners of facts send alerts to. Cheap to clone.
#[derive(Clone, Default)]
pub struct AlertSender {
    actor: Option<Recipient<Alert>>,
    lost: Arc<AtomicU64>,
}

impl AlertSender {
    /// Returns a sender to an actor. `lost` counts what a full mailbox has cost.
    pub(super) fn new(actor: Recipient<Alert>, lost: Arc<AtomicU64>) -> AlertSender {
        AlertSender { actor: Some(actor), lost }
    }

    /// Sends an alert, and never waits.
    pub fn send(&self, alert: Alert) {
        if self.actor.as_ref().is_some_and(|actor| actor.try_send(alert).is_err()) {
            refused(ActorKind::Alerts, 1);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for AlertSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AlertSender")
    }
}

/// Asks for the state of all receivers. Sent by `/v1/status`; a lost one costs one answer.
#[derive(Debug, Message)]
#[rtype(result = "Vec<ReceiverReport>")]
pub struct GetReceivers;

/// Answered when all messages are delivered. Sent by the application when it stops, and awaited for a moment; a lost one costs the
/// last messages.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FlushAlerts;

/// The state of one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverReport {
    /// The URL for people.
    pub shown: String,
    /// The events.
    pub on: Vec<AlertEvent>,
    /// Messages that wait, the one under way among them.
    pub waiting: usize,
    /// Delivered messages.
    pub sent: u64,
    /// Messages that were given up, or had no place in the queue.
    pub lost: u64,
    /// Why the last try failed, and when (ms since the Unix epoch); `None` after a success.
    pub last_error: Option<(i64, String)>,
}
