//! The right to make one attempt, as a value.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::inbox::{Haste, News};
use super::lane::{Door, Lane};
use super::state::Sent;
use crate::types::{Blame, Failure, FailureClass, Now, Outcome, SentAt, Settlement};

/// One admitted attempt, bound to its endpoint: counted against the quotas before it existed.
///
/// # Invariants
/// Settled exactly once: by [`Permit::settle`], or by its drop, which counts as abandoned. What was never written is
/// then given back.
#[derive(Debug)]
pub struct Permit {
    /// To be set when the request is written.
    pub stamp: SentAt,
    /// May the proxy ask this upstream for a stream's usage?
    pub ask_usage: bool,
    /// The short way to the next one like it, if there is one and this one did not come by it.
    pub lane: Option<Arc<Lane>>,
    door: Arc<Door>,
    /// So many tokens more than were set aside for it can't wait to be told.
    unforeseen: u64,
    /// Tokens that are set aside for it, at most.
    demand: u64,
    since: Instant,
    /// A probe, whose answer decides whether others are let in.
    probe: Option<Sent>,
    /// Its end frees something, or decides something: it is told at once.
    urgent: bool,
    settled: bool,
}

impl Permit {
    /// `tightest`: the tightest bound of tokens that it counts against.
    pub(super) fn new(door: Arc<Door>, (demand, tightest): (u64, Option<u64>), stamp: SentAt) -> Self {
        /// What is less than this part of a limit is told with the next batch, as a block is drawn of a limit.
        const PART: u64 = 50;
        let unforeseen = tightest.map_or(u64::MAX, |tightest| tightest / PART);
        let (ask_usage, since) = (door.ask_usage(), Instant::now());
        Permit {
            stamp,
            ask_usage,
            lane: None,
            door,
            unforeseen,
            demand,
            since,
            probe: None,
            urgent: false,
            settled: false,
        }
    }

    /// As its actor gives it out.
    pub(super) fn on_terms(mut self, lane: Option<Arc<Lane>>, sent: Sent) -> Self {
        self.probe = sent.is_probe().then_some(sent);
        // Where there is no lane, the end of an attempt may free what another waits for.
        self.urgent = sent.is_probe() || lane.is_none();
        self.lane = lane;
        self
    }

    /// Where the attempt goes.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.door.endpoint
    }

    /// Since the attempt was admitted.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// It has an answer for the client, which `lasts` if it is not over yet. `closed_for`: in which the upstream says that it has nothing
    /// left for so long.
    pub fn answered(&self, lasts: bool, closed_for: Option<Duration>) {
        let haste = match (closed_for, self.probe) {
            (Some(_), _) => Haste::Pressing,
            (None, Some(_)) => Haste::Now,
            (None, None) => Haste::None,
        };
        // An answer that is over decides the same by its end.
        if lasts || closed_for.is_some() {
            self.door.inbox.tell(News::Answered { stamp: self.stamp.clone(), at: Now::read(), closed_for }, haste);
        }
    }

    /// Closes the account.
    pub fn settle(mut self, settlement: Settlement) {
        self.close(settlement);
    }

    /// The upstream had refused the `stream_options` that we had added, and takes the same request without.
    pub fn stream_options_refused(&self) {
        self.door.usage_refused(true);
    }

    /// The upstream took them.
    pub fn stream_options_taken(&self) {
        self.door.usage_told();
    }

    /// Who can say later what a failure was.
    pub fn witness(&self, failure: Failure) -> Witness {
        Witness { door: self.door.clone(), sent: self.probe, failure, at: Now::read_mono() }
    }

    fn close(&mut self, settlement: Settlement) {
        if !std::mem::replace(&mut self.settled, true) {
            // (What was the caller's own mistake says nothing of the upstream.)
            let failed = settlement.failure().is_some_and(|failure| failure.class != FailureClass::Rejected);
            // A window may be over by what was not foreseen.
            let overshoot =
                settlement.usage.is_some_and(|usage| usage.total.saturating_sub(self.demand) > self.unforeseen);
            let haste = match (failed || overshoot, self.urgent) {
                (true, _) => Haste::Pressing,
                (false, true) => Haste::Now,
                (false, false) => Haste::Soon,
            };
            self.door.inbox.tell(News::Ended { stamp: self.stamp.clone(), settlement }, haste);
        }
    }
}

/// A failure of which more may be known later.
#[derive(Debug)]
pub struct Witness {
    door: Arc<Door>,
    /// As a probe, if it was one.
    sent: Option<Sent>,
    failure: Failure,
    /// ms, monotonic.
    at: u64,
}

/// Interim.
pub type Suspicion = Witness;

impl Permit {
    /// Interim.
    pub fn suspect(&self, failure: Failure) -> Suspicion {
        self.witness(failure)
    }
}

impl Witness {
    /// Interim.
    pub fn confirm(self) {
        self.testify();
    }

    /// `stream_options` were refused, and there is no room for the same request without: it remains open whether it was for them.
    pub fn leaves_open(self) {
        self.door.usage_refused(false);
    }

    /// Was it of the upstream that this is for?
    pub fn is_of(&self, permit: &Permit) -> bool {
        Arc::ptr_eq(&self.door.inbox, &permit.door.inbox)
    }

    /// It was blamed on its request, which another upstream served: so it was the upstream's.
    pub fn testify(self) {
        let failure = Failure { blame: Blame::Unclear, ..self.failure };
        let inbox = self.door.inbox.clone();
        inbox.tell(News::Testified { door: self.door, sent: self.sent, failure, at: self.at }, Haste::Pressing);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.close(Settlement::of(Outcome::Abandoned, self.elapsed()));
    }
}
