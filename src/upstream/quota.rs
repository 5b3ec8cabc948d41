//! The request quotas of one upstream: never more than `rpm` in any minute, nor `rpd` in a day.
//!
//! Every attempt is counted before a byte of it is sent. Three places hold what is counted:
//!
//! - `pending`: admitted, and not known to be written: counts as *now*, in each window;
//! - the windows (`minute`, `daily`, `burst`): written, and stamped with the time of it;
//! - `granted`: units that are on disk as used and in truth are not yet: what a crash would lose.
//!
//! # Invariants
//! 1. `pending + minute ≤ rpm`, `pending + daily ≤ rpd` and `pending + burst ≤ burst`, whenever an attempt is admitted.
//! 2. What the disk calls used is never less than what was used: an attempt takes a unit of `granted`.

use super::daily::Daily;
use super::messages::{QuotaKind, Refusal};
use super::window::{SlidingLog, Span};
use crate::config::{Burst, Reset};
use crate::persistence::QuotaRecord;
use crate::types::{Limit, Now, WriteStamp, Written};

/// The bounds of an upstream's windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) rpm: Limit,
    pub(super) rpd: Limit,
    /// When the day of `rpd` begins anew.
    pub(super) reset: Reset,
    /// A bound on a shorter span than a minute.
    pub(super) burst: Option<Burst>,
}

impl Limits {
    /// How many units are drawn from the store at a time: a fiftieth of the tightest limit, since a crash loses as
    /// many; `None` where nothing is limited, and so nothing need be on disk before it is used.
    fn block(&self) -> Option<u32> {
        let tightest = [self.rpm, self.rpd].into_iter().filter_map(Limit::bound).min()?;
        Some((tightest / 50).clamp(1, 32))
    }
}

impl Limits {
    /// The record of an upstream that has nothing left, as far as its limits go: for one whose record is lost.
    pub(super) fn spent(&self, now: Now) -> QuotaRecord {
        let granted = [self.rpm, self.rpd].into_iter().filter_map(Limit::bound).max().unwrap_or(0);
        QuotaRecord { granted, newest_wall: now.wall, ..QuotaRecord::default() }
    }
}

/// What [`Quota::admit`] says.
#[derive(Debug)]
pub(super) enum Admission {
    /// Counted. The stamp is to be set when the request is written.
    Admitted(WriteStamp),
    /// The windows have room, the grant is used up: ask the store for more, then again.
    NeedsGrant,
    /// A window is full.
    Refused(Refusal),
}

/// The windows of one upstream.
#[derive(Debug)]
pub(super) struct Quota {
    limits: Limits,
    minute: SlidingLog,
    daily: Daily,
    burst: Option<SlidingLog>,
    pending: Vec<WriteStamp>,
    granted: u32,
    /// Units that the store was asked for: on its disk, perhaps, and not ours yet.
    reserving: u32,
    /// The largest wall time ever seen: a clock set back must not open a day again.
    newest_wall: i64,
}

impl Quota {
    /// Opens the windows as `record` left them, or empty ones. After a crash nobody knows which of the granted units
    /// were used, nor when: all of them, just now.
    pub(super) fn restore(limits: Limits, record: Option<&QuotaRecord>, now: Now) -> Quota {
        let newest_wall = record.map_or(now.wall, |r| r.newest_wall.max(now.wall));
        let rpm = limits.rpm.bound();
        let mut minute = SlidingLog::new(Span::MINUTE);
        if let Some(record) = record {
            for &(wall, count) in &record.log {
                minute.insert(now.mono_at(wall.min(now.wall)), count, rpm);
            }
            minute.insert(now.mono, record.granted, rpm);
        }
        Quota {
            daily: Daily::restore(&limits.reset, record, newest_wall, now),
            burst: limits.burst.map(|burst| SlidingLog::new(Span::of(burst.span_ms))),
            limits,
            minute,
            pending: Vec::new(),
            granted: 0,
            reserving: 0,
            newest_wall,
        }
    }

    /// New limits, effective at once for what is already spent.
    pub(super) fn reconfigure(&mut self, limits: Limits, now: Now) {
        if limits.reset != self.limits.reset {
            let record = QuotaRecord { granted: 0, ..self.record(now) };
            self.daily = Daily::restore(&limits.reset, Some(&record), self.newest_wall, now);
        }
        if limits.burst != self.limits.burst {
            self.burst = limits.burst.map(|burst| SlidingLog::new(Span::of(burst.span_ms)));
        }
        self.limits = limits;
    }

    /// Counts one attempt, if the windows and the grant have room for it.
    pub(super) fn admit(&mut self, now: Now) -> Admission {
        if let Err(refusal) = self.room(now) {
            return Admission::Refused(refusal);
        }
        if self.limits.block().is_some() {
            match self.granted.checked_sub(1) {
                Some(left) => self.granted = left,
                None => return Admission::NeedsGrant,
            }
        }
        let stamp = WriteStamp::default();
        self.pending.push(stamp.clone());
        Admission::Admitted(stamp)
    }

    /// Is there room for one more attempt?
    pub(super) fn room(&mut self, now: Now) -> Result<(), Refusal> {
        self.advance(now);
        let pending = self.pending();
        let spent = |held: u32, limit: Option<u32>| {
            let over = pending.saturating_add(held).checked_sub(limit?)?.saturating_add(1);
            Some(over)
        };
        let full = |which, frees: Option<u64>| {
            // What is pending may yet be refunded, or leave the window much later: ask again soon.
            Err(Refusal::QuotaExhausted { which, until: frees.unwrap_or(now.mono + 1_000) })
        };
        if let Some(over) = spent(self.daily.count(now), self.limits.rpd.bound()) {
            return full(QuotaKind::Rpd, self.daily.frees(over, now));
        }
        if let Some(over) = spent(self.minute.count(now.mono), self.limits.rpm.bound()) {
            return full(QuotaKind::Rpm, self.minute.frees(over));
        }
        if let Some((burst, log)) = self.limits.burst.zip(self.burst.as_mut())
            && let Some(over) = spent(log.count(now.mono), Some(burst.requests))
        {
            return full(QuotaKind::Burst, log.frees(over));
        }
        Ok(())
    }

    /// Closes the account of one attempt: what was not written at all is given back.
    pub(super) fn settle(&mut self, stamp: &WriteStamp, now: Now) {
        if stamp.read() == Written::Partly {
            stamp.finish(now.mono);
        }
        self.advance(now);
        self.pending.retain(|pending| !pending.is(stamp));
    }

    /// The record to make durable so that more units can be used, if it is time to ask: when a request needs one, or
    /// at half a block, so that requests rarely wait for it. (A block of one is not asked for ahead: of a small limit
    /// every unit counts, and a crash would cost it.) [`Quota::reserved`] is to be called with the outcome.
    pub(super) fn reserve(&mut self, needed: bool, now: Now) -> Option<QuotaRecord> {
        let block = self.limits.block()?;
        let low = if needed { self.granted == 0 } else { block > 1 && self.granted <= block / 2 };
        if self.reserving > 0 || !low {
            return None;
        }
        self.reserving = block - self.granted;
        Some(self.record(now))
    }

    /// The store answered: the units are durable, or not to be had.
    pub(super) fn reserved(&mut self, durable: bool) {
        if durable {
            self.granted = self.granted.saturating_add(self.reserving);
        }
        self.reserving = 0;
    }

    /// What is counted, as the store keeps it. Pending attempts stand among the granted: when they will be written
    /// is open, so after a crash they count as of then.
    pub(super) fn record(&mut self, now: Now) -> QuotaRecord {
        self.advance(now);
        self.minute.count(now.mono);
        let mut record = QuotaRecord {
            log: self.minute.coarse_entries().into_iter().map(|(at, count)| (now.wall_at(at), count)).collect(),
            granted: self.granted.saturating_add(self.reserving).saturating_add(self.pending()),
            newest_wall: self.newest_wall,
            saved_wall: now.wall,
            ..QuotaRecord::default()
        };
        self.daily.save(&mut record, now);
        record
    }

    /// Gives back what was granted and not used: the record that follows is exact.
    pub(super) fn release_grant(&mut self) {
        self.granted = 0;
        self.reserving = 0;
    }

    /// Attempts in the last minute and today, those on the way included.
    pub(super) fn usage(&mut self, now: Now) -> (u32, u32) {
        self.advance(now);
        let pending = self.pending();
        (self.minute.count(now.mono).saturating_add(pending), self.daily.count(now).saturating_add(pending))
    }

    /// When a day's limit begins anew, at the latest (ms, monotonic).
    pub(super) fn day_ends(&self, now: Now) -> u64 {
        self.daily.ends(now)
    }

    fn pending(&self) -> u32 {
        u32::try_from(self.pending.len()).unwrap_or(u32::MAX)
    }

    /// Turns the day, and takes what has been written out of `pending`.
    fn advance(&mut self, now: Now) {
        self.newest_wall = self.newest_wall.max(now.wall);
        self.daily.advance(self.newest_wall);
        let Quota { limits, minute, daily, burst, pending, .. } = self;
        pending.retain(|stamp| match stamp.read() {
            Written::Nothing | Written::Partly => true,
            Written::Whole(at) => {
                minute.insert(at, 1, limits.rpm.bound());
                daily.insert(at, 1, limits.rpd.bound());
                if let (Some(log), Some(burst)) = (burst.as_mut(), limits.burst) {
                    log.insert(at, 1, Some(burst.requests));
                }
                false
            }
        });
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
