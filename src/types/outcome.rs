//! The end of an attempt.

use std::time::Duration;

use super::{Failure, Usage};

/// The way in which an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream served to the end. (A caller's own 400 as well: the upstream did its work.)
    Completed,
    /// The upstream failed.
    Failed(Failure),
    /// The client left in the middle: nothing about the upstream.
    ClientClosed,
    /// The attempt was given up before an answer (shutdown, a dropped task).
    Abandoned,
}

/// The settlement of one permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The end.
    pub outcome: Outcome,
    /// Tokens, reported or estimated.
    pub usage: Option<Usage>,
    /// From the start of the attempt to the first content.
    pub first_token: Option<Duration>,
    /// The whole attempt.
    pub duration: Duration,
}

impl Settlement {
    /// Returns a settlement with this outcome and nothing more.
    pub fn of(outcome: Outcome, duration: Duration) -> Self {
        Settlement { outcome, usage: None, first_token: None, duration }
    }

    /// How it failed, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.outcome {
            Outcome::Failed(failure) => Some(failure),
            Outcome::Completed | Outcome::ClientClosed | Outcome::Abandoned => None,
        }
    }
}
