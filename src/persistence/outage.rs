//! The failures of one store: logged once, and told people if they last.

use crate::alerts::{Alert, AlertFacts, AlertSender};
use crate::persistence::StoreError;
use crate::types::{AlertEvent, Now};

/// How long a store must fail until people are told: a single failure comes and goes (ms).
const TOLD_AFTER_MS: u64 = 10_000;

/// Whether a store fails, and since when.
pub(super) struct Outage {
    /// What failures mean for requests.
    consequence: &'static str,
    alerts: AlertSender,
    /// When the first failure in a row came (ms, monotonic).
    since: Option<u64>,
    is_told: bool,
}

impl Outage {
    /// Creates the state of a store that works. `consequence` says what failures mean for requests.
    pub(super) fn new(consequence: &'static str, alerts: AlertSender) -> Outage {
        Outage { consequence, alerts, since: None, is_told: false }
    }

    /// Records the end of a batch.
    pub(super) fn ended(&mut self, failure: Option<&StoreError>) {
        let now = Now::read();
        match (failure, self.since) {
            (None, None) => {}
            (None, Some(_)) => {
                log::info!("persistence: the store works again");
                self.since = None;
                if std::mem::take(&mut self.is_told) {
                    self.alerts.send(Alert::new(AlertEvent::StoreUp, now.wall, AlertFacts::default()));
                }
            }
            (Some(error), None) => {
                log::error!("persistence: {error}; {}", self.consequence);
                self.since = Some(now.mono);
            }
            (Some(_), Some(since)) if now.mono >= since + TOLD_AFTER_MS && !self.is_told => {
                self.is_told = true;
                let facts = AlertFacts { detail: Some(self.consequence.to_owned()), ..AlertFacts::default() };
                self.alerts.send(Alert::new(AlertEvent::StoreDown, now.wall, facts));
            }
            (Some(_), Some(_)) => {}
        }
    }
}
