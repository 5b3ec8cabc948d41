//! One receiver: the queue of messages, and what became of earlier ones. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::messages::ReceiverReport;
use crate::config::AlertConfig;
use crate::types::AlertEvent;

/// The most messages in wait for one receiver. Of more, the oldest are dropped: the newest say how things are.
pub(super) const MOST_WAITING: usize = 100;

/// A message, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) event: AlertEvent,
    pub(super) body: String,
    /// When the event occurred (ms, monotonic).
    pub(super) raised_at: u64,
}

/// A receiver, and the messages for it.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) config: Arc<AlertConfig>,
    /// Tells receivers apart, in this process.
    pub(super) serial: u64,
    waiting: VecDeque<Outgoing>,
    is_sending: bool,
    sent: u64,
    lost: u64,
    last_error: Option<(i64, String)>,
}

impl Receiver {
    pub(super) fn new(config: Arc<AlertConfig>, serial: u64) -> Receiver {
        Receiver { config, serial, waiting: VecDeque::new(), is_sending: false, sent: 0, lost: 0, last_error: None }
    }

    /// Adds a message. Returns whether one was dropped for it.
    pub(super) fn push(&mut self, message: Outgoing) -> bool {
        let is_full = self.waiting.len() >= MOST_WAITING;
        if is_full {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(message);
        is_full
    }

    /// Returns the next message to send, if none is under way.
    pub(super) fn take(&mut self) -> Option<Outgoing> {
        if self.is_sending {
            return None;
        }
        let next = self.waiting.pop_front();
        self.is_sending = next.is_some();
        next
    }

    /// Records a failed try. Returns whether the try before had not failed.
    pub(super) fn failed(&mut self, at: i64, why: String) -> bool {
        self.last_error.replace((at, why)).is_none()
    }

    /// Records the end of the message under way. Returns whether a try before had failed, if it is delivered.
    pub(super) fn ended(&mut self, is_delivered: bool) -> bool {
        self.is_sending = false;
        if !is_delivered {
            self.lost += 1;
            return false;
        }
        self.sent += 1;
        self.last_error.take().is_some()
    }

    /// Returns whether nothing waits and nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_sending
    }

    pub(super) fn report(&self) -> ReceiverReport {
        ReceiverReport {
            shown: self.config.shown.clone(),
            on: self.config.on.iter().copied().collect(),
            waiting: self.waiting.len() + usize::from(self.is_sending),
            sent: self.sent,
            lost: self.lost,
            last_error: self.last_error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::config::ApiKey;

    fn receiver() -> Receiver {
        let config = AlertConfig {
            url: ApiKey::new("http://x.example/"),
            shown: "http://x.example/…".to_owned(),
            on: BTreeSet::new(),
            headers: BTreeMap::new(),
            proxy: None,
        };
        Receiver::new(Arc::new(config), 0)
    }

    fn message(nth: usize) -> Outgoing {
        Outgoing { event: AlertEvent::UpstreamUp, body: nth.to_string(), raised_at: 0 }
    }

    #[test]
    fn messages_go_one_after_the_other_and_the_oldest_is_dropped_from_a_full_queue() {
        let mut receiver = receiver();
        let dropped: Vec<bool> = (0..=MOST_WAITING).map(|nth| receiver.push(message(nth))).collect();
        assert_eq!(dropped.iter().filter(|dropped| **dropped).count(), 1);
        assert_eq!(receiver.take(), Some(message(1)));
        assert_eq!(receiver.take(), None, "one is under way");
        assert!(receiver.failed(1, "refused".to_owned()) && !receiver.failed(2, "refused".to_owned()));
        assert!(receiver.ended(true), "healed");
        assert_eq!(receiver.take(), Some(message(2)));
        assert!(!receiver.ended(false));
        let report = receiver.report();
        assert_eq!((report.sent, report.lost, report.waiting), (1, 2, MOST_WAITING - 2));
    }
}
