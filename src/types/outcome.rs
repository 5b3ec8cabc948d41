//! The end of an attempt.

use std::time::Duration;

use super::{Failure, Usage};

/// The way in which an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream served the request to the end.
    Completed,
    /// The upstream failed.
    Failed(Failure),
    /// The client left in the middle: nothing about the upstream.
    ClientClosed,
    /// The attempt was given up before a judgement (shutdown, a dropped task).
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
    /// Returns the settlement of an attempt without usage and without content.
    pub fn of(outcome: Outcome, duration: Duration) -> Self {
        Settlement { outcome, usage: None, first_token: None, duration }
    }

    /// Returns the time since the first content; zero without any content.
    pub fn since_first_token(&self) -> Duration {
        self.first_token.map_or(Duration::ZERO, |first| self.duration.saturating_sub(first))
    }

    /// Returns the failure, if the attempt failed.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.outcome {
            Outcome::Failed(failure) => Some(failure),
            Outcome::Completed | Outcome::ClientClosed | Outcome::Abandoned => None,
        }
    }
}
