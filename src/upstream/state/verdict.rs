//! What an upstream's answers and ends say of it: what counts for its health, what it is to be waited for.
//! No actix, no clock: functions of the state, the input and `now`.

use std::time::Duration;

use super::{Ending, Sent, State};
use crate::types::{Blame, Failure, FailureClass, Now, Outcome, Phase, Settlement};

impl State {
    /// An attempt has an answer since then, be it not over yet. `closed_for`: it says that nothing is left for so long.
    pub(in crate::upstream) fn answered(&mut self, (sent, at): (Sent, Now), closed_for: Option<Duration>) {
        self.breaker.answered(sent.health);
        self.latency.answered(at);
        if let Some(wait) = sent.wait {
            self.cooldown.success(wait, at);
        }
        if let Some(wait) = closed_for {
            self.cooldown.close_for(wait, at);
        }
    }

    /// What the end of an attempt says of the upstream. `day_ends` tells when a day's limit begins anew (ms, monotonic).
    pub(in crate::upstream) fn judge(
        &mut self,
        settlement: &Settlement,
        ending: Ending,
        day_ends: impl FnOnce() -> u64,
    ) {
        let now = ending.now;
        match &settlement.outcome {
            Outcome::Completed => {
                self.succeed(ending, settlement.since_first_token());
                self.latency.record(settlement.first_token, settlement.duration);
            }
            Outcome::Failed(failure) => self.fail(failure, ending, day_ends),
            Outcome::Abandoned if self.latency.is_overdue(settlement.duration, now) => {
                let silent = "it was silent for so long that nobody waited any more";
                self.fail(&Failure::new(FailureClass::Timeout, Phase::Head, silent), ending, day_ends);
            }
            Outcome::ClientClosed | Outcome::Abandoned => self.found_nothing(ending.sent),
        }
    }

    /// An attempt succeeded, whose first content came so long ago.
    fn succeed(&mut self, Ending { sent, now }: Ending, since: Duration) {
        let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.breaker.success(sent.health, now.mono.saturating_sub(since));
        self.latency.answered(now);
        if let Some(wait) = sent.wait {
            self.cooldown.success(wait, now);
        }
        if self.breaker.is_closed() {
            if self.errors_in_a_row >= 3 {
                log::info!("{}: healthy again", self.config.id);
            }
            self.errors_in_a_row = 0;
        }
    }

    /// An attempt ended without a word about the upstream.
    fn found_nothing(&mut self, sent: Sent) {
        self.breaker.probe_lost(sent.health);
        if let Some(wait) = sent.wait {
            self.cooldown.probe_lost(wait);
        }
    }

    /// A failure of that time was its own, which had been blamed on its request: so it counts, unless it has answered others since. `sent`: as
    /// a probe, which had no verdict then; any other counts as one that went out now.
    pub(in crate::upstream) fn testified(
        &mut self,
        (failure, at): (&Failure, u64),
        (sent, now): (Option<Sent>, Now),
        day_ends: impl FnOnce() -> u64,
    ) {
        if !self.latency.answered_since(at) {
            // What says nothing of its health is no verdict now either: another probe may be out by now.
            let probe = sent.filter(|_| failure.class.counts_as_unhealthy());
            let health = probe.map_or_else(|| self.breaker.standing(), |sent| sent.health);
            self.fail(failure, Ending { sent: Sent { wait: None, health }, now }, day_ends);
        }
    }

    fn fail(&mut self, failure: &Failure, ending: Ending, day_ends: impl FnOnce() -> u64) {
        let Ending { sent, now } = ending;
        // The upstream did its work: the request was wrong.
        if failure.class == FailureClass::Rejected {
            return self.succeed(ending, Duration::ZERO);
        }
        let counts = failure.class.counts_as_unhealthy() && !matches!(failure.blame, Blame::Request | Blame::Told);
        if let Some(wait) = sent.wait {
            self.cooldown.probe_lost(wait);
        }
        if !counts {
            self.breaker.probe_lost(sent.health);
        }
        match failure.class {
            _ if failure.blame == Blame::Told => return,
            FailureClass::Rejected
            | FailureClass::StaleConnection
            | FailureClass::StreamOptionsRefused
            | FailureClass::ModelNotFound
            | FailureClass::TooLarge
            | FailureClass::WrongForm
            | FailureClass::NoSocket => return,
            FailureClass::RateLimited
            | FailureClass::Unauthorized
            | FailureClass::Forbidden
            | FailureClass::PaymentRequired
            | FailureClass::Overloaded
            | FailureClass::ServerError
            | FailureClass::Timeout
            | FailureClass::Connect
            | FailureClass::Protocol
            | FailureClass::Empty => {}
        }
        self.last_failure = Some((now.wall, failure.class, failure.detail.clone()));
        if failure.blame != Blame::Request && failure.class != FailureClass::Forbidden {
            self.errors_in_a_row = self.errors_in_a_row.saturating_add(1);
        }
        let waits = self.cooldown.failure((failure, sent.wait), day_ends(), now);
        let rests = if counts { self.breaker.failure(sent.health, now) } else { None };
        if let Some(rest) = rests.max(waits) {
            log::warn!("{}: rests for {:.1} s ({failure})", self.config.id, rest as f64 / 1_000.0);
        }
    }
}
