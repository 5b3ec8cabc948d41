//! The request quotas of one upstream: never more than `rpm` in any minute, nor `rpd` in a day.
//!
//! Every attempt is counted before a byte of it is sent. Three places hold what is counted:
//!
//! - `pending`: admitted, and not known to be written: counts as *now*, in each window;
//! - `log` and `used_today`: written, and stamped with the time of it;
//! - `granted`: units that are on disk as used and in truth are not yet: what a crash would lose.
//!
//! # Invariants
//! 1. `pending + log(any 60 s) ≤ rpm` and `pending + used_today ≤ rpd`, whenever an attempt is admitted.
//! 2. What the disk calls used is never less than what was used: an attempt takes a unit of `granted`.

use jiff::tz::TimeZone;

use super::day::Day;
use super::messages::{QuotaKind, Refusal};
use super::window::{SlidingLog, WINDOW_MS};
use crate::persistence::QuotaRecord;
use crate::types::{Limit, Now, WriteStamp, Written};

/// The bounds of an upstream's windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) rpm: Limit,
    pub(super) rpd: Limit,
}

impl Limits {
    /// How many units are drawn from the store at a time: a fiftieth of the tightest limit, since a crash loses as
    /// many; `None` where nothing is limited, and so nothing need be on disk before it is used.
    fn block(self) -> Option<u32> {
        let tightest = [self.rpm, self.rpd].into_iter().filter_map(Limit::bound).min()?;
        Some((tightest / 50).clamp(1, 32))
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
    zone: TimeZone,
    log: SlidingLog,
    day: Day,
    used_today: u32,
    pending: Vec<WriteStamp>,
    granted: u32,
    /// Units that the store was asked for: on its disk, perhaps, and not ours yet.
    reserving: u32,
    /// The largest wall time ever seen: a clock set back must not open a day again.
    newest_wall: i64,
}

impl Quota {
    /// Opens the windows as `record` left them, or empty ones.
    pub(super) fn restore(limits: Limits, zone: TimeZone, record: Option<&QuotaRecord>, now: Now) -> Quota {
        let newest_wall = record.map_or(now.wall, |r| r.newest_wall.max(now.wall));
        let day = Day::containing(newest_wall, &zone);
        let mut quota = Quota {
            limits,
            zone,
            log: SlidingLog::default(),
            day,
            used_today: 0,
            pending: Vec::new(),
            granted: 0,
            reserving: 0,
            newest_wall,
        };
        if let Some(record) = record {
            quota.replay(record, now);
        }
        quota
    }

    /// After a crash nobody knows which of the granted units were used, nor when: all of them, just now.
    fn replay(&mut self, record: &QuotaRecord, now: Now) {
        let rpm = self.limits.rpm.bound();
        for &(wall, count) in &record.log {
            self.log.insert(now.mono_at(wall.min(now.wall)), count, rpm);
        }
        self.log.insert(now.mono, record.granted, rpm);
        let before = if record.day_start == self.day.start { record.used_today } else { 0 };
        self.used_today = before.saturating_add(record.granted);
    }

    /// New limits, effective at once for what is already spent.
    pub(super) fn reconfigure(&mut self, limits: Limits) {
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
        if let Some(rpd) = self.limits.rpd.bound().filter(|rpd| pending.saturating_add(self.used_today) >= *rpd) {
            // Pending attempts may yet be refunded: then there is room again, long before midnight.
            let until = if self.used_today >= rpd { now.mono_at(self.day.end) } else { now.mono + 1_000 };
            return Err(Refusal::QuotaExhausted { which: QuotaKind::Rpd, until });
        }
        let logged = self.log.count(now.mono);
        if let Some(rpm) = self.limits.rpm.bound().filter(|rpm| pending.saturating_add(logged) >= *rpm) {
            let over = pending.saturating_add(logged) - rpm + 1;
            let until = self.log.frees(over).unwrap_or(now.mono + WINDOW_MS);
            return Err(Refusal::QuotaExhausted { which: QuotaKind::Rpm, until });
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
        self.log.count(now.mono);
        QuotaRecord {
            day_start: self.day.start,
            used_today: self.used_today,
            log: self.log.coarse_entries().into_iter().map(|(at, count)| (now.wall_at(at), count)).collect(),
            granted: self.granted.saturating_add(self.reserving).saturating_add(self.pending()),
            newest_wall: self.newest_wall,
        }
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
        (self.log.count(now.mono).saturating_add(pending), self.used_today.saturating_add(pending))
    }

    fn pending(&self) -> u32 {
        u32::try_from(self.pending.len()).unwrap_or(u32::MAX)
    }

    /// Turns the day, and takes what has been written out of `pending`.
    fn advance(&mut self, now: Now) {
        self.newest_wall = self.newest_wall.max(now.wall);
        if self.newest_wall >= self.day.end {
            self.day = Day::containing(self.newest_wall, &self.zone);
            self.used_today = 0;
        }
        let (log, used_today, rpm) = (&mut self.log, &mut self.used_today, self.limits.rpm.bound());
        self.pending.retain(|stamp| match stamp.read() {
            Written::Nothing | Written::Partly => true,
            Written::Whole(at) => {
                log.insert(at, 1, rpm);
                // Written a moment before midnight and seen after it: counted today, to be safe.
                *used_today = used_today.saturating_add(1);
                false
            }
        });
    }
}

#[cfg(test)]
mod tests;
