//! One quota: the limits of one owner, with the units used so far.
//!
//! 1. Every attempt is counted before a byte is sent: one request and an estimate of tokens are reserved.
//! 2. The request counts as used from the moment of its last written byte.
//! 3. The tokens are corrected when the attempt is over: what was used takes the place of the estimate.
//! 4. A store grants units before their use. No crash forgets any.

use std::sync::Arc;

use clock::{Now, SendProgress, SentAt};

pub use self::grants::{GrantRequest, Need};
use crate::bounds::Bounds;
use crate::credits::Credits;
use crate::demand::{ActualUsage, Demand};
use crate::forecast::Forecast;
use crate::lease::Lease;
use crate::limits::{Limits, QuotaKind};
use crate::no_room::NoRoom;
use crate::records::WindowUsage;
use crate::reset::Reset;
use crate::unit_counter::{Spending, UnitCounter};

/// One attempt's part of a quota.
#[derive(Debug, Clone)]
pub struct Reservation {
    /// When the request was sent; set by the transport.
    pub sent_at: SentAt,
    /// Reserved tokens or nano-dollars, by estimate.
    pub amount: u64,
}

/// The limits of one quota, and the windows of requests and tokens.
#[derive(Debug)]
pub struct Quota {
    limits: Limits,
    reset: Reset,
    requests: UnitCounter,
    /// Tokens, or nano-dollars where that is the measure.
    tokens: UnitCounter,
    /// Admitted attempts, not known to be written.
    pending: Vec<SentAt>,
    /// How many attempts are admitted and not over.
    in_flight: u32,
    /// The largest wall time ever seen: a clock set back must not begin a day again.
    newest_wall: i64,
    /// What a store lends, if other servers share the quota.
    lease: Option<Lease>,
    /// Whether a request to the store is not answered yet.
    is_asking: bool,
    /// What may be used without asking. There are none if nothing is bounded.
    credits: Option<Arc<Credits>>,
}

impl Quota {
    /// Creates empty windows. `shared`: other servers use the quota too, and a store lends parts.
    pub fn new(limits: Limits, reset: &Reset, shared: bool, now: Now) -> Quota {
        let mut quota = Quota {
            requests: UnitCounter::new(Bounds::of_requests(&limits, shared), reset, now.wall),
            tokens: UnitCounter::new(Bounds::of_tokens(&limits, shared), reset, now.wall),
            limits,
            reset: reset.clone(),
            pending: Vec::new(),
            in_flight: 0,
            newest_wall: now.wall,
            lease: shared.then(Lease::default),
            is_asking: false,
            credits: None,
        };
        quota.renew_credits(now);
        quota
    }

    /// Sets new limits. Units used already count against the new limits.
    pub fn reconfigure(&mut self, limits: Limits, reset: &Reset, now: Now) {
        self.advance(now);
        self.requests.reconfigure(Bounds::of_requests(&limits, self.lease.is_some()));
        self.tokens.reconfigure(Bounds::of_tokens(&limits, self.lease.is_some()));
        if *reset != self.reset || limits.period() != self.limits.period() {
            self.reset = reset.clone();
            self.change_reset(now);
        }
        if let Some(lease) = &mut self.lease {
            lease.forget_denial();
        }
        if limits != self.limits {
            self.limits = limits;
            self.renew_credits(now);
        }
    }

    /// Lets the bounds go, and keeps the counts. Nothing is issued any more.
    pub fn retire(&mut self, now: Now) {
        let Limits { listed, measure, .. } = self.limits;
        let reset = self.reset.clone();
        self.reconfigure(Limits { listed, measure, ..Limits::default() }, &reset, now);
    }

    /// Lets periods begin at other times from now on.
    fn change_reset(&mut self, now: Now) {
        self.requests.change_reset(&self.reset, self.newest_wall, now);
        self.tokens.change_reset(&self.reset, self.newest_wall, now);
    }

    /// Sets the clock of a shared quota to the store's, whose day is another.
    fn set_clock(&mut self, wall: i64, mono: u64) {
        self.newest_wall = wall;
        self.change_reset(Now { mono, wall });
    }

    /// Returns the limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Returns the requests in the last minute and in the period.
    pub fn requests_used(&mut self, now: Now) -> WindowUsage {
        self.requests.usage(now)
    }

    /// Returns the tokens or nano-dollars in the last minute and in the period.
    pub fn tokens_used(&mut self, now: Now) -> WindowUsage {
        self.tokens.usage(now)
    }

    /// Returns the tightest bound of tokens or nano-dollars.
    pub fn tightest_tokens(&self) -> Option<u64> {
        self.tokens.tightest()
    }

    /// Returns the requests and tokens (or money) of the period that are used, without reservations.
    pub fn spent(&mut self, now: Now) -> [u64; 2] {
        [self.requests.spent(now), self.tokens.spent(now)]
    }

    /// Returns what becomes of the period's limits of requests and of tokens (or money).
    pub fn forecasts(&mut self, now: Now) -> [Option<Forecast>; 2] {
        self.advance(now);
        [self.requests.forecast(now), self.tokens.forecast(now)]
    }

    /// Returns the latest end of the period (ms, monotonic).
    pub fn period_ends(&self, now: Now) -> u64 {
        self.requests.period_ends(now)
    }

    /// Returns how many units of the second counter an attempt takes.
    fn tokens_for(&self, demand: Demand) -> u64 {
        self.tokens.units_for(demand.part(self.limits.measure))
    }

    /// Returns whether one more attempt of this `demand` fits.
    ///
    /// # Errors
    /// When no room is left. Of several reasons, the error is the last to end.
    pub fn room(&mut self, demand: Demand, now: Now) -> Result<(), NoRoom> {
        self.advance(now);
        if self.limits.disable() {
            return Err(NoRoom::Disabled);
        }
        let tokens = self.tokens_for(demand);
        let is_crowded = self.limits.max_concurrent.is_some_and(|most| self.in_flight >= most);
        let denied = self.lease.as_ref().and_then(|lease| lease.denial(demand.part(self.limits.measure), now));
        let reasons = [
            is_crowded.then_some(NoRoom::Full { which: QuotaKind::Concurrency, until: None }),
            self.requests.room(1, now).err(),
            self.tokens.room(tokens, now).err(),
            denied.filter(|_| self.needs_grant(demand)),
        ];
        NoRoom::last(reasons.into_iter().flatten()).map_or(Ok(()), Err)
    }

    /// Returns whether the store has to grant something before an attempt of this `demand`.
    pub fn needs_grant(&self, demand: Demand) -> bool {
        let tokens = self.tokens.shortfall(self.tokens_for(demand));
        self.requests.shortfall(1) > 0 || tokens > 0 || self.slots_needed() > 0
    }

    /// Reserves an attempt's part. There must be [`Quota::room`], and the attempt must not [`Quota::needs_grant`].
    pub fn reserve(&mut self, sent_at: &SentAt, demand: Demand) -> Reservation {
        let tokens = self.tokens_for(demand);
        self.requests.reserve(1);
        self.tokens.reserve(tokens);
        self.begin(sent_at, tokens)
    }

    /// Counts an attempt as under way.
    fn begin(&mut self, sent_at: &SentAt, amount: u64) -> Reservation {
        self.in_flight += 1;
        self.pending.push(sent_at.clone());
        Reservation { sent_at: sent_at.clone(), amount }
    }

    /// Ends an attempt. An unwritten attempt gives everything back.
    pub fn settle(&mut self, reservation: &Reservation, actual: ActualUsage, now: Now) {
        let Reservation { sent_at, amount } = reservation;
        if sent_at.read() == SendProgress::InProgress {
            sent_at.finish(now.mono);
        }
        self.advance(now);
        self.in_flight = self.in_flight.saturating_sub(1);
        match sent_at.read() {
            SendProgress::Done(at) => {
                if !actual.counts {
                    self.requests.refund(at, now);
                }
                let used = actual.part(self.limits.measure).unwrap_or(*amount);
                self.tokens.spend(Spending { reserved: *amount, used, at: now.mono }, now);
            }
            SendProgress::NotStarted | SendProgress::InProgress => {
                self.pending.retain(|pending| !pending.is(sent_at));
                self.requests.release(1);
                self.tokens.release(*amount);
            }
        }
    }

    /// Gives unused grants back. The next record is exact.
    pub fn release_grant(&mut self) {
        for counter in [&mut self.requests, &mut self.tokens] {
            counter.granted = 0;
            counter.requested = 0;
        }
    }

    /// Returns how many requests at the same time this server holds of a shared quota.
    fn slots(&self) -> u32 {
        self.lease.as_ref().map_or(0, |lease| lease.slots.max(self.in_flight))
    }

    /// Returns the last moment to begin sending an admitted attempt (ms, monotonic).
    pub fn begin_by(&self) -> u64 {
        self.lease.as_ref().filter(|_| !self.limits.are_none()).map_or(u64::MAX, |lease| lease.until)
    }

    /// Returns whether anything is granted and not used.
    pub fn holds_grant(&self) -> bool {
        self.requests.granted > 0 || self.tokens.granted > 0
    }

    /// Returns whether a lease has to be renewed for anything.
    pub fn holds_anything(&self) -> bool {
        let has_slots = self.limits.max_concurrent.is_some() && self.slots() > 0;
        has_slots || self.requests.holds_anything() || self.tokens.holds_anything()
    }

    /// Brings the quota up to date: begins a new period, counts written requests as used, and drops an expired lease.
    fn advance(&mut self, now: Now) {
        self.newest_wall = self.newest_wall.max(now.wall);
        self.requests.advance(self.newest_wall);
        self.tokens.advance(self.newest_wall);
        let Quota { requests, pending, .. } = self;
        pending.retain(|sent_at| match sent_at.read() {
            SendProgress::NotStarted | SendProgress::InProgress => true,
            SendProgress::Done(at) => {
                requests.spend(Spending { reserved: 1, used: 1, at }, now);
                false
            }
        });
        if let Some(lease) = &mut self.lease
            && lease.ends(now)
        {
            self.requests.granted = 0;
            self.tokens.granted = 0;
        }
    }
}

mod grants;
mod issue;
#[cfg(test)]
mod properties;
mod saved;
mod spent;
#[cfg(test)]
mod tests;
