//! One quota: the limits of an API, of a group, or of one of their models, and what of them is spent.
//!
//! Every attempt is counted before a byte of it is sent: one request and its estimated tokens are set aside. The request
//! is spent when it has been written; the tokens when the attempt is over, as many as it took.

use std::sync::Arc;

pub use self::grants::Draw;
use clock::{Now, SendProgress, SentAt};

use crate::bounds::Bounds;
use crate::credits::Allowance;
use crate::lease::Lease;
use crate::limits::{Limits, QuotaKind};
use crate::no_room::NoRoom;
use crate::records::{CountRecord, QuotaRecord};
use crate::reset::Reset;
use crate::unit_counter::{Account, Spending};

/// One attempt's part of a quota.
#[derive(Debug, Clone)]
pub struct Share {
    /// Set when its request is written.
    pub stamp: SentAt,
    /// Tokens that are set aside for it, estimated.
    pub tokens: u64,
}

/// How an attempt is to be counted, now that it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Does it count as a request?
    pub counts: bool,
    /// The tokens that it took; `None` if nobody knows, and the estimate has to stand.
    pub tokens: Option<u64>,
}

/// The windows of one quota.
#[derive(Debug)]
pub struct Quota {
    pub(super) limits: Limits,
    reset: Reset,
    pub(super) requests: Account,
    pub(super) tokens: Account,
    /// Admitted, and not known to be written.
    pending: Vec<SentAt>,
    /// Admitted, and not over.
    in_flight: u32,
    /// The largest wall time ever seen: a clock set back must not open a day again.
    newest_wall: i64,
    /// Of a quota that is shared by way of the store.
    lease: Option<Lease>,
    /// The store was asked, and has not answered.
    asking: bool,
    /// What of it may be taken without asking; none where nothing is bounded, or where an attempt's end frees something.
    allowance: Option<Arc<Allowance>>,
}

impl Quota {
    /// Opens the windows as `record` left them, or empty ones. `shared`: other servers use the quota too, and the store
    /// lends parts of it.
    pub fn restore(limits: Limits, reset: &Reset, (record, shared): (Option<&QuotaRecord>, bool), now: Now) -> Quota {
        let mut quota = Quota {
            requests: Account::new(Bounds::of_requests(&limits, shared), reset, now.wall),
            tokens: Account::new(Bounds::of_tokens(&limits, shared), reset, now.wall),
            limits,
            reset: reset.clone(),
            pending: Vec::new(),
            in_flight: 0,
            newest_wall: now.wall,
            lease: shared.then(Lease::default),
            asking: false,
            allowance: None,
        };
        quota.allowance = quota.new_allowance();
        record.iter().for_each(|record| quota.add(record, now));
        quota
    }

    /// Counts what a record has counted: its own of an earlier life, or another quota's.
    pub fn add(&mut self, record: &QuotaRecord, now: Now) {
        self.newest_wall = self.newest_wall.max(record.newest_wall);
        self.advance(now);
        self.requests.add(&record.requests, (self.newest_wall, now));
        self.tokens.add(&record.tokens, (self.newest_wall, now));
    }

    /// The store, whose clock a shared quota goes by, says that it is `wall` (ms since the Unix epoch), and another day.
    fn set_clock(&mut self, wall: i64, mono: u64) {
        self.newest_wall = wall;
        self.begin_days(Now { mono, wall });
    }

    /// Days begin at other times than before.
    fn begin_days(&mut self, now: Now) {
        self.requests.reset_otherwise(&self.reset, (self.newest_wall, now));
        self.tokens.reset_otherwise(&self.reset, (self.newest_wall, now));
    }

    /// The record of a quota that has nothing left, as far as its limits go: for one whose record is lost.
    pub fn spent(limits: &Limits, now: Now) -> QuotaRecord {
        let all = |bounds: Bounds| CountRecord {
            granted: bounds.minute.max(bounds.day).unwrap_or(0),
            ..CountRecord::default()
        };
        QuotaRecord {
            requests: all(Bounds::of_requests(limits, false)),
            tokens: all(Bounds::of_tokens(limits, false)),
            newest_wall: now.wall,
            saved_wall: now.wall,
            ..QuotaRecord::default()
        }
    }

    /// New limits, effective at once for what is already spent.
    pub fn reconfigure(&mut self, limits: Limits, reset: &Reset, now: Now) {
        self.advance(now);
        self.requests.reconfigure(Bounds::of_requests(&limits, self.lease.is_some()));
        self.tokens.reconfigure(Bounds::of_tokens(&limits, self.lease.is_some()));
        if *reset != self.reset {
            self.reset = reset.clone();
            self.begin_days(now);
        }
        self.lease.iter_mut().for_each(Lease::forgive);
        if limits != std::mem::replace(&mut self.limits, limits) {
            self.allowance = self.new_allowance();
        }
    }

    /// Returns its limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Returns the tightest bound of tokens.
    pub fn tightest_tokens(&self) -> Option<u64> {
        self.tokens.tightest()
    }

    /// Requests in the last minute and today.
    pub fn requests_used(&mut self, now: Now) -> (u64, u64) {
        self.requests.usage(now)
    }

    /// Tokens in the last minute and today.
    pub fn tokens_used(&mut self, now: Now) -> (u64, u64) {
        self.tokens.usage(now)
    }

    /// Returns when a day begins anew, at the latest (ms, monotonic).
    pub fn day_ends(&self, now: Now) -> u64 {
        self.requests.day_ends(now)
    }

    /// Is there room for one more attempt of so many tokens?
    pub fn room(&mut self, demand: u64, now: Now) -> Result<(), NoRoom> {
        self.advance(now);
        if self.limits.disable() {
            return Err(NoRoom::Disabled);
        }
        let full = |(which, until): (QuotaKind, Option<u64>)| NoRoom::Full { which, until };
        let share = self.tokens.share(demand);
        let slots = self.limits.max_concurrent.is_some_and(|most| self.in_flight >= most);
        let denied = self.lease.as_ref().and_then(|lease| lease.denial(demand, now));
        let refusals = [
            slots.then(|| full((QuotaKind::Concurrency, None))),
            self.requests.room(1, now).map_err(full).err(),
            self.tokens.room(share, now).map_err(full).err(),
            denied.filter(|_| self.lacks(demand)),
        ];
        NoRoom::last(refusals.into_iter().flatten()).map_or(Ok(()), Err)
    }

    /// Must the store grant something before an attempt of so many tokens can be counted?
    pub fn lacks(&self, demand: u64) -> bool {
        let tokens = self.tokens.missing(self.tokens.share(demand));
        self.requests.missing(1) > 0 || tokens > 0 || self.slots_missing() > 0
    }

    /// Sets an attempt's part aside. There must be [`Quota::room`] for it, and nothing that it [`Quota::lacks`].
    pub fn take(&mut self, stamp: &SentAt, demand: u64) -> Share {
        let tokens = self.tokens.share(demand);
        self.requests.take(1);
        self.tokens.take(tokens);
        self.count_in(stamp);
        Share { stamp: stamp.clone(), tokens }
    }

    fn count_in(&mut self, stamp: &SentAt) {
        self.in_flight += 1;
        self.pending.push(stamp.clone());
    }

    /// Closes the account of one attempt: what was not written at all is given back.
    pub fn settle(&mut self, share: &Share, spent: Spent, now: Now) {
        let Share { stamp, tokens } = share;
        if stamp.read() == SendProgress::InProgress {
            stamp.finish(now.mono);
        }
        self.advance(now);
        self.in_flight = self.in_flight.saturating_sub(1);
        match stamp.read() {
            SendProgress::Done(at) => {
                if !spent.counts {
                    self.requests.refund(at, now);
                }
                let spent = spent.tokens.unwrap_or(*tokens);
                self.tokens.spend(Spending { reserved: *tokens, spent, at: now.mono }, now);
            }
            SendProgress::NotStarted | SendProgress::InProgress => {
                self.pending.retain(|pending| !pending.is(stamp));
                self.requests.give_back(1);
                self.tokens.give_back(*tokens);
            }
        }
    }

    /// What is counted, as the store keeps it.
    pub fn record(&mut self, now: Now) -> QuotaRecord {
        self.advance(now);
        QuotaRecord {
            requests: self.requests.record(now),
            tokens: self.tokens.record(now),
            newest_wall: self.newest_wall,
            saved_wall: now.wall,
            ..QuotaRecord::default()
        }
    }

    /// What is known of it as a whole, with what others use: what a store that has forgotten is to be told.
    pub fn remembered(&mut self, now: Now) -> QuotaRecord {
        let mut record = self.record(now);
        record.requests = self.requests.with_others(record.requests, now);
        record.tokens = self.tokens.with_others(record.tokens, now);
        record
    }

    /// Gives back what was granted and not used: the record that follows is exact.
    pub fn release_grant(&mut self) {
        for account in [&mut self.requests, &mut self.tokens] {
            (account.granted, account.reserving) = (0, 0);
        }
    }

    /// Requests at the same time that it holds of a shared quota.
    fn slots(&self) -> u32 {
        self.lease.as_ref().map_or(0, |lease| lease.slots.max(self.in_flight))
    }

    /// Until when an admitted attempt must have begun to be sent (ms, monotonic).
    pub fn begin_by(&self) -> u64 {
        self.lease.as_ref().filter(|_| !self.limits.are_none()).map_or(u64::MAX, |lease| lease.until)
    }

    /// Is anything granted and not used?
    pub fn holds_grant(&self) -> bool {
        self.requests.granted > 0 || self.tokens.granted > 0
    }

    /// Is there anything that a lease has to be renewed for?
    pub fn holds_anything(&self) -> bool {
        let slots = self.limits.max_concurrent.is_some() && self.in_flight > 0;
        let spare = self.lease.as_ref().is_some_and(|lease| lease.slots > self.in_flight);
        slots || spare || self.requests.holds_anything() || self.tokens.holds_anything()
    }

    /// Turns the day, takes what has been written out of `pending`, and lets go of what was lent for a time that is over.
    pub fn advance(&mut self, now: Now) {
        self.newest_wall = self.newest_wall.max(now.wall);
        self.requests.advance(self.newest_wall);
        self.tokens.advance(self.newest_wall);
        let Quota { requests, pending, .. } = self;
        pending.retain(|stamp| match stamp.read() {
            SendProgress::NotStarted | SendProgress::InProgress => true,
            SendProgress::Done(at) => {
                requests.spend(Spending { reserved: 1, spent: 1, at }, now);
                false
            }
        });
        if let Some(lease) = &mut self.lease
            && lease.ends(now)
        {
            (self.requests.granted, self.tokens.granted) = (0, 0);
        }
    }
}

mod grants;
mod issue;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
