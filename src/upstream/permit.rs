//! The right to make one attempt, as a value.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;

use super::{Endpoint, Settle, StreamOptionsRefused, UpstreamActor};
use crate::types::{Outcome, RateLimit, Settlement, WriteStamp};

/// One admitted attempt, bound to its endpoint: counted against the quotas before it existed.
///
/// # Invariants
/// Settled exactly once: by [`Permit::settle`], or by its drop, which counts as abandoned. What was never written is
/// then given back.
#[derive(Debug)]
pub struct Permit {
    /// Where the attempt goes.
    pub endpoint: Arc<Endpoint>,
    /// To be set when the request is written.
    pub stamp: WriteStamp,
    /// May the proxy ask this upstream for a stream's usage?
    pub ask_usage: bool,
    /// What the pool's limits leave for the model.
    pub rate: Option<RateLimit>,
    attempt: u64,
    since: Instant,
    upstream: Addr<UpstreamActor>,
    settled: bool,
}

/// What the actor knows of a permit beyond its endpoint.
#[derive(Debug)]
pub(super) struct Terms {
    /// Names it to its actor.
    pub(super) attempt: u64,
    pub(super) stamp: WriteStamp,
    pub(super) ask_usage: bool,
}

impl Permit {
    pub(super) fn new(endpoint: Arc<Endpoint>, terms: Terms, upstream: Addr<UpstreamActor>) -> Self {
        let Terms { attempt, stamp, ask_usage } = terms;
        Permit { endpoint, stamp, ask_usage, rate: None, attempt, since: Instant::now(), upstream, settled: false }
    }

    /// Since the attempt was admitted.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Closes the account.
    pub fn settle(mut self, settlement: Settlement) {
        self.close(settlement);
    }

    /// The upstream refused the `stream_options` that we had added.
    pub fn stream_options_refused(&self) {
        self.upstream.do_send(StreamOptionsRefused);
    }

    fn close(&mut self, settlement: Settlement) {
        if !std::mem::replace(&mut self.settled, true) {
            // do_send: it can't be cancelled, and a full mailbox takes it all the same.
            self.upstream.do_send(Settle { attempt: self.attempt, settlement });
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.close(Settlement::of(Outcome::Abandoned, self.elapsed()));
    }
}
